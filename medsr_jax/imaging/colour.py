"""Colour to grey, and images turned upright."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def luma(rgb: Array) -> Array:
    """BT.601 luma 0.299 R + 0.587 G + 0.114 B, rounded.

    Args:
      rgb: (..., 3), uint8 or uint16, or floating point (then not rounded).

    Returns:
      (...), of the same dtype. Equal channels come back unchanged.
    """
    if rgb.dtype.kind == "f":
        return (rgb @ np.array([0.299, 0.587, 0.114])).astype(rgb.dtype)
    # The weights in 1/65536, which sum to one: 16-bit values just fit into 32 bits.
    wide = rgb.astype(np.uint32 if rgb.dtype.itemsize <= 2 else np.uint64)
    grey = (19595 * wide[..., 0] + 38470 * wide[..., 1] + 7471 * wide[..., 2] + 32768) >> 16
    return grey.astype(rgb.dtype)


def to_grey(pixels: Array) -> tuple[Array, tuple[str, ...]]:
    """Grey of (rows, columns[, channels]) pixels with 1 (grey), 2 (and alpha), 3 (RGB) or 4 (and alpha) channels.

    Returns:
      (rows, columns) of the same dtype, and notes that say what was done.
    """
    if pixels.ndim == 2:
        return pixels, ()
    notes: tuple[str, ...] = ()
    channels = pixels.shape[-1]
    if channels in (2, 4):
        notes += ("alpha channel ignored",)
        pixels = pixels[..., :-1]
    if pixels.shape[-1] == 1:
        return np.ascontiguousarray(pixels[..., 0]), notes
    first = pixels[..., 0]
    if np.array_equal(first, pixels[..., 1]) and np.array_equal(first, pixels[..., 2]):
        return np.ascontiguousarray(first), (*notes, "stored as colour with equal channels, taken as grey")
    return luma(pixels), (*notes, "colour converted to grey by BT.601 luma")


def upright(pixels: Array, *, orientation: int) -> tuple[Array, tuple[str, ...]]:
    """Turns (rows, columns, ...) pixels as the EXIF or TIFF orientation 1..8 asks, with a note.

    Orientation names where row 0 and column 0 of the stored pixels are shown (TIFF 6.0, section 8; EXIF 2.3, 4.6.4).
    """
    if orientation not in range(2, 9):
        return pixels, ()
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels), (f"turned upright from EXIF orientation {orientation}",)


def upright_spacing(
    spacing: tuple[float, float] | None, *, orientation: int
) -> tuple[float, float] | None:
    """Spacing of the pixels that `upright` returns: rows and columns change places for orientations 5..8."""
    if spacing is None or orientation not in range(5, 9):
        return spacing
    return spacing[1], spacing[0]
