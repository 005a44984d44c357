"""The codec, scale and quality that serve best where a packet may have so many bytes and no more.

A smaller image leaves more bits to each of its pixels and loses what it is too coarse for. Which of the two wins
depends on the image, so the sender does what a receiver without a network would, and looks.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.transmission.codecs import CODECS
from medsr_jax.transmission.enlargement import enlargement_error
from medsr_jax.transmission.options import AUTO, SendingOptions, has_avif
from medsr_jax.transmission.packet import Packet

SCALES_TRIED = (8, 6, 4, 3, 2, 1)

AVIF_FROM = 1000
"""Bytes of a budget below which JPEG 2000 is better than AVIF, whose container alone takes about 280 of them. Of chest
radiographs (256x256 and 512x512) the two are even at about 1100 bytes, of CT slices at about 600. In thin packets AVIF
is better at any size: by 1 dB at 200 bytes."""

# Radiographs are best sent with a tenth of a bit for each small pixel, give or take a factor of four.
_MOST_BITS = 0.5
# Errors near the best scale differ little and not always in order: the search ends where one is this many times the
# least. And sizes rise with the setting but for a hundredth here and there, with AVIF.
_CLEARLY_WORSE, _NEARLY = 1.1, 1.02
# The setting that is tried first, about what the logarithm of the size rises by with each, and when to bisect.
_FIRST, _SLOPE, _GUESSES = 40, 0.03, 6

Maker = Callable[[int], Packet]


def codec_for(options: SendingOptions, *, dicom: bool, deep_frames: bool = False) -> str:
    """The name of the codec that an image is sent with.

    Args:
        options: codec and budget.
        dicom: the image is a DICOM object, which has no transfer syntax for AVIF.
        deep_frames: it has several frames of more than 8 bits: 8-bit codes of them have no class that allows their
            rescale.
    """
    if options.codec is not None and options.codec != AUTO:
        return options.codec
    if options.max_bytes is None:
        return "jpeg2000" if deep_frames else "jpeg"
    small = options.max_bytes < AVIF_FROM and not options.thin
    return "jpeg2000" if dicom or small or not has_avif() else "avif"


def best_scale(
    maker: Callable[[int], Maker], frames: np.ndarray, *, max_bytes: int, size: Callable[[Packet], int]
) -> Packet:
    """The packet that fits and whose small image, enlarged by bicubic interpolation, is nearest to the original.

    Each scale is tried with the highest setting that fits: finer ones until one doesn't fit or is clearly worse than
    the best, and coarser ones where none of them was better than the first.

    Args:
        maker: scale -> setting 1..100 of the codec -> packet.
        frames: (frames, rows, columns) of the original, stored values; the middle one stands for all.
        max_bytes, size: as of `best_that_fits`.

    Raises:
        MedsrError: where nothing fits.
    """
    found: list[tuple[float, Packet]] = []
    settings: list[int] = []
    refusals: list[MedsrError] = []

    def promising(scale: int) -> bool:
        """Tries a scale; whether the next one in the same direction may be better."""
        first = _FIRST
        if found:
            # At one setting the size rises with the pixels to the power of 0.6.
            first = settings[-1] - round(1.2 * math.log(found[-1][1].header.scale / scale) / _SLOPE)
        try:
            first = min(max(first, 1), 100)
            packet, setting = best_that_fits(maker(scale), max_bytes=max_bytes, size=size, first=first)
        except MedsrError as error:
            refusals.append(error)
            return False
        found.append((packet_error(packet, frames[len(frames) // 2]), packet))
        settings.append(setting)
        return found[-1][0] <= _CLEARLY_WORSE * min(error for error, _ in found)

    start = _start(8 * max_bytes / frames.size)
    for scale in SCALES_TRIED[start:]:
        if not promising(scale):
            break
    if not found or _best(found).header.scale == SCALES_TRIED[start]:
        for scale in reversed(SCALES_TRIED[:start]):
            if not promising(scale) and found:
                break
    if not found:
        raise refusals[-1]
    return _best(found)


def _best(found: list[tuple[float, Packet]]) -> Packet:
    return min(found, key=lambda pair: (pair[0], -pair[1].header.scale))[1]


def _start(bits: float) -> int:
    """The place in `SCALES_TRIED` to begin at, where each pixel of the original has so many bits."""
    return next((at for at, scale in enumerate(SCALES_TRIED) if bits * scale**2 <= _MOST_BITS), len(SCALES_TRIED) - 1)


def packet_error(packet: Packet, frame: np.ndarray) -> float:
    """The `enlargement_error` of a packet's middle image against that frame of the original."""
    stream = packet.streams[len(packet.streams) // 2]
    small = CODECS[packet.header.codec].decode(stream)
    return enlargement_error(small, frame, header=packet.header)


def best_that_fits(
    make: Maker, *, max_bytes: int, size: Callable[[Packet], int], first: int = _FIRST
) -> tuple[Packet, int]:
    """The packet of the highest setting whose size is at most `max_bytes`, and the setting.

    The logarithm of the size rises about in line with the setting: settings are tried where a line through the sizes
    nearest to the budget meets it, and after six of them by bisection.

    Args:
        make: setting 1..100 of the codec -> packet.
        max_bytes: the budget for the whole file.
        size: packet -> bytes of its file.
        first: the setting to try first.

    Raises:
        MedsrError: nothing fits; the error has the smallest possible size.
    """
    sizes: dict[int, int] = {}
    best: tuple[Packet, int] | None = None

    def fits(setting: int) -> bool:
        nonlocal best
        packet = make(setting)
        sizes[setting] = size(packet)
        if sizes[setting] > max_bytes:
            return False
        if best is None or setting > best[1]:
            best = packet, setting
        return True

    low, high, setting = 0, 101, first
    while high - low > 1:
        low, high = (setting, high) if fits(setting) else (low, setting)
        meets = _meeting(sizes, max_bytes) if len(sizes) < _GUESSES else (low + high) / 2
        setting = min(max(math.floor(meets), low + 1), high - 1)
    if high <= 100 and sizes[high] <= _NEARLY * max_bytes:
        for setting in range(high + 1, min(high + 3, 101)):
            if setting not in sizes:
                fits(setting)
    if best is None:
        packet = make(1)
        header, smallest = packet.header, min(sizes.values())
        part = "" if packet.dataset is None else f", {smallest - packet.carried_bytes} of them attributes and no pixels"
        remedies = ["raise the budget"]
        remedies += ["raise the scale"] if header.scale < SCALES_TRIED[0] else []
        remedies += ["choose the codec jpeg2000"] if header.codec != "jpeg2000" else []
        raise MedsrError(
            f"doesn't fit into {max_bytes} bytes: its smallest packet with scale {header.scale} and {header.codec} has "
            f"{smallest}{part}",
            remedy=" or ".join(remedies),
        )
    return best


def _meeting(sizes: dict[int, int], budget: int) -> float:
    """The setting at which the line through the two sizes nearest to the budget meets it."""
    distances = {setting: math.log(bytes_ / budget) for setting, bytes_ in sizes.items()}
    nearest, *others = sorted(distances, key=lambda setting: abs(distances[setting]))
    slope = _SLOPE
    if others:
        slope = max((distances[others[0]] - distances[nearest]) / (others[0] - nearest), _SLOPE / 4)
    return nearest - distances[nearest] / slope
