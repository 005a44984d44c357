from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from medsr_jax.evaluation.studies.observers import (
    area_of,
    area_under_curve,
    channelised_hotelling,
    contrast_to_noise,
    detectability,
    difference_of_gaussians,
    matched_filter,
)
from medsr_jax.imaging.lesions import MASS, Lesion

SIDE, COUNT = 33, 2000
GROUPS = np.arange(COUNT) // 20


def in_white_noise(contrast: Any, *, deviation: Any = 10.0) -> tuple[Any, ...]:
    """Patches with and without a lesion, of independent noise."""
    random = np.random.default_rng(0)
    profile = Lesion(diameter=9, contrast=contrast, exponent=MASS).profile()
    pad = (SIDE - profile.shape[0]) // 2
    signal = np.pad(profile, pad)
    noise = random.normal(100, deviation, (2, COUNT, SIDE, SIDE))
    return noise[0] + signal, noise[1], signal


def test_the_matched_filter_reaches_what_theory_allows_in_white_noise() -> None:
    present, absent, signal = in_white_noise(8)
    ideal = np.linalg.norm(signal - signal.mean()) / 10.0
    assert detectability(*matched_filter(present, absent, groups=GROUPS)) == pytest.approx(ideal, rel=0.1)


def test_the_hotelling_observer_comes_near_it_and_never_beyond() -> None:
    present, absent, signal = in_white_noise(8)
    ideal = np.linalg.norm(signal) / 10.0
    reached = detectability(*channelised_hotelling(present, absent, groups=GROUPS))
    assert 0.8 * ideal < reached < 1.05 * ideal


@pytest.mark.parametrize("observer", [matched_filter, channelised_hotelling])
def test_nothing_is_found_where_there_is_nothing(observer: Any) -> None:
    present, absent, _ = in_white_noise(0)
    assert abs(detectability(*observer(present, absent, groups=GROUPS))) < 0.15


def test_one_image_can_not_be_both_trained_on_and_tested() -> None:
    present, absent, _ = in_white_noise(8)
    with pytest.raises(ValueError, match="trained on and tested"):
        matched_filter(present, absent, groups=np.zeros(COUNT, int))


def test_the_area_under_the_curve_is_mann_whitneys() -> None:
    random = np.random.default_rng(0)
    present, absent = random.integers(0, 9, 200) + 1.0, random.integers(0, 9, 150).astype(float)
    theirs = mannwhitneyu(present, absent).statistic / (200 * 150)
    assert area_under_curve(present, absent) == pytest.approx(theirs)


def test_normal_responses_have_the_area_of_their_d() -> None:
    random = np.random.default_rng(0)
    present, absent = random.normal(1.5, 1, 50_000), random.normal(0, 1, 50_000)
    assert area_of(detectability(present, absent)) == pytest.approx(area_under_curve(present, absent), abs=0.005)


def test_contrast_is_that_of_the_disc_over_the_noise_around_it() -> None:
    _, absent, signal = in_white_noise(8)
    contrast, ratio = contrast_to_noise(absent + signal, absent, diameter=9)
    middle = np.hypot(*np.indices(signal.shape) - SIDE // 2) <= 4.5
    assert contrast == pytest.approx(signal[middle].mean())
    assert ratio == pytest.approx(contrast / 10.0, rel=0.03)


def test_channels_rise_in_frequency() -> None:
    channels = difference_of_gaussians(SIDE).reshape(-1, SIDE, SIDE)
    spectra = np.abs(np.fft.fft2(channels)) ** 2
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE)))
    means = [(spectrum * radius).sum() / spectrum.sum() for spectrum in spectra]
    assert means == sorted(means)
