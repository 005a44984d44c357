"""Sizes at and beyond the limits."""

from __future__ import annotations

import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.imaging.limits import check_size


@pytest.mark.parametrize(
    "sizes",
    [
        {"rows": 10, "columns": 100},
        {"rows": 10, "columns": 50, "width": 8},
        {"rows": 10, "columns": 100, "frames": 2},
        {"rows": 10, "columns": 50, "frames": 2, "width": 8},
    ],
)
def test_a_limit_is_of_pixels_of_four_bytes_a_frame_and_twice_that_in_all(sizes: dict[str, int]) -> None:
    check_size(**sizes, name="a", max_pixels=1000)
    for side in ("rows", "columns", *(["frames"] if "frames" in sizes else [])):
        with pytest.raises(MedsrError, match="a: has .* million that are read; split it"):
            check_size(**sizes | {side: sizes[side] + 1}, name="a", max_pixels=1000)


@pytest.mark.parametrize("empty", ["rows", "columns", "frames"])
def test_an_image_without_pixels_is_refused(empty: str) -> None:
    sizes = {"rows": 1, "columns": 1, "frames": 1}
    check_size(**sizes, name="a", max_pixels=1000)
    with pytest.raises(MedsrError, match="a: has no pixels"):
        check_size(**sizes | {empty: 0}, name="a", max_pixels=1000)
