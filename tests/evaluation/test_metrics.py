from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from medsr_jax.evaluation.metrics import psnr, ssim

RANGE = (0, 255)


def test_psnr_is_its_formula() -> None:
    truth = np.full((4, 4), 100, np.uint8)
    image = truth.copy()
    image[0, 0] = 116
    assert psnr(image, truth, value_range=RANGE) == pytest.approx(10 * math.log10(255**2 / 16))
    assert psnr(truth, truth, value_range=RANGE) == math.inf


def test_16_bit_images_are_measured_on_their_own_range() -> None:
    truth = np.full((4, 4), -500, np.int16)
    assert psnr(truth + 1, truth, value_range=(-1024, 3071)) == pytest.approx(20 * math.log10(4095))


def noisy_of(image: Any, *, deviation: Any) -> Any:
    noise = np.random.default_rng(0).normal(0, deviation, image.shape)
    return np.clip(image + noise, *(np.iinfo(image.dtype).min, np.iinfo(image.dtype).max)).astype(image.dtype)


def test_both_agree_with_scikit_image(radiograph: np.ndarray) -> None:
    for truth, deviation, low, high in (
        (radiograph, 12, 0, 255),
        (radiograph, 1, 0, 255),
        # CT as it is stored, on the range that it spans.
        (radiograph.astype(np.int16) * 9 - 1000, 40, -1000, 1295),
    ):
        noisy = noisy_of(truth, deviation=deviation)
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        # The luminance term has an origin: ours is the range's low end, theirs is zero.
        theirs = structural_similarity(noisy - low, truth - low, data_range=high - low, **options)
        assert ssim(noisy, truth, value_range=(low, high)) == pytest.approx(theirs, abs=1e-4)
        theirs = peak_signal_noise_ratio(truth, noisy, data_range=high - low)
        assert psnr(noisy, truth, value_range=(low, high)) == pytest.approx(theirs, abs=1e-4)


def test_ssim_of_equal_images_is_one(radiograph: np.ndarray) -> None:
    assert ssim(radiograph, radiograph, value_range=RANGE) == pytest.approx(1.0, abs=1e-5)


def test_ssim_of_a_tiny_image_is_not_a_number() -> None:
    tiny = np.zeros((10, 30), np.uint8)
    assert math.isnan(ssim(tiny, tiny, value_range=RANGE))
