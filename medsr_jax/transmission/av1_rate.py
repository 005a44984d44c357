"""Rate control for AV1: a budget used to the last percent, found at a high speed and finished at a low one.

The encoder's size at a low speed is about that at a high one times a ratio, which differs by image and is measured for
each. So quantisers are tried at a speed that takes a fiftieth of the time, scales are compared at a middle one, and one
or two encodings at the low speed follow.

The encoder has 64 quantisers, 6 % of the bytes apart. In between, the window of values is widened a little: codes of a
lower contrast take fewer bytes, as a coarser quantiser would, and the receiver inverts the window anyhow. Such codes
are dithered (`mapping.to_codes`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

from medsr_jax.transmission.budget import Attempt, Budget, refusal
from medsr_jax.transmission.packet import Packet

Coding = Callable[[int, float, int], Packet]
"""(setting 1..100, contrast up to 1, speed 0..10) -> packet."""

SETTINGS = tuple({(6350 - 63 * setting) // 100: setting for setting in range(100, 0, -1)}.values())[::-1]
"""One of Pillow's qualities for each quantiser of the encoder, coarse to fine."""

_DRAFT, _COMPARED = 9, 6
# Of the AV1 data: at the middle speed against the highest, and at lower ones against the middle one (12 radiographs).
_COMPARED_TO_DRAFT, _SLOW_TO_COMPARED = 0.95, 0.975
# The data at one quantiser against that at the next coarser one, and the first quantiser that is tried.
_STEP, _FIRST = 0.065, 20
# Of a budget: what is aimed at, first and with the measured ratio; what is good enough to end with; and what is so poor
# that one more try is made.
_FIRST_AIM, _AIM, _ENOUGH, _POOR = 0.991, 0.993, 0.986, 0.984
# What suffices to compare scales by.
_COMPARABLE = 0.93
_LEAST_CONTRAST = 0.7
# Bytes of an AVIF that don't depend on the image, and of a window in the header's text.
_BOXES, _WINDOW = 269, 8
_QUICKEST, _QUICK, _SMALL, _LARGE = 300_000, 600_000, 1 << 20, 1 << 21


@dataclasses.dataclass(frozen=True)
class Pace:
    """How much time is spent.

    Attributes:
        speed: of the last encodings.
        tries: how many of them; one more where none of them uses the budget well.
    """

    speed: int
    tries: int


def pace_of(effort: str, *, pixels: int, max_bytes: int) -> Pace:
    """The pace for an effort of `SendingOptions`, an image of so many pixels and a budget."""
    if effort == "fast":
        return Pace(speed=6, tries=2)
    if effort == "thorough":
        return Pace(speed=2 if pixels <= _LARGE else 4, tries=3)
    if pixels <= _SMALL:
        # The time of an encoding rises with the pixels and, as 120 of them, with each byte.
        cost = pixels + 120 * max_bytes
        return Pace(speed=4, tries=5 if cost <= _QUICKEST else 3 if cost <= _QUICK else 2)
    return Pace(speed=5, tries=2 if pixels <= _LARGE else 1)


