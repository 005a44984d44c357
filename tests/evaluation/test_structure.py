from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from medsr_jax.evaluation.structure import gradient_similarity, ms_ssim

RANGE = (0, 255)


@pytest.fixture(scope="module")
def noisy(radiograph: np.ndarray) -> tuple[Any, ...]:
    large = np.tile(radiograph, (3, 3))[:192, :208]
    noise = np.random.default_rng(0).normal(0, 15, large.shape)
    return np.clip(large + noise, 0, 255).astype(np.uint8), large


def test_ms_ssim_is_tensorflows(noisy: Any) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    image, truth = noisy
    theirs = tf.image.ssim_multiscale(image[..., None], truth[..., None], 255).numpy()
    assert ms_ssim(image, truth, value_range=RANGE) == pytest.approx(theirs, abs=1e-4)


def test_ms_ssim_of_an_image_that_is_too_small_is_not_a_number() -> None:
    small = np.zeros((175, 300), np.uint8)
    assert math.isnan(ms_ssim(small, small, value_range=RANGE))


def test_the_similarity_of_gradients_is_its_formula(noisy: Any) -> None:
    image, truth = (x.astype(float) for x in noisy)

    def magnitude(x: Any) -> Any:
        half = ndimage.uniform_filter(x, 2, origin=-1)[::2, ::2]
        prewitt = np.outer([1, 1, 1], [1, 0, -1]) / 3
        across, down = (ndimage.correlate(half, kernel)[1:-1, 1:-1] for kernel in (prewitt, prewitt.T))
        return np.hypot(across, down)

    g, h = magnitude(image), magnitude(truth)
    similarity = (2 * g * h + 170) / (g**2 + h**2 + 170)
    assert gradient_similarity(*noisy, value_range=RANGE) == pytest.approx(similarity.std(), abs=1e-5)


def test_equal_images_and_brighter_ones_lose_no_edges(noisy: Any) -> None:
    _, truth = noisy
    darker = (truth // 2).astype(np.uint8)
    assert gradient_similarity(darker, darker, value_range=RANGE) == 0
    assert gradient_similarity(darker + np.uint8(40), darker, value_range=RANGE) < 1e-6
    assert ms_ssim(darker, darker, value_range=RANGE) == pytest.approx(1, abs=1e-5)


def test_deep_images_are_measured_on_their_own_range(noisy: Any) -> None:
    image, truth = noisy
    deep = [x.astype(np.uint16) * 200 + 1000 for x in noisy]
    for measure in (ms_ssim, gradient_similarity):
        shallow = measure(image, truth, value_range=RANGE)
        assert measure(*deep, value_range=(1000, 1000 + 255 * 200)) == pytest.approx(shallow, abs=1e-5)
