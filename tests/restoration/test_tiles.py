from __future__ import annotations

import pytest

from medsr_jax.restoration.options import GRID
from medsr_jax.restoration.tiles import Span, padded_side, spans


@pytest.mark.parametrize("side", [1, 3, 8, 63, 64, 65, 100, 127, 128, 129, 333, 1000])
@pytest.mark.parametrize("tile", [None, 16, 64])
def test_tiles_keep_every_pixel_once(side: int, tile: int | None) -> None:
    tiles = spans(side, tile=tile, halo=8)
    kept = [pixel for span in tiles for pixel in range(span.keep, span.stop)]
    assert kept == list(range(side))


@pytest.mark.parametrize("side", [100, 333, 1000])
def test_tiles_have_one_size_lie_on_the_grid_and_see_their_halo(side: int) -> None:
    tiles = spans(side, tile=32, halo=16)
    assert {span.size for span in tiles} == {64}
    for span in tiles:
        assert span.start % GRID == 0
        assert span.start == 0 or span.keep - span.start >= 16
        assert span.start + span.size >= side or span.start + span.size - span.stop >= 16
    assert all(span.start + span.size <= padded_side(side) for span in tiles)


def test_an_image_is_cut_only_where_it_is_larger_than_a_window() -> None:
    for side, padded in ((64, 64), (40, 64), (20, 32)):
        assert spans(side, tile=32, halo=16) == [Span(0, padded, 0, side)]
    assert len(spans(65, tile=32, halo=16)) > 1


def test_a_folder_of_odd_sizes_needs_few_shapes() -> None:
    assert len({padded_side(side) for side in range(1, 257)}) <= 6
    assert all(padded_side(side) >= side for side in range(1, 700))


def test_a_tile_off_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        spans(500, tile=100, halo=16)


@pytest.mark.parametrize("side", [32, 64, 96, 128, 192, 256])
def test_usual_sides_are_not_padded(side: int) -> None:
    assert padded_side(side) == side
    assert padded_side(side - 1) == side
