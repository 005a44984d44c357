"""Rate control for VVC: a budget used to the last percent, found at the highest speed and finished at a low one.

The size at a low speed is that at the highest one but for a few hundredths. Between two quantisers, 12 % of the bytes
apart, the window of values is widened a little (`mapping.widened`): codes of a lower contrast take fewer bytes, as a
coarser quantiser would, and the receiver inverts the window anyhow. Both together are a quantiser that need not be
whole: a sixth of an octave of contrast is one QP.
"""

from __future__ import annotations

import math

from medsr_jax.transmission.av1_rate import Coding, Pace
from medsr_jax.transmission.budget import Attempt, Budget, refusal
from medsr_jax.transmission.packet import Packet
from medsr_jax.transmission.vvc import QUANTISERS, setting_of

_DRAFT, _COMPARED = 10, 6
# What the logarithm of the size falls by with each QP: at first, and in what bounds it is measured.
_SLOPE, _LEAST_SLOPE, _MOST_SLOPE = 0.12, 0.06, 0.6
_APART = 0.2  # QPs between which sizes differ by more than chance
# Data at a low speed against the highest one (4 radiographs).
_SLOW_TO_DRAFT = 0.98
# A radiograph of 512x512 has about so many bytes at a QP; larger ones more, by this power of their pixels.
_USUAL_QP, _USUAL_BYTES, _USUAL_PIXELS, _BY_PIXELS = 40.0, 2000.0, 1 << 18, 0.75
# Of a budget: what is aimed at, first and with sizes at the low speed; what is good enough to end with; what is
# so poor that more tries are made; and what suffices to compare scales by.
_FIRST_AIM, _AIM, _ENOUGH, _COMPARABLE = 0.982, 0.993, 0.985, 0.93
_POOR, _POOR_LARGE = 0.98, 0.95
_DRAFTS, _MORE = 5, 3
_PARAMETERS = 70  # bytes of the stream that don't depend on the picture
_QUICK, _LARGE = 6_000, 1 << 20


def pace_of(effort: str, *, pixels: int, max_bytes: int) -> Pace:
    """The pace for an effort of `SendingOptions`, an image of so many pixels and a budget."""
    if pixels > _LARGE:
        return Pace(speed=4 if effort == "thorough" else 6, tries=2 if effort == "thorough" else 1)
    if effort == "thorough":
        return Pace(speed=2, tries=4)
    if effort == "fast":
        return Pace(speed=6, tries=2)
    return Pace(speed=4, tries=3 if max_bytes <= _QUICK else 2)


