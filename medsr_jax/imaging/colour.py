"""Colour to grey, and images turned upright."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_BLOCK = 2**20


def luma(rgb: Array) -> Array:
    """BT.601 luma 0.299 R + 0.587 G + 0.114 B, rounded.

    Args:
        rgb: (..., 3), unsigned integers or floating point (then not rounded).

    Returns:
        (...), of the same dtype. Equal channels come back unchanged.
    """
    rows = rgb.reshape(-1, rgb.shape[-1])
    grey = np.empty(len(rows), rgb.dtype)
    # Block by block, since the wide numbers in between take several times the memory of the image.
    for at in range(0, len(rows), _BLOCK):
        grey[at : at + _BLOCK] = _luma(rows[at : at + _BLOCK])
    return grey.reshape(rgb.shape[:-1])


def _luma(rgb: Array) -> Array:
    if rgb.dtype.itemsize > 2 or rgb.dtype.kind == "f":
        # In double precision, which holds 32-bit integers; equal channels come back to the bit.
        weighted: Array = rgb.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
        if rgb.dtype.kind != "f":
            weighted = np.rint(weighted)
        equal = (rgb[..., 0] == rgb[..., 1]) & (rgb[..., 0] == rgb[..., 2])
        return np.where(equal, rgb[..., 0], weighted.astype(rgb.dtype))
    # The weights in 1/65536, which sum to one: 16-bit values just fit into 32 bits.
    wide: Array = rgb.astype(np.uint32)
    red, green, blue = wide[..., 0], wide[..., 1], wide[..., 2]
    grey: Array = np.right_shift(19595 * red + 38470 * green + 7471 * blue + 32768, 16)
    return grey.astype(rgb.dtype)


def full_range_luma(luma: Array, *, bits: int) -> Array:
    """Luma of 16..235, and as much of other bit depths, stretched to the whole range (PS3.3 C.7.6.3.1.2, YBR_PARTIAL).

    Args:
        luma: unsigned integers of any shape.
        bits: bits of a sample, 8 or more.

    Returns:
        The same shape and dtype; what lies outside the range is clipped.
    """
    unit = 2 ** (bits - 8)
    table = (np.arange(2**bits) - 16 * unit) * ((2**bits - 1) / (219 * unit))
    result: Array = np.rint(table.clip(0, 2**bits - 1)).astype(luma.dtype)[luma]
    return result


def through_palette(indices: Array, palette: Array) -> Array:
    """Colours of palette indices, in 8 bits where the palette's 16 bits hold no more.

    Args:
        indices: integers of any shape.
        palette: (entries, 3), uint8 or uint16; TIFF and DICOM write 8-bit values as v * 256 or as v * 257.

    Returns:
        (*indices.shape, 3), uint8 or uint16.
    """
    if palette.dtype == np.uint16 and not (np.any(palette % 256) and np.any(palette % 257)):
        palette = (palette >> 8).astype(np.uint8)
    return palette[indices]


def to_grey(pixels: Array) -> tuple[Array, tuple[str, ...]]:
    """Grey of pixels whose last axis holds 1 (grey), 2 (and alpha), 3 (RGB) or 4 (and alpha) channels.

    Args:
        pixels: (..., channels).

    Returns:
        (...) of the same dtype, and notes that say what was done.
    """
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

    Orientation names where row 0 and column 0 of the stored pixels are shown (TIFF 6.0, section 8).
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


def upright_spacing(spacing: tuple[float, float] | None, *, orientation: int) -> tuple[float, float] | None:
    """Spacing of the pixels that `upright` returns: rows and columns change places for orientations 5..8."""
    if spacing is None or orientation not in range(5, 9):
        return spacing
    return spacing[1], spacing[0]
