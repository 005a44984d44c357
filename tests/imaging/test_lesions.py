from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from medsr_jax.imaging.lesions import BALL, MASS, Lesion, insert, patches, places


@pytest.mark.parametrize("exponent", [MASS, BALL])
def test_a_profile_holds_the_integral_of_its_formula(exponent: Any) -> None:
    lesion = Lesion(diameter=9, contrast=-20, exponent=exponent)
    volume = np.pi * 4.5**2 / (exponent + 1)  # of (1 - r^2 / R^2)^v over the disc
    assert lesion.profile().sum() == pytest.approx(-20 * volume, rel=0.01)
    assert lesion.profile().min() == pytest.approx(-20, rel=0.05)


def test_a_lesion_smaller_than_a_pixel_keeps_its_volume() -> None:
    lesion = Lesion(diameter=0.8, contrast=100, exponent=BALL)
    assert lesion.profile().sum() == pytest.approx(100 * np.pi * 0.16 / 1.5, rel=0.05)


def test_it_is_added_where_it_is_to_be_and_nowhere_else(radiograph: np.ndarray) -> None:
    lesion = Lesion(diameter=8, contrast=10, exponent=MASS)
    changed = insert(radiograph, lesion, [(20, 30)])
    difference = changed.astype(int) - radiograph
    assert changed.dtype == radiograph.dtype
    assert difference[20, 30] == 10
    rows, columns = np.nonzero(difference)
    assert max(abs(rows - 20).max(), abs(columns - 30).max()) <= 4


def test_one_that_would_reach_over_the_edge_is_refused(radiograph: np.ndarray) -> None:
    with pytest.raises(ValueError, match="reaches over the edge"):
        insert(radiograph, Lesion(8, 10, MASS), [(2, 30)])


def test_places_are_in_tissue_and_apart() -> None:
    pixels = np.full((200, 200), 100, np.uint8)
    pixels[:, 120:] = 255  # a label
    found = places(pixels, spacing=40, margin=16, levels=(20, 230), seed=0)
    assert found
    for row, column in found:
        assert 16 <= row < 184 and column + 16 < 120
    gaps = [max(abs(a[0] - b[0]), abs(a[1] - b[1])) for a in found for b in found if a != b]
    assert min(gaps) >= 20
    assert places(pixels, spacing=40, margin=16, levels=(20, 230), seed=0) == found


def test_patches_have_their_place_in_the_middle(radiograph: np.ndarray) -> None:
    cut = patches(radiograph, [(20, 30), (40, 50)], half=5)
    assert cut.shape == (2, 11, 11)
    assert cut[1, 5, 5] == radiograph[40, 50]
