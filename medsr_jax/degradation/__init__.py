"""The degradation of an image by a link, in pure JAX: functions that jit, vmap and differentiate.

Images are (N, H, W, C) floats in [0, 1] with C 1 or 3; every sample of a batch draws for itself.

    pair = jax.jit(apply, static_argnums=2)(jax.random.key(0), hr, preset("high_order"))
"""

from medsr_jax.errors import missing_part

try:
    from medsr_jax.degradation.composition import Degradation, Pair, Sharpen, apply
    from medsr_jax.degradation.configuration import configured, describe, override
    from medsr_jax.degradation.presets import PRESETS, preset
    from medsr_jax.degradation.randomness import sample_keys
except ImportError as error:
    raise missing_part(error, what=__name__) or error from None

__all__ = [
    "PRESETS",
    "Degradation",
    "Pair",
    "Sharpen",
    "apply",
    "configured",
    "describe",
    "override",
    "preset",
    "sample_keys",
]
