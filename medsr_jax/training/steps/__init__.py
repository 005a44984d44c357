"""Training steps and what they are made of: losses, objective, state, update."""
