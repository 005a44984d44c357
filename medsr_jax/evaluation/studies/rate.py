"""Fidelity against bytes: what a method gives at a budget, and how many bytes it saves at equal fidelity."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator

Point = tuple[float, float]
"""(bytes, fidelity) of one setting on one image."""


def front(points: Sequence[Point]) -> list[Point]:
    """The settings that no smaller or equal file betters, by rising bytes: what a sender would choose from."""
    best = -math.inf
    kept: list[Point] = []
    for size, fidelity in sorted(points, key=lambda point: (point[0], -point[1])):
        if fidelity > best:
            kept.append((size, fidelity))
            best = fidelity
    return kept


def at_bytes(points: Sequence[Point], budget: float) -> float:
    """Fidelity at a number of bytes, between settings by a line over the logarithm of bytes.

    Returns:
        NaN where no setting is that small; beyond the largest the largest's, since a sender may always send less.
    """
    kept = front(points)
    if not kept or budget < kept[0][0]:
        return math.nan
    sizes, fidelities = zip(*kept, strict=True)
    return float(np.interp(math.log(budget), np.log(sizes), fidelities))


def bytes_at(points: Sequence[Point], fidelity: float) -> float:
    """Bytes at which a fidelity is reached, the inverse of `at_bytes`.

    Returns:
        NaN where all settings are below it or all above.
    """
    kept = front(points)
    if len(kept) < 2 or not kept[0][1] <= fidelity <= kept[-1][1]:
        return math.nan
    sizes, fidelities = zip(*kept, strict=True)
    return float(np.exp(np.interp(fidelity, fidelities, np.log(sizes))))


def bd_rate(points: Sequence[Point], anchor: Sequence[Point]) -> float:
    """Bytes at equal fidelity against an anchor's, in percent: negative is fewer.

    Bjontegaard (ITU-T VCEG-M33, 2001): the mean difference of the logarithms of bytes over the fidelities that both
    reach; by piecewise cubics (PCHIP), as is usual since, in place of one cubic, which overshoots.

    Returns:
        NaN where the two share no span of fidelity, or one has fewer than two settings.
    """
    curves = [front(points), front(anchor)]
    if min(len(curve) for curve in curves) < 2:
        return math.nan
    low = max(curve[0][1] for curve in curves)
    high = min(curve[-1][1] for curve in curves)
    if high <= low:
        return math.nan
    areas = []
    for curve in curves:
        sizes, fidelities = zip(*curve, strict=True)
        areas.append(float(PchipInterpolator(fidelities, np.log(sizes)).integrate(low, high)))
    return 100.0 * math.expm1((areas[0] - areas[1]) / (high - low))
