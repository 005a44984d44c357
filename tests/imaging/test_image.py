"""Arrays that are images and arrays that are none."""

from __future__ import annotations

import numpy as np
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import Image


@pytest.mark.parametrize(
    ("given", "held"),
    [
        ((20, 30), (1, 20, 30)),
        ((5, 20, 30), (5, 20, 30)),
        ((5, 20, 30, 1), (5, 20, 30)),
        ((1, 1), (1, 1, 1)),
        ((2, 20, 3), (2, 20, 3)),
    ],
)
def test_grey_arrays_are_frames_of_rows_and_columns(given: tuple[int, ...], held: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(0, 256, given, np.uint8)
    image = Image.from_array(array)
    assert image.pixels.shape == held
    np.testing.assert_array_equal(image.pixels.ravel(), array.ravel())


@pytest.mark.parametrize(
    "shape", [(), (9,), (0, 9), (20, 30, 1), (20, 30, 3), (20, 30, 4), (2, 20, 30, 3), (1, 2, 3, 4, 5)]
)
def test_other_arrays_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(MedsrError, match="is no grey image"):
        Image.from_array(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(9, 9), (1, 9, 9, 1)])
def test_an_image_has_three_axes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"not \(frames, rows, columns\)"):
        Image(pixels=np.zeros(shape, np.uint8), value_range=(0, 255), kind="png")


def test_an_image_is_of_a_known_kind() -> None:
    with pytest.raises(ValueError, match="kind is 'gif'"):
        Image(pixels=np.zeros((1, 2, 2), np.uint8), value_range=(0, 255), kind="gif")
