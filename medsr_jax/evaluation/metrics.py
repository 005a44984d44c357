"""Fidelity of an image to its original, on the original's own range of values."""

from __future__ import annotations

import math
from typing import Any

import dm_pix
import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax.errors import MedsrError

SMALLEST_SIDE = 11


def psnr(
    image: np.ndarray, truth: np.ndarray, *, value_range: tuple[float, float], valid: np.ndarray | None = None
) -> float:
    """Peak signal-to-noise ratio in dB; infinite for equal images.

    Args:
        image, truth: (rows, columns), (frames, rows, columns) or (frames, rows, columns, 1) stored values.
        value_range: least and greatest value; their difference is the peak.
        valid: bool of the same shape, the pixels that count; None for all. Padding is restored exactly and would
            flatter every method.

    Raises:
        MedsrError: the arrays differ in shape, or are no grey images.
    """
    image, truth = _alike(image, truth)
    if valid is not None and valid.any():
        image, truth = image[valid], truth[valid]
    error = np.square(image.astype(np.float64) - truth.astype(np.float64)).mean()
    peak = float(value_range[1]) - float(value_range[0])
    return math.inf if error == 0 else float(10.0 * np.log10(peak**2 / error))


def ssim(image: np.ndarray, truth: np.ndarray, *, value_range: tuple[float, float]) -> float:
    """Structural similarity (Wang et al. 2004): Gaussian window of 11x11, sigma 1.5, where it lies wholly inside.

    Args:
        image, truth: as of `psnr`; the mean over frames is returned.
        value_range: least and greatest value. The luminance term counts from the least.

    Returns:
        At most 1; NaN where a side has less than 11 pixels, for which it is not defined.

    Raises:
        MedsrError: the arrays differ in shape, or are no grey images.
    """
    image, truth = _alike(image, truth)
    if min(image.shape[-2:]) < SMALLEST_SIDE:
        return math.nan
    low, high = (float(value) for value in value_range)
    frames = [
        jnp.asarray((a.reshape(-1, *a.shape[-2:])[..., None].astype(np.float64) - low) / (high - low), jnp.float32)
        for a in (image, truth)
    ]
    return float(np.mean([_ssim(a, b) for a, b in zip(*frames, strict=True)]))


def _alike(image: Any, truth: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both as (rows, columns) or (frames, rows, columns)."""
    first, second = np.asarray(image), np.asarray(truth)
    if first.shape != second.shape:
        raise MedsrError(f"images of shapes {first.shape} and {second.shape} can't be compared")
    if first.ndim == 4 and first.shape[-1] == 1:
        return first[..., 0], second[..., 0]
    if first.ndim not in (2, 3) or first.shape[-1] == 1:
        raise MedsrError(
            f"arrays of shape {first.shape} are no grey images",
            remedy="give (rows, columns), (frames, rows, columns) or (frames, rows, columns, 1)",
        )
    return first, second


@jax.jit
def _ssim(a: jax.Array, b: jax.Array) -> jax.Array:
    result: jax.Array = dm_pix.ssim(a, b)
    return result
