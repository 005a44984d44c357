import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from medsr_jax.evaluation.metrics import psnr, ssim

RANGE = (0, 255)


def test_psnr_is_its_formula():
    truth = np.full((4, 4), 100, np.uint8)
    image = truth.copy()
    image[0, 0] = 116
    assert psnr(image, truth, value_range=RANGE) == pytest.approx(10 * math.log10(255**2 / 16))
    assert psnr(truth, truth, value_range=RANGE) == math.inf


def test_16_bit_images_are_measured_on_their_own_range():
    truth = np.full((4, 4), -500, np.int16)
    assert psnr(truth + 1, truth, value_range=(-1024, 3071)) == pytest.approx(20 * math.log10(4095))


def reference_ssim(a, b):
    """Wang et al. 2004, eq. 13, with SciPy's Gaussian of 11 taps, over the windows that lie inside."""

    def blur(x):
        for axis in (0, 1):
            x = gaussian_filter1d(x, 1.5, axis=axis, truncate=3.5)
        return x[5:-5, 5:-5]

    a, b = a.astype(float), b.astype(float)
    ma, mb = blur(a), blur(b)
    va, vb, cov = blur(a * a) - ma**2, blur(b * b) - mb**2, blur(a * b) - ma * mb
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return (((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean()


def test_ssim_agrees_with_the_papers_formula(radiograph):
    noisy = np.clip(radiograph + np.random.default_rng(0).normal(0, 12, radiograph.shape), 0, 255).astype(np.uint8)
    assert ssim(noisy, radiograph, value_range=RANGE) == pytest.approx(reference_ssim(noisy, radiograph), abs=1e-4)
    assert ssim(radiograph, radiograph, value_range=RANGE) == pytest.approx(1.0, abs=1e-5)


def test_ssim_of_a_tiny_image_is_not_a_number():
    tiny = np.zeros((10, 30), np.uint8)
    assert math.isnan(ssim(tiny, tiny, value_range=RANGE))
