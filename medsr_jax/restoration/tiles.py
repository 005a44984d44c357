"""How an image of any size becomes tiles of few shapes, and an image again without a seam.

A tile is computed with a halo of the pixels around it, of which nothing is kept: what is kept has seen its true
neighbourhood, so tiles are joined edge to edge. Tiles begin on the codec's 8x8 grid. A window never crosses the
image's edge where it can help it: it is pushed inside, so that the network meets the same edge as in the whole image.
"""

from __future__ import annotations

import dataclasses
import math

GRID = 8
# Sides that a padded small image may have; larger ones are cut into tiles of a single shape.
SIDES = (32, 64, 96, 128, 192, 256)


@dataclasses.dataclass(frozen=True)
class Span:
    """One tile along one axis, in small pixels: the window [start, start + size) of which [keep, stop) is kept."""

    start: int
    size: int
    keep: int
    stop: int


def padded_side(side: int) -> int:
    """The side, at least ``side``, that an untiled image is padded to: one of few, so that few programs are compiled."""
    for candidate in SIDES:
        if side <= candidate:
            return candidate
    return math.ceil(side / 64) * 64


def spans(side: int, *, tile: int | None, halo: int) -> list[Span]:
    """The tiles along one axis.

    Args:
        side: of the small image.
        tile: pixels that a tile keeps at most, a multiple of 8; None for the whole image as one tile.
        halo: pixels computed around a tile, a multiple of 8.
    """
    if tile is None or side <= tile + 2 * halo:
        return [Span(0, padded_side(side), 0, side)]
    if tile % GRID or halo % GRID:
        raise ValueError(f"tile {tile} and halo {halo} are multiples of {GRID}")
    window = tile + 2 * halo
    last = math.ceil((side - window) / GRID) * GRID  # the first grid line from which a window covers the end
    result, keep = [], 0
    while keep < side:
        start = min(max(keep - halo, 0), last)
        end = side if start == last else start + window - halo
        result.append(Span(start, window, keep, end))
        keep = end
    return result
