"""Training: the loop, its steps and what they are made of. Run as ``python -m medsr_jax.training``."""
