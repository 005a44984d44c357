"""Networks in Flax Linen, and the registry that names them."""

from medsr_jax.models.compact import CompactRRDBNet
from medsr_jax.models.registry import MODELS, build
from medsr_jax.models.rrdb import RRDBNet

__all__ = ["MODELS", "CompactRRDBNet", "RRDBNet", "build"]
