"""Weights that travel: packaged models by name, and files of the same format by path."""

from medsr_jax.zoo.weights import GAIN, Weights, flatten, load, names, save, unflatten

__all__ = ["GAIN", "Weights", "flatten", "load", "names", "save", "unflatten"]
