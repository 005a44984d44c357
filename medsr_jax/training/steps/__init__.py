"""Training steps and their parts: losses, objective, state, update."""
