"""Model weights: packaged models by name, and files of the same format by path."""

from medsr_jax.weights.model_file import GAIN, Weights, load, names, save
from medsr_jax.weights.parameters import flatten, unflatten

__all__ = ["GAIN", "Weights", "flatten", "load", "names", "save", "unflatten"]
