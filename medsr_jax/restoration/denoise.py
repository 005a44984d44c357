"""Edge-preserving denoising with an estimated strength, which the paper's ``D_N`` has beside data consistency.

`Restorer` does not apply it, since it changes the packaged model's results by less than can be measured
(docs/measurements.md, quality). It is a function of restored frames::

    frames = denoise(restored.pixels, value_range=packet.header.value_range)

Applied last, it may move coefficients out of the intervals that `consistency.project` put them into.
"""

from __future__ import annotations

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax.transmission.mapping import above, from_codes, to_stored
from medsr_jax.transmission.preprocess import estimate_noise


def denoise(frames: np.ndarray, *, value_range: tuple[float, float], factor: float = 1.0) -> np.ndarray:
    """`guided_filter` with the variance of each frame's noise, as the sender estimates it, times ``factor``.

    Args:
        frames: (frames, rows, columns) stored values.
        value_range: least and greatest value.
        factor: above 1 smooths more.

    Returns:
        The same shape and type.
    """
    chex.assert_rank(frames, 3)
    low, high = value_range
    noise = np.array([estimate_noise(frame, low=low, high=high) for frame in frames]) / (high - low)
    x = above(frames, low) / np.float32(high - low)
    smooth = guided_filter(x[..., None], variance=jnp.asarray(factor * noise**2, jnp.float32))
    values = from_codes(np.clip(np.asarray(smooth)[..., 0], 0.0, 1.0), low=low, high=high, levels=1)
    return to_stored(values, dtype=frames.dtype.name, value_range=value_range)


def guided_filter(x: jax.typing.ArrayLike, *, variance: jax.Array, radius: int = 2) -> jax.Array:
    """The image guided by itself (He et al. 2010, eq. 5, 6 and 8): flat parts become their mean, edges stay.

    Args:
        x: (N, H, W, 1).
        variance: (N,): where the local variance is well below it the image is smoothed.
        radius: of the square windows.

    Returns:
        The same shape.
    """
    chex.assert_rank([x, variance], [4, 1])
    x = jnp.asarray(x)
    mean = _box(x, radius)
    local = jnp.maximum(_box(x * x, radius) - mean * mean, 0.0)
    gain = local / (local + variance[:, None, None, None] + 1e-12)
    return _box(gain, radius) * x + _box((1.0 - gain) * mean, radius)


def _box(x: jax.Array, radius: int) -> jax.Array:
    """Mean over the square of side 2 radius + 1, edges replicated."""
    side = 2 * radius + 1
    padded = jnp.pad(x, ((0, 0), (radius, radius), (radius, radius), (0, 0)), mode="edge")
    result: jax.Array = nn.avg_pool(padded, (side, side), padding="VALID")
    return result
