"""Which quality to code with, by the image's content."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from medsr_jax.transmission.codecs import Codec
from medsr_jax.transmission.fidelity import Fidelity
from medsr_jax.transmission.mapping import above

CANDIDATES = (50, 55, 60, 65, 70, 75)

DECIBELS_PER_BIT = 2.5
"""What one more bit per pixel of the small image must gain. Set so that the mean size over the validation images is
that of a fixed q of 60 (scripts/measure/quality_rule.py)."""

_BAND, _MARGIN, _BANDS = 16, 4, 8


def choose_quality(
    small: np.ndarray,
    frame: np.ndarray,
    *,
    scale: int,
    low: float,
    high: float,
    levels: int,
    codec: Codec,
    fidelity: Fidelity | None = None,
) -> int:
    """The candidate whose last bytes are still worth their price.

    The receiver's error is that of shrinking plus that of coding. The first, A, is measured once: the mean squared
    difference of the original and the small image enlarged by bicubic interpolation. The second, D(q), is measured
    for each candidate q by coding and decoding the small image. Enlarged, they add up (to 2 % on radiographs), so that

        PSNR(q) = -10 log10(A + D(q)) + constant,   chosen q = argmax of PSNR(q) - DECIBELS_PER_BIT * bits(q) per pixel.

    With one price for all images no byte could move from one image to another and raise the mean PSNR. An image whose
    detail was lost in shrinking gets a low q: A hides what coding does; a smooth image gets a high q: its bytes are
    cheap and its coding errors show.

    Args:
        small: (rows, columns) codes, uint8 or uint16.
        frame: the original, stored values.
        scale, low, high, levels: how `small` came from `frame`.
        codec: with which it travels.
        fidelity: of `small`, where it is there already.

    Returns:
        One of `CANDIDATES`.
    """
    if high <= low:
        return CANDIDATES[0]
    lost = shrinking_error(small, frame, scale=scale, low=low, high=high, levels=levels)
    fidelity = fidelity or Fidelity(small)
    best, best_value = CANDIDATES[0], -np.inf
    for quality in CANDIDATES:
        coded = fidelity.coded(codec, quality)
        error = lost + 10 ** (-coded.decibels / 10)
        value = -10 * np.log10(error + 1e-9) - DECIBELS_PER_BIT * 8 * len(coded.stream) / small.size
        if value > best_value:
            best, best_value = quality, value
    return best


def shrinking_error(small: np.ndarray, frame: np.ndarray, *, scale: int, low: float, high: float, levels: int) -> float:
    """Mean squared error of the enlarged small image, as a fraction of the squared range of the codes.

    Large images are sampled in eight bands of rows.
    """
    rows = len(small)
    starts = [0] if rows <= _BAND * _BANDS else [int(start) for start in np.linspace(0, rows - _BAND, _BANDS)]
    height = rows if len(starts) == 1 else _BAND
    bands = [slice(start * scale, (start + height) * scale) for start in starts]
    return bicubic_error(small, frame, bands=bands, scale=scale, low=low, high=high, levels=levels)


def bicubic_error(
    small: np.ndarray, frame: np.ndarray, *, bands: Sequence[slice], scale: int, low: float, high: float, levels: int
) -> float:
    """Mean squared error of a small image enlarged by bicubic interpolation, over bands of the original's rows.

    Returns:
        A fraction of the squared range of the codes.
    """
    total, count = 0.0, 0
    for band in bands:
        truth = scaled(frame[band], low=low, high=high, levels=levels)
        large = enlarged_rows(small, band.start, band.start + len(truth), scale=scale)[:, : truth.shape[1]]
        difference = np.clip(large, 0, levels) - truth
        total += float(np.sum(np.square(difference), dtype=np.float64))
        count += difference.size
    return total / count / levels**2


def enlarged_rows(small: np.ndarray, top: int, bottom: int, *, scale: int) -> np.ndarray:
    """Rows of a small image's bicubic enlargement, float32: those from `top` to before `bottom`, counted in it."""
    from PIL import Image

    first, last = max(0, top // scale - _MARGIN), min(len(small), math.ceil(bottom / scale) + _MARGIN)
    band = Image.fromarray(small[first:last].astype(np.float32))
    large = band.resize((small.shape[1] * scale, (last - first) * scale), Image.Resampling.BICUBIC)
    return np.asarray(large)[top - first * scale : bottom - first * scale]


def scaled(values: np.ndarray, *, low: float, high: float, levels: int) -> np.ndarray:
    """Stored values as float32 codes, clipped to the window and not rounded."""
    return np.clip(above(values, low) * np.float32(levels / (high - low)), 0, levels)
