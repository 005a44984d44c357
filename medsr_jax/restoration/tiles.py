"""Images of any size split into tiles of few shapes, and assembled without seams.

A tile is computed with a halo of the pixels around it, of which nothing is kept: what is kept has seen its true
neighbourhood, so tiles are joined edge to edge. Tiles begin on the codec's 8x8 grid. An image is padded to the same
side whether it is cut or not, and no window crosses that edge, so that the network meets it in the same place.
"""

from __future__ import annotations

import dataclasses
import math

from medsr_jax.restoration.options import GRID

# Sides that a padded small image may have; larger ones are padded to the grid, and are normally cut into tiles.
SIDES = (32, 64, 96, 128, 192, 256)


@dataclasses.dataclass(frozen=True)
class Span:
    """One tile along one axis, in small pixels: the window [start, start + size) of which [keep, stop) is kept."""

    start: int
    size: int
    keep: int
    stop: int


def padded_side(side: int) -> int:
    """The side, at least ``side``, that an image is padded to: one of few up to 256, to compile few programs."""
    for candidate in SIDES:
        if side <= candidate:
            return candidate
    return math.ceil(side / GRID) * GRID


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
    last = padded_side(side) - window
    result, keep = [], 0
    while keep < side:
        start = min(max(keep - halo, 0), last)
        end = side if start == last else min(start + window - halo, side)
        result.append(Span(start, window, keep, end))
        keep = end
    return result
