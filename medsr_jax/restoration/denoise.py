"""Edge-preserving denoising with an estimated strength: the second part of the paper's D_N."""

from __future__ import annotations

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp


def noise_level(x: jax.Array) -> jax.Array:
    """Standard deviation of white noise, per image (Immerkaer 1996, 'Fast Noise Variance Estimation', eq. 3).

    Args:
        x: (N, H, W, 1), sides of at least 3.

    Returns:
        (N,), in the unit of ``x``. The mask is the difference of two Laplacians, blind to edges that are straight.
    """
    chex.assert_rank(x, 4)
    vertical = x[:, :-2] - 2.0 * x[:, 1:-1] + x[:, 2:]
    response = vertical[:, :, :-2] - 2.0 * vertical[:, :, 1:-1] + vertical[:, :, 2:]
    return jnp.sqrt(jnp.pi / 2) / 6.0 * jnp.abs(response).mean((1, 2, 3))


def guided_filter(x: jax.Array, *, variance: jax.Array, radius: int = 2) -> jax.Array:
    """The image guided by itself (He et al. 2010, eq. 5, 6 and 8): flat parts become their mean, edges stay.

    Args:
        x: (N, H, W, 1).
        variance: (N,): where the local variance is well below it the image is smoothed.
        radius: of the square windows.

    Returns:
        The same shape.
    """
    chex.assert_rank([x, variance], [4, 1])
    mean = _box(x, radius)
    local = jnp.maximum(_box(x * x, radius) - mean * mean, 0.0)
    gain = local / (local + variance[:, None, None, None] + 1e-12)
    return _box(gain, radius) * x + _box((1.0 - gain) * mean, radius)


def denoise(x: jax.Array, *, factor: float = 1.0) -> jax.Array:
    """`guided_filter` with the variance that `noise_level` estimates, times ``factor``."""
    return guided_filter(x, variance=factor * jnp.square(noise_level(x)))


def _box(x: jax.Array, radius: int) -> jax.Array:
    """Mean over the square of side 2 radius + 1, edges replicated."""
    side = 2 * radius + 1
    padded = jnp.pad(x, ((0, 0), (radius, radius), (radius, radius), (0, 0)), mode="edge")
    return nn.avg_pool(padded, (side, side), padding="VALID")