class VvcRate:
    """The search for one small image.

    Args:
        code: makes packets; its settings are those of `vvc.encode_vvc_at`.
        budget: that they must meet.
        pace: of `finished`.
        pixels: of the small image.
        first: the fineness, 63 less the QP, that is tried first; None for a usual one.
        compared: the packet of `attempt` is to be compared with those of other scales, which the highest speed would
            mislead: it lacks what codes smooth areas well.
    """

    def __init__(
        self,
        code: Coding,
        *,
        budget: Budget,
        pace: Pace,
        pixels: int,
        first: int | None = None,
        compared: bool = False,
    ) -> None:
        self._code, self._budget, self._pace, self._is_compared = code, budget, pace, compared
        usual = _USUAL_BYTES * (pixels / _USUAL_PIXELS) ** _BY_PIXELS
        qp = _USUAL_QP - math.log(budget.most / usual) / _SLOPE if first is None else QUANTISERS - first
        self._poor = _POOR if pixels <= _LARGE else _POOR_LARGE
        self._first = _bounded(round(qp))
        self._overhead = 0
        self._drafts: dict[float, int] = {}
        self._fitting: Packet | None = None

    def attempt(self) -> Attempt:
        """The search so far that scales can be compared.

        Raises:
            MedsrError: nothing fits.
        """
        packet = self.compared()
        return Attempt(
            packet, QUANTISERS - round(self._nearest(self._drafts, self._budget.most)), _SLOPE, self.finished
        )

    def compared(self) -> Packet:
        """A packet at a high speed that fits.

        Raises:
            MedsrError: none fits.
        """
        most, qp = self._budget.most, float(self._first)
        fitting: dict[float, Packet] = {}
        for number in range(_DRAFTS):
            packet = self._coded(qp, _COMPARED if self._is_compared and number else _DRAFT, self._drafts)
            if self._budget.size(packet) <= most:
                fitting[qp] = packet
                is_comparable = number > 0 or not self._is_compared
                if is_comparable and self._budget.size(packet) >= _COMPARABLE * most:
                    break
            qp = _bounded(self._towards(self._drafts, _AIM * most))
            if qp in self._drafts and number:
                break
        if not fitting:
            packet = self._coded(QUANTISERS, self._pace.speed, {})
            smallest = self._budget.size(packet)
            if smallest > most:
                raise refusal(packet, smallest=smallest, max_bytes=most)
            fitting[QUANTISERS] = packet
        self._fitting = fitting[min(fitting)]
        return self._fitting

    def finished(self) -> Packet:
        """The packet at the low speed that uses the budget best; that of `compared` where none at that speed fits."""
        budget, fallback = self._budget, self._fitting or self.compared()
        goal, sizes = budget.least or budget.most, dict[float, int]()
        short = 1 - (_FIRST_AIM if self._drafts else _AIM)
        aim = goal * (1 + short if budget.least else 1 - short)
        qp = _bounded(self._towards(self._drafts, aim / _SLOW_TO_DRAFT))
        found: dict[float, Packet] = {}
        for number in range(self._pace.tries + _MORE):
            found[qp] = self._coded(qp, self._pace.speed, sizes)
            meets = [packet for packet in found.values() if self._meets(budget.size(packet))]
            used = budget.size(found[qp]) / goal
            if self._meets(budget.size(found[qp])) and _ENOUGH <= used <= 2 - _ENOUGH:
                break
            best = max(map(budget.size, meets), default=0) / goal
            if number + 1 >= self._pace.tries and (best >= self._poor or (budget.least and meets)):
                break
            qp = _bounded(self._towards(sizes, goal * (2 - _AIM if budget.least else _AIM)))
            if qp in found:
                break
        if budget.least:
            enough = [packet for packet in found.values() if self._meets(budget.size(packet))]
            return min(enough, key=budget.size) if enough else max(found.values(), key=budget.size)
        return max(meets or (fallback,), key=budget.size)

    def _meets(self, size: int) -> bool:
        return size >= self._budget.least if self._budget.least else size <= self._budget.most

    def _coded(self, qp: float, speed: int, sizes: dict[float, int]) -> Packet:
        """A packet of a QP that need not be whole; its data's bytes are noted."""
        whole = math.floor(qp)
        packet = self._code(round(setting_of(whole)), 2 ** ((whole - qp) / 6), speed)
        sizes[qp] = max(len(packet.streams[0]) - _PARAMETERS, 1)
        self._overhead = self._budget.size(packet) - sizes[qp]
        return packet

    def _nearest(self, sizes: dict[float, int], size: float) -> float:
        """The QP whose size is nearest to one."""
        data = max(size - self._overhead, 1.0)
        return min(sizes, key=lambda qp: abs(math.log(sizes[qp] / data)))

    def _towards(self, sizes: dict[float, int], size: float) -> float:
        """The QP at which a line through two sizes, over their logarithm, meets a size: those around it if any are."""
        data = max(size - self._overhead, 1.0)
        nearest = self._nearest(sizes, size)
        beyond = [qp for qp in sizes if (sizes[qp] > data) != (sizes[nearest] > data)]
        others = beyond or [qp for qp in sizes if abs(qp - nearest) > _APART]
        slope = _SLOPE
        if others:
            other = min(others, key=lambda qp: abs(qp - nearest))
            slope = math.log(sizes[other] / sizes[nearest]) / (nearest - other)
        slope = min(max(slope, _LEAST_SLOPE), _MOST_SLOPE)
        return nearest + math.log(sizes[nearest] / data) / slope


def _bounded(qp: float) -> float:
    """A QP that the encoder has, in hundredths."""
    return min(max(round(float(qp), 2), 0.0), float(QUANTISERS))