class Av1Rate:
    """The search for one small image.

    Args:
        code: makes packets.
        budget: that they must meet.
        pace: of `finished`.
        first: the index in `SETTINGS` that is tried first; None for the usual one.
    """

    def __init__(self, code: Coding, *, budget: Budget, pace: Pace, first: int | None = None) -> None:
        self._code, self._budget, self._pace = code, budget, pace
        self._at = min(max(_FIRST if first is None else first, 0), len(SETTINGS) - 1)
        self._drafts: dict[int, int] = {}
        self._ratio, self._ratios = _COMPARED_TO_DRAFT, list[float]()
        self._overhead = {False: 0, True: 0}
        self._fitting: Packet | None = None

    def attempt(self) -> Attempt:
        """The search so far that scales can be compared.

        Raises:
            MedsrError: nothing fits.
        """
        return Attempt(self.compared(), self._at, _STEP, self.finished)

    def compared(self) -> Packet:
        """A packet at the middle speed that fits, to compare scales by.

        Raises:
            MedsrError: none fits.
        """
        tried: set[int] = set()
        found: dict[int, Packet] = {}
        while len(tried) < 4 and not any(map(self._is_comparable, found.values())):
            index = max(self._highest(self._budget.most), 0)
            if index in tried:
                break
            tried.add(index)
            packet = self._coded(index, 1.0, _COMPARED)
            if self._budget.size(packet) <= self._budget.most:
                found[index] = packet
        if not found:
            packet = self._coded(0, 1.0, self._pace.speed)
            smallest = self._budget.size(packet)
            if smallest > self._budget.most:
                raise refusal(packet, smallest=smallest, max_bytes=self._budget.most)
            found[0] = packet
        self._fitting = found[max(found)]
        return self._fitting

    def _is_comparable(self, packet: Packet) -> bool:
        return self._budget.size(packet) >= _COMPARABLE * self._budget.most

    def finished(self) -> Packet:
        """The packet at the low speed that uses the budget best; that of `compared` where none at that speed fits."""
        budget, pace = self._budget, self._pace
        fitting = self._fitting or self.compared()
        goal = budget.least or budget.most
        if pace.speed < _COMPARED:
            self._ratio *= _SLOW_TO_COMPARED
        self._ratios.clear()
        coded: dict[tuple[int, float], Packet] = {}
        while True:
            plan = self._plan(budget.least, goal, first=not coded and pace.speed < _COMPARED)
            if plan in coded:
                break
            coded[plan] = self._coded(*plan, pace.speed)
            sizes = [budget.size(packet) for packet in coded.values()]
            if _is_enough(sizes[-1], budget, goal):
                return coded[plan]
            used = [size / goal for size in sizes if (size >= budget.least if budget.least else size <= budget.most)]
            is_poor = not any(_POOR <= share <= 2 - _POOR for share in used)
            if len(coded) > pace.tries or (len(coded) == pace.tries and not is_poor):
                break
        packets = sorted(coded.values(), key=budget.size)
        if not budget.least:
            return next((packet for packet in reversed(packets) if budget.size(packet) <= budget.most), fitting)
        index = max(index for index, _ in coded)
        while budget.size(packets[-1]) < budget.least and index + 1 < len(SETTINGS):
            index += 1
            packets.append(self._coded(index, 1.0, pace.speed))
        return next((packet for packet in packets if budget.size(packet) >= budget.least), packets[-1])

    def _plan(self, least: int, goal: int, *, first: bool) -> tuple[int, float]:
        """The quantiser and contrast that are expected to use the budget."""
        short = 1 - (_FIRST_AIM if first else _AIM)
        aim = goal * (1 + short if least else 1 - short)
        index = self._highest(aim)
        data = aim - self._overhead[False]
        enough = index >= 0 and self._drafts[index] * self._ratio >= _ENOUGH * data
        if index == len(SETTINGS) - 1 or (enough and not least):
            return index, 1.0
        finer = index + 1
        data = aim - (self._overhead[True] or self._overhead[False] + _WINDOW)
        contrast = data / (self._draft(finer) * self._ratio)
        return finer, round(min(max(contrast, _LEAST_CONTRAST), 1.0), 4)

    def _highest(self, most: float) -> int:
        """The index of the finest quantiser that is expected to give at most so many bytes; -1 where none does."""
        low, high, at = -1, len(SETTINGS), self._at
        while high - low > 1:
            data = max(most - self._overhead[False], 1.0) if self._drafts else most
            distance = math.log(data / (self._draft(at) * self._ratio)) / _STEP
            low, high = (at, high) if distance >= 0 else (low, at)
            at = min(max(at + math.floor(distance), low + 1), high - 1)
        self._at = max(low, 0)
        return low

    def _draft(self, index: int) -> int:
        """Bytes of the AV1 data at the highest speed."""
        if index not in self._drafts:
            packet = self._code(SETTINGS[index], 1.0, _DRAFT)
            self._drafts[index] = _data(packet)
            self._overhead[False] = self._budget.size(packet) - _data(packet)
        return self._drafts[index]

    def _coded(self, index: int, contrast: float, speed: int) -> Packet:
        """A packet, from which the ratio is measured anew."""
        packet = self._code(SETTINGS[index], contrast, speed)
        self._ratios.append(_data(packet) / (self._draft(index) * contrast))
        # Sizes differ by a hundredth for no reason that could be foreseen: all that were measured count.
        self._ratio = sum(self._ratios) / len(self._ratios)
        self._overhead[contrast < 1] = self._budget.size(packet) - _data(packet)
        return packet


def _data(packet: Packet) -> int:
    """Bytes of the AV1 data, without the boxes of the AVIF; whatever the packet's own sizes count."""
    return max(len(packet.streams[0]) - _BOXES, 1)


def _is_enough(size: int, budget: Budget, goal: int) -> bool:
    if budget.least:
        return budget.least <= size <= goal * (2 - _ENOUGH)
    return _ENOUGH * goal <= size <= goal
