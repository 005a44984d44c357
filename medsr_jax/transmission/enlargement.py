"""What a receiver without a network would lose: the error of a small image that bicubic interpolation enlarges."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from medsr_jax.transmission.mapping import above

if TYPE_CHECKING:
    from medsr_jax.transmission.packet import PacketHeader

_BANDS, _BAND, _MARGIN = 8, 64, 4


def enlargement_error(small: np.ndarray, frame: np.ndarray, *, header: PacketHeader) -> float:
    """Mean squared error of the small image as bicubic interpolation enlarges it.

    Args:
        small: (rows, columns) codes, as they were before coding or after.
        frame: (rows, columns) of the original, stored values. Of more than 1024 rows eight bands of 64 are compared,
            the same ones for all small images.
        header: scale and mapping.

    Returns:
        A fraction of the squared range of the codes; 0 where that has no extent.
    """
    low, high, levels, scale = header.low, header.high, header.levels, header.scale
    if high <= low:
        return 0.0
    rows = len(frame)
    tops, height = [0], rows
    if rows > 2 * _BANDS * _BAND:
        tops, height = [int(top) for top in np.linspace(0, rows - _BAND, _BANDS)], _BAND
    total = 0.0
    for top in tops:
        values = frame[top : top + height]
        truth = np.clip(above(values, low) * np.float32(levels / (high - low)), 0, levels)
        large = _enlarged_rows(small, top, top + height, scale=scale)[:, : truth.shape[1]]
        total += float(np.mean(np.square(np.clip(large, 0, levels) - truth), dtype=np.float64))
    return total / len(tops) / levels**2


def _enlarged_rows(small: np.ndarray, top: int, bottom: int, *, scale: int) -> np.ndarray:
    """Rows `top` to before `bottom` of a small image's bicubic enlargement, float32."""
    from PIL import Image

    first, last = max(0, top // scale - _MARGIN), min(len(small), math.ceil(bottom / scale) + _MARGIN)
    band = Image.fromarray(small[first:last].astype(np.float32))
    large = band.resize((small.shape[1] * scale, (last - first) * scale), Image.Resampling.BICUBIC)
    return np.asarray(large)[top - first * scale : bottom - first * scale]
