"""The codec, scale and quality that serve best where a packet may have so many bytes and no more.

A smaller image leaves more bits to each of its pixels and loses what it is too coarse for. Which of the two wins
depends on the image, so the sender does what a receiver without a network would, and looks.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.transmission.codecs import CODECS
from medsr_jax.transmission.enlargement import enlargement_error
from medsr_jax.transmission.expected_gain import expected_gain
from medsr_jax.transmission.options import AUTO, SendingOptions, has_avif
from medsr_jax.transmission.packet import Packet
from medsr_jax.transmission.vvc import has_vvc

SCALES_TRIED = (8, 6, 4, 3, 2, 1)

AVIF_FROM = 1000
"""Bytes of a budget below which JPEG 2000 is better than AVIF, whose container alone takes about 280 of them. Of chest
radiographs (256x256 and 512x512) the two are even at about 1100 bytes, of CT slices at about 600. In thin packets AVIF
is better at any size: by 1 dB at 200 bytes."""

# Radiographs are best sent with a tenth of a bit for each small pixel, give or take a factor of four. The search begins
# at the coarsest scale with fewer bits than these.
_MOST_BITS = {"avif": 0.15, "vvc": 0.12}
_MOST_BITS_OTHERS = 0.5
# VVC's large blocks do at full size what shrinking does: from so many bits on, scales above 1 gain 0.2 dB at most where
# they gain, and lose up to 2 dB (10 chest radiographs). Where images are large, time counts for more than that.
_FULL_SIZE_BITS_VVC, _FULL_SIZE_BITS_VVC_LARGE = 0.03, 0.015
# Errors near the best scale differ little and not always in order: the search ends where one is this many times the
# least. And sizes rise with the setting but for a hundredth here and there, with AVIF.
_CLEARLY_WORSE, _NEARLY, _NEARLY_USED = 1.1, 1.02, 0.9
# The setting that is tried first, about what the logarithm of the size rises by with each, and when to bisect.
_FIRST, _SLOPE, _GUESSES = 40, 0.03, 6
# Of a budget: what ends a search between whole settings, which has so many steps, fewer where images are large.
_ENOUGH, _STEPS, _STEPS_LARGE, _LARGE = 0.995, 4, 2, 1 << 21

Maker = Callable[[float], Packet]


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a packet's size may be.

    Attributes:
        most: bytes, for the packets that are compared and, without `least`, for the result.
        size: packet -> bytes that count.
        least: the result has at least so many bytes, and as few more as the codec allows; 0 for no such bound.
    """

    most: int
    size: Callable[[Packet], int]
    least: int = 0


@dataclasses.dataclass(frozen=True)
class Attempt:
    """One scale's search, so far that scales can be compared.

    Attributes:
        packet: that fits.
        setting: that was found.
        slope: about what the logarithm of the size rises by with each setting.
        finish: gives the packet that uses the budget up.
    """

    packet: Packet
    setting: int
    slope: float
    finish: Callable[[], Packet]


Attempts = Callable[[int, int | None], Attempt]
"""(scale, the setting to try first or None) -> attempt."""


def codec_for(
    options: SendingOptions,
    *,
    dicom: bool,
    deep_frames: bool = False,
    several: bool = False,
    max_bytes: int | None = None,
) -> str:
    """The name of the codec that an image is sent with.

    Args:
        options: codec and budget.
        max_bytes: the budget where it follows from a ratio.
        dicom: the image is a DICOM object, which has no transfer syntax for AVIF.
        deep_frames: it has several frames of more than 8 bits: 8-bit codes of them have no class that allows their
            rescale.
        several: it has several frames.
    """
    if options.codec is not None and options.codec != AUTO:
        return options.codec
    budget = options.max_bytes if max_bytes is None else max_bytes
    if budget is None:
        return "jpeg2000" if deep_frames else "jpeg"
    if options.thin and not several and has_vvc():
        return "vvc"
    small = budget < AVIF_FROM and not options.thin
    return "jpeg2000" if dicom or small or not has_avif() else "avif"


