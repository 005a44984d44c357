"""Compression ratios compared with the published ceilings for chest radiographs.

10:1 is of the consensus conference of the German Radiological Society (doi 10.1055/s-2008-1027847), 30:1 of the
guideline of the Canadian Association of Radiologists. Other kinds of images have other ceilings.
"""

from __future__ import annotations

RATIOS = {"german": 10, "canadian": 30}
"""The ceilings by the words for them in options."""

CEILINGS = {10: "German consensus", 30: "Canadian guideline"}
"""Published ceilings of the ratio for lossy chest radiographs, the lowest first."""


def ratio_text(ratio: float) -> str:
    """A compression ratio as it is printed, with three digits or so: "8.6:1", "236:1"."""
    return f"{ratio:.{0 if ratio >= 99.5 else 1}f}:1"


def ratio_label(*ratios: float) -> str:
    """One ratio or the span of several, and `against_ceilings`."""
    ends = dict.fromkeys(map(ratio_text, (min(ratios), max(ratios))))
    return f"{' to '.join(ends)}, {against_ceilings(*ratios)}"


def against_ceilings(*ratios: float) -> str:
    """Where ratios lie: "above 10:1 (German consensus), below 30:1 (Canadian guideline), the published ..."."""
    low, high = min(ratios), max(ratios)
    sides: dict[str, list[str]] = {}
    for ceiling, source in CEILINGS.items():
        side = "below" if high <= ceiling else "above" if low > ceiling else "in part above"
        sides.setdefault(side, []).append(f"{ceiling}:1 ({source})")
    places = [f"{side} {' and '.join(ceilings)}" for side, ceilings in sides.items()]
    return f"{', '.join(places)}, the published ceilings for lossy chest radiographs"
