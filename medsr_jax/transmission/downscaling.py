"""Downscaling by an integer factor, antialiased: the `down_s` of the paper's degradation model.

All kernels share one geometry: the small image has ``ceil(rows / scale)`` x ``ceil(columns / scale)`` pixels, and
small pixel (i, j) stands for the square of ``scale`` x ``scale`` pixels that begins at ``(i * scale, j * scale)``.
Where a side isn't a multiple of the scale, the last row or column is repeated to fill the last square.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from medsr_jax.transmission.options import KERNELS, SCALES


def small_shape(rows: int, columns: int, *, scale: int) -> tuple[int, int]:
    """Rows and columns of the small image."""
    return math.ceil(rows / scale), math.ceil(columns / scale)


def downscale(pixels: np.ndarray, *, scale: int, kernel: str = "area") -> np.ndarray:
    """Shrinks images by an integer factor.

    Args:
        pixels: (rows, columns) or (frames, rows, columns), any real dtype, at least one pixel.
        scale: 1..8; 1 returns the same values.
        kernel: "area" averages each square exactly (a box filter). "bicubic" (a = -0.5) and "lanczos" (3 lobes) are
            Pillow's, widened by the scale so that they antialias; they overshoot at edges.

    Returns:
        float32 of shape (..., ceil(rows / scale), ceil(columns / scale)), in the unit of ``pixels``.

    Raises:
        ValueError: for a scale, kernel or shape that isn't listed above.
    """
    if scale not in SCALES:
        raise ValueError(f"scale is an integer from 1 to 8, not {scale!r}")
    if kernel not in KERNELS:
        raise ValueError(f"kernel is one of {', '.join(KERNELS)}, not {kernel!r}")
    if pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise ValueError(f"pixels are (rows, columns) or (frames, rows, columns), not {pixels.shape}")
    if pixels.ndim == 3:
        return np.stack([downscale(frame, scale=scale, kernel=kernel) for frame in pixels])
    if scale == 1:
        return pixels.astype(np.float32)
    padded = _fill_last_squares(pixels, scale)
    if kernel == "area":
        return _area(padded, scale)
    return _resample(padded, scale, kernel)


def _fill_last_squares(pixels: np.ndarray, scale: int) -> np.ndarray:
    below, right = -pixels.shape[0] % scale, -pixels.shape[1] % scale
    if not (below or right):
        return pixels
    return np.pad(pixels, ((0, below), (0, right)), mode="edge")


def _area(pixels: np.ndarray, scale: int) -> np.ndarray:
    # Adding `scale` strided slices is several times faster than a mean over a reshaped array, and needs one array of
    # the width of the source. Sums of 64 values of 16 bits stay below 2**24, where float32 is exact.
    narrow = pixels.dtype.kind in "iub" and pixels.dtype.itemsize <= 2
    total: np.ndarray[Any, np.dtype[np.floating[Any]]]
    total = pixels[0::scale].astype(np.float32 if narrow else np.float64)
    for offset in range(1, scale):
        total += pixels[offset::scale]
    small = total[:, 0::scale].copy()
    for offset in range(1, scale):
        small += total[:, offset::scale]
    small /= scale * scale
    return small.astype(np.float32, copy=False)


def _resample(pixels: np.ndarray, scale: int, kernel: str) -> np.ndarray:
    from PIL import Image  # the default kernel does without

    rows, columns = pixels.shape
    method = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}[kernel]
    picture = Image.fromarray(np.ascontiguousarray(pixels, np.float32))
    return np.array(picture.resize((columns // scale, rows // scale), method), np.float32)
