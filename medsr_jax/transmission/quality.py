"""Which quality to code with: by the image's content, or by a budget of bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.transmission.codecs import Codec

if TYPE_CHECKING:
    from medsr_jax.transmission.packet import Packet

CANDIDATES = (50, 55, 60, 65, 70, 75)

DECIBELS_PER_BIT = 2.5
"""What one more bit per pixel of the small image must gain. Set so that the mean size over the validation images is
that of a fixed q of 60 (scripts/plot_quality_rule.py)."""

_BAND, _MARGIN, _BANDS = 16, 4, 8


def choose_quality(
    small: np.ndarray, frame: np.ndarray, *, scale: int, low: float, high: float, levels: int, codec: Codec
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

    Returns:
        One of `CANDIDATES`.
    """
    if high <= low:
        return CANDIDATES[0]
    lost = shrinking_error(small, frame, scale=scale, low=low, high=high, levels=levels)
    best, best_value = CANDIDATES[0], -np.inf
    for quality in CANDIDATES:
        stream = codec.encode(small, quality)
        coded = float(np.mean(np.square(codec.decode(stream).astype(np.float32) - small))) / levels**2
        value = -10 * np.log10(lost + coded + 1e-9) - DECIBELS_PER_BIT * 8 * len(stream) / small.size
        if value > best_value:
            best, best_value = quality, value
    return best


def shrinking_error(small: np.ndarray, frame: np.ndarray, *, scale: int, low: float, high: float, levels: int) -> float:
    """Mean squared error of the enlarged small image, as a fraction of the squared range of the codes.

    Large images are sampled in eight bands of rows.
    """
    from PIL import Image

    total, count = 0.0, 0
    rows, columns = small.shape
    starts = [0] if rows <= _BAND * _BANDS else [int(start) for start in np.linspace(0, rows - _BAND, _BANDS)]
    height = rows if len(starts) == 1 else _BAND
    for start in starts:
        first, last = max(0, start - _MARGIN), min(rows, start + height + _MARGIN)
        band = Image.fromarray(small[first:last].astype(np.float32))
        large = np.asarray(band.resize((columns * scale, (last - first) * scale), Image.Resampling.BICUBIC))
        truth = frame[start * scale : (start + height) * scale].astype(np.float32)
        truth = np.clip((truth - low) * (levels / (high - low)), 0, levels)
        inside = (start - first) * scale
        difference = large[inside : inside + truth.shape[0], : truth.shape[1]] - truth
        total += float(np.sum(np.square(difference), dtype=np.float64))
        count += difference.size
    return total / count / levels**2


def best_that_fits(make: Callable[[int], Packet], *, max_bytes: int, size: Callable[[Packet], int]) -> Packet:
    """The packet of the greatest quality whose size is at most `max_bytes`.

    Size grows with quality but for a byte here and there: a bisection finds the place, the three qualities above it are
    tried as well.

    Args:
        make: quality 1..100 -> packet.
        max_bytes: the budget for the whole file.
        size: packet -> bytes of its file.

    Raises:
        MedsrError: where nothing fits; it says how small the packet can be.
    """
    low, high, best, at = 1, 100, None, 0
    while low <= high:
        quality = (low + high) // 2
        packet = make(quality)
        if size(packet) <= max_bytes:
            best, at, low = packet, quality, quality + 1
        else:
            high = quality - 1
    for quality in range(at + 1, min(at + 4, 101)):
        packet = make(quality)
        if size(packet) <= max_bytes:
            best = packet
    if best is None:
        header = make(1).header
        smallest = min(size(make(quality)) for quality in (1, 2, 3))
        remedies = ["raise the budget"]
        remedies += ["raise the scale"] if header.scale < 8 else []
        remedies += ["choose the codec jpeg2000"] if header.codec == "jpeg" else []
        raise MedsrError(
            f"doesn't fit into {max_bytes} bytes: its smallest packet with scale {header.scale} and {header.codec} has "
            f"{smallest}; {' or '.join(remedies)}"
        )
    return best
