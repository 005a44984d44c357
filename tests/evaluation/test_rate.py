from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from medsr_jax.evaluation.studies.full_size import FULL_SIZE
from medsr_jax.evaluation.studies.rate import at_bytes, bd_rate, front

ANCHOR = [(1000, 30.0), (2000, 33.0), (4000, 36.0), (8000, 39.0)]


def test_a_setting_that_a_smaller_file_betters_is_no_choice() -> None:
    assert front([(2000, 30.0), (1000, 31.0), (3000, 32.0), (3000, 31.5)]) == [(1000, 31.0), (3000, 32.0)]


def test_fidelity_between_settings_follows_the_logarithm_of_bytes() -> None:
    assert at_bytes(ANCHOR, 2000) == pytest.approx(33.0)
    assert at_bytes(ANCHOR, 2000 * math.sqrt(2)) == pytest.approx(34.5)


def test_a_budget_below_the_smallest_file_gives_nothing_and_a_large_one_the_best() -> None:
    assert math.isnan(at_bytes(ANCHOR, 999))
    assert math.isnan(at_bytes([], 999))
    assert at_bytes(ANCHOR, 100_000) == 39.0


def test_the_same_curve_at_two_thirds_of_the_bytes_saves_a_third() -> None:
    cheaper = [(size * 2 / 3, fidelity) for size, fidelity in ANCHOR]
    assert bd_rate(cheaper, ANCHOR) == pytest.approx(-100 / 3)
    assert bd_rate(ANCHOR, cheaper) == pytest.approx(50)


def test_curves_that_share_no_fidelity_are_not_compared() -> None:
    assert math.isnan(bd_rate([(size, fidelity + 20) for size, fidelity in ANCHOR], ANCHOR))
    assert math.isnan(bd_rate(ANCHOR[:1], ANCHOR))


@pytest.mark.parametrize("name", FULL_SIZE)
def test_a_codecs_levels_rise_in_bytes_and_fidelity(name: Any, radiograph: np.ndarray) -> None:
    codec = FULL_SIZE[name]
    sizes, errors = [], []
    for level in (codec.levels[0], codec.levels[len(codec.levels) // 2], codec.levels[-1]):
        data = codec.encode(radiograph, level)
        image = codec.decode(data)
        assert image.shape == radiograph.shape and image.dtype == np.uint8
        sizes.append(len(data))
        errors.append(np.square(image.astype(float) - radiograph).mean())
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0]


@pytest.mark.parametrize("name", ["JPEG 2000", "AVIF"])
def test_the_best_file_within_a_budget_uses_it_and_none_is_made_where_none_fits(
    name: str, radiograph: np.ndarray
) -> None:
    codec = FULL_SIZE[name]
    budget = len(codec.encode(radiograph, codec.levels[5])) + 20
    assert 0.93 * budget < len(codec.within(radiograph, budget) or b"") <= budget
    assert codec.within(radiograph, 50) is None
