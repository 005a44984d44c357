from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from medsr_jax.evaluation.statistics import bootstrap


def test_the_interval_is_that_of_scipys_percentile_bootstrap() -> None:
    values = np.random.default_rng(1).gamma(2.0, size=40)
    mean = bootstrap(values)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=10_000, rng=2).confidence_interval
    assert mean.value == pytest.approx(values.mean())
    assert (mean.low, mean.high) == pytest.approx((theirs.low, theirs.high), rel=0.02)


def test_what_can_not_be_told_is_not_a_number() -> None:
    assert math.isnan(bootstrap([]).value)
    single = bootstrap([3.0])
    assert single.value == 3.0
    assert math.isnan(single.low) and math.isnan(single.high)


def test_values_that_are_not_finite_are_left_out() -> None:
    mean = bootstrap([1.0, math.inf, 2.0, math.nan])
    assert (mean.value, mean.count) == (1.5, 2)


def test_the_same_values_give_the_same_interval() -> None:
    assert bootstrap([1.0, 2.0, 4.0]) == bootstrap([1.0, 2.0, 4.0])