def best_scale(attempts: Attempts, frames: np.ndarray, *, budget: Budget, codec: str) -> Packet:
    """The packet that fits and whose small image, enlarged by bicubic interpolation, is nearest to the original.

    Scales are tried from the one that leaves each small pixel a usual number of bits: finer ones until one doesn't fit
    or is clearly worse than the best, and coarser ones where none of them was better than the first. The best alone is
    finished. What the receiver's network is expected to gain at each scale counts too (`expected_gain`).

    Args:
        attempts: of each scale.
        frames: (frames, rows, columns) of the original, stored values; the middle one stands for all.
        budget: that the packet must meet.
        codec: name of the codec.

    Raises:
        MedsrError: where nothing fits.
    """
    found: list[tuple[float, Attempt]] = []
    refusals: list[MedsrError] = []
    bits = 8 * budget.most / frames.size

    def promising(scale: int) -> bool:
        """Tries a scale; whether the next one in the same direction may be better."""
        first = None
        if found:
            last = found[-1][1]
            # At one setting the size rises with the pixels to the power of 0.6.
            first = last.setting - round(1.2 * math.log(last.packet.header.scale / scale) / last.slope)
        try:
            attempt = attempts(scale, first)
        except MedsrError as error:
            refusals.append(error)
            return False
        # Halving the bytes about doubles the error: what the last steps will gain is counted in.
        used = max(budget.size(attempt.packet) / budget.most, _NEARLY_USED)
        gain = 10 ** (-expected_gain(scale, codec, bits) / 10)
        found.append((packet_error(attempt.packet, frames[len(frames) // 2]) * used * gain, attempt))
        return found[-1][0] <= _CLEARLY_WORSE * min(error for error, _ in found)

    coarser = compares_scales(frames.size, budget, codec=codec)
    start = _start(bits, most=_MOST_BITS.get(codec, _MOST_BITS_OTHERS)) if coarser else len(SCALES_TRIED) - 1
    for scale in SCALES_TRIED[start:]:
        if not promising(scale):
            break
    if not found or (coarser and _best(found).packet.header.scale == SCALES_TRIED[start]):
        for scale in reversed(SCALES_TRIED[:start]):
            if not promising(scale) and found:
                break
    if not found:
        raise refusals[-1]
    return _best(found).finish()


def compares_scales(pixels: int, budget: Budget, *, codec: str) -> bool:
    """Whether a budget leaves it open if an image of so many pixels is best sent at full size."""
    least = _FULL_SIZE_BITS_VVC if pixels <= _LARGE else _FULL_SIZE_BITS_VVC_LARGE
    return codec != "vvc" or 8 * budget.most < least * pixels


def _best(found: list[tuple[float, Attempt]]) -> Attempt:
    return min(found, key=lambda pair: (pair[0], -pair[1].packet.header.scale))[1]


def _start(bits: float, *, most: float) -> int:
    """The place in `SCALES_TRIED` to begin at, where each pixel of the original has so many bits."""
    return next((at for at, scale in enumerate(SCALES_TRIED) if bits * scale**2 <= most), len(SCALES_TRIED) - 1)


def packet_error(packet: Packet, frame: np.ndarray) -> float:
    """The `enlargement_error` of a packet's middle image against that frame of the original."""
    stream = packet.streams[len(packet.streams) // 2]
    small = CODECS[packet.header.codec].decode(stream, packet.header.small_shape)
    return enlargement_error(small, frame, header=packet.header)


def best_that_fits(
    make: Maker, *, max_bytes: int, size: Callable[[Packet], int], first: int = _FIRST, monotone: bool = False
) -> tuple[Packet, int]:
    """The packet of the highest setting whose size is at most `max_bytes`, and the setting.

    The logarithm of the size rises about in line with the setting: settings are tried where a line through the sizes
    nearest to the budget meets it, and after six of them by bisection.

    Args:
        make: setting 1..100 of the codec -> packet.
        max_bytes: the budget for the whole file.
        size: packet -> bytes of its file.
        first: the setting to try first.
        monotone: sizes always rise with the setting.

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
    if not monotone and high <= 100 and sizes[high] <= _NEARLY * max_bytes:
        for setting in range(high + 1, min(high + 3, 101)):
            if setting not in sizes:
                fits(setting)
    if best is None:
        raise refusal(make(1), smallest=min(sizes.values()), max_bytes=max_bytes)
    return best


def refusal(packet: Packet, *, smallest: int, max_bytes: int) -> MedsrError:
    """The error where even the smallest packet, of so many bytes, is beyond the budget."""
    header, attributes = packet.header, smallest - packet.carried_bytes
    part = "" if packet.dataset is None or attributes <= 0 else f", {attributes} of them attributes and no pixels"
    remedies = ["raise the budget"]
    remedies += ["raise the scale"] if header.scale < SCALES_TRIED[0] else []
    remedies += ["choose the codec jpeg2000"] if header.codec != "jpeg2000" else []
    return MedsrError(
        f"doesn't fit into {max_bytes} bytes: its smallest packet with scale {header.scale} and {header.codec} has "
        f"{smallest}{part}",
        remedy=" or ".join(remedies),
    )


def attempt(make: Maker, *, budget: Budget, first: int | None, fractions: bool) -> Attempt:
    """The search of a codec whose speed can't be chosen.

    Args:
        make: setting 1..100 of the codec -> packet.
        budget: that the packet must meet.
        first: the setting to try first.
        fractions: settings need not be whole.

    Raises:
        MedsrError: nothing fits.
    """
    make = functools.cache(make)
    first = _FIRST if first is None else min(max(first, 1), 100)
    packet, setting = best_that_fits(make, max_bytes=budget.most, size=budget.size, first=first, monotone=fractions)
    return Attempt(packet, setting, _SLOPE, lambda: _finished(make, packet, setting, budget, fractions=fractions))


def _finished(make: Maker, packet: Packet, setting: int, budget: Budget, *, fractions: bool) -> Packet:
    """The packet that uses the budget best, between a setting that fits and the next one."""
    if setting == 100 or not (fractions or budget.least) or budget.size(packet) == budget.most:
        return packet
    low, high, below, above = float(setting), setting + 1.0, packet, make(setting + 1)
    while budget.least and budget.size(above) < budget.least and high < 100:
        high += 1
        above = make(high)
    rows, columns = packet.header.small_shape
    for _ in range((_STEPS if rows * columns <= _LARGE else _STEPS_LARGE) if fractions else 0):
        goal = above if budget.least else below
        if _ENOUGH <= budget.size(goal) / budget.most <= 1 / _ENOUGH or budget.size(above) <= budget.size(below):
            break
        place = math.log(budget.most / budget.size(below)) / math.log(budget.size(above) / budget.size(below))
        middle = low + (high - low) * min(max(place, 0.2), 0.8)
        between = make(middle)
        if budget.size(between) <= budget.most:
            low, below = middle, max(below, between, key=budget.size)
        else:
            high, above = middle, between
    return above if budget.least else below


def _meeting(sizes: dict[int, int], budget: int) -> float:
    """The setting at which the line through the two sizes nearest to the budget meets it."""
    distances = {setting: math.log(bytes_ / budget) for setting, bytes_ in sizes.items()}
    nearest, *others = sorted(distances, key=lambda setting: abs(distances[setting]))
    slope = _SLOPE
    if others:
        slope = max((distances[others[0]] - distances[nearest]) / (others[0] - nearest), _SLOPE / 4)
    return nearest - distances[nearest] / slope
