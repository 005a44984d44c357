"""Fidelity of structure: over several scales, and of edges.

PSNR weighs a shift of grey as much as a lost edge. These don't: MS-SSIM follows contrast and structure from fine to
coarse, and the similarity of gradient magnitudes looks at edges alone, where a radiograph's contours, fissures and
fracture lines are.
"""

from __future__ import annotations

import math

import dm_pix
import jax
import jax.numpy as jnp
import numpy as np

# Of the five scales (Wang et al. 2003, section 3.2).
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
MS_SSIM_SMALLEST_SIDE = 11 * 2 ** (len(MS_SSIM_WEIGHTS) - 1)

# Of squared gradients on 0..255 (Xue et al. 2014, section II).
_GRADIENT_CONSTANT = 170.0
# With a k1 this large the luminance term of SSIM is 1, and what is left is contrast and structure.
_NO_LUMINANCE = 1e6


def ms_ssim(image: np.ndarray, truth: np.ndarray, *, value_range: tuple[float, float]) -> float:
    """Multi-scale structural similarity (Wang, Simoncelli, Bovik 2003, equation 7).

    Args:
        image, truth: (rows, columns) or (frames, rows, columns) stored values; the mean over frames is returned.
        value_range: least and greatest value.

    Returns:
        At most 1; NaN where a side has less than 176 pixels, for which the fifth scale is not defined.
    """
    if min(image.shape[-2:]) < MS_SSIM_SMALLEST_SIDE:
        return math.nan
    return float(_ms_ssim(*_scaled(image, truth, value_range)).mean())


def gradient_similarity(image: np.ndarray, truth: np.ndarray, *, value_range: tuple[float, float]) -> float:
    """Deviation of the similarity of gradient magnitudes, GMSD (Xue, Zhang, Mou, Bovik 2014, section II).

    The similarity of a pixel is ``(2 g h + T) / (g^2 + h^2 + T)`` for the gradient magnitudes g and h of the two
    images by Prewitt's filters at half size; what counts is how unevenly it is lost, its standard deviation. Gradients
    are taken where the filters lie wholly inside.

    Args:
        image, truth: (rows, columns) or (frames, rows, columns) stored values; the mean over frames is returned.
        value_range: least and greatest value, of which T is the paper's for 0..255.

    Returns:
        0 for equal images, about 0.2 for badly distorted ones; NaN where a side has less than 8 pixels.
    """
    if min(image.shape[-2:]) < 8:
        return math.nan
    return float(_gmsd(*_scaled(image, truth, value_range)).mean())


def _scaled(image: np.ndarray, truth: np.ndarray, value_range: tuple[float, float]) -> tuple[jax.Array, jax.Array]:
    """(frames, rows, columns, 1) float32, the range as [0, 1]."""
    low, high = (float(value) for value in value_range)
    a, b = (
        jnp.asarray((array.reshape(-1, *array.shape[-2:], 1).astype(np.float64) - low) / (high - low), jnp.float32)
        for array in (image, truth)
    )
    return a, b


@jax.jit
def _ms_ssim(a: jax.Array, b: jax.Array) -> jax.Array:
    product = jnp.ones(a.shape[:1])
    for weight in MS_SSIM_WEIGHTS[:-1]:
        # Negative where structures are opposed, which a power with a fraction has no place for.
        product *= jnp.maximum(dm_pix.ssim(a, b, k1=_NO_LUMINANCE), 0.0) ** weight
        a, b = _halved(a), _halved(b)
    return product * jnp.maximum(dm_pix.ssim(a, b), 0.0) ** MS_SSIM_WEIGHTS[-1]


@jax.jit
def _gmsd(a: jax.Array, b: jax.Array) -> jax.Array:
    g, h = (_gradient(_halved(x)) for x in (a, b))
    constant = _GRADIENT_CONSTANT / 255.0**2
    return ((2 * g * h + constant) / (g**2 + h**2 + constant)).std((1, 2, 3))


def _halved(x: jax.Array) -> jax.Array:
    """Means of 2x2 pixels; an odd row or column at the end is left out."""
    n, rows, columns, c = x.shape
    x = x[:, : rows // 2 * 2, : columns // 2 * 2]
    return x.reshape(n, rows // 2, 2, columns // 2, 2, c).mean((2, 4))


def _gradient(x: jax.Array) -> jax.Array:
    """Magnitude by Prewitt's filters (thirds), inside the outermost ring."""
    across, down = x[:, :, 2:] - x[:, :, :-2], x[:, 2:] - x[:, :-2]
    across = (across[:, :-2] + across[:, 1:-1] + across[:, 2:]) / 3
    down = (down[:, :, :-2] + down[:, :, 1:-1] + down[:, :, 2:]) / 3
    return jnp.sqrt(across**2 + down**2)
