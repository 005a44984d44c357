from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from medsr_jax.degradation.noise import distinct_levels, gaussian_noise, mixed_noise, poisson_noise

KEY = jax.random.key(0)
gaussian = jax.jit(gaussian_noise)
poisson = jax.jit(poisson_noise)


@pytest.fixture(scope="module")
def flat() -> Any:
    return jnp.full((3, 128, 128, 3), 0.5)


def two_levels(low: Any, high: Any, channels: Any = 1) -> Any:
    """(1, 256, 256, C) of the two levels, one in each half."""
    image = np.full((1, 256, 256, channels), low / 255, np.float32)
    image[:, 128:] = high / 255
    return jnp.asarray(image)


def test_gaussian_noise_has_the_strength_of_its_sample(flat: Any) -> None:
    sigma = np.array([0.01, 0.05, 0.1])
    noise = np.asarray(gaussian(KEY, flat, sigma) - flat)
    np.testing.assert_allclose(noise.std(axis=(1, 2, 3)), sigma, rtol=0.02)
    np.testing.assert_allclose(noise.mean(axis=(1, 2, 3)), 0, atol=0.002)
    assert stats.kstest(noise[1].ravel() / 0.05, "norm").pvalue > 1e-4


def test_grey_noise_is_the_same_in_all_channels_and_other_noise_is_not(flat: Any) -> None:
    noise = np.asarray(gaussian(KEY, flat, jnp.full(3, 0.05), grey=jnp.asarray([True, False, True])) - flat)
    for sample, grey in zip(noise, [True, False, True], strict=True):
        correlation = np.corrcoef(sample.reshape(-1, 3).T)[0, 1]
        assert correlation > 0.999 if grey else abs(correlation) < 0.05


def test_results_stay_in_range() -> None:
    assert float(gaussian(KEY, jnp.ones((1, 64, 64, 1)), jnp.ones(1)).max()) == 1
    assert float(poisson(KEY, jnp.zeros((1, 64, 64, 1)), jnp.ones(1)).min()) == 0


def test_poisson_noise_has_the_variance_of_its_photons() -> None:
    """Two levels are two photons for white, so the variance is x / 2, and 9 times that at a scale of 3."""
    image = two_levels(51, 102)
    with_noise = np.asarray(poisson(KEY, image, jnp.full(1, 0.3)) - image)[0, ..., 0]
    for half, x in ((with_noise[:128], 0.2), (with_noise[128:], 0.4)):
        values = np.unique(np.rint(half / 0.3 * 2 + 2 * x))
        assert set(values) <= set(range(12)) and 1 in values
        # The largest counts are cut off at white.
        np.testing.assert_allclose(half.var(), 0.3**2 * x / 2, rtol=0.05)
        np.testing.assert_allclose(half.mean(), 0, atol=0.005)


def test_photons_are_a_power_of_two(radiograph: np.ndarray) -> None:
    image = jnp.asarray(radiograph[None, :, :, None] / np.float32(255))
    levels = len(np.unique(radiograph))
    photons = 2.0 ** np.ceil(np.log2(levels))
    difference = np.asarray(poisson(KEY, image, jnp.ones(1)))[0, ..., 0] * photons
    inside = (difference > 0) & (difference < photons)
    assert inside.mean() > 0.9
    np.testing.assert_allclose(difference[inside], np.rint(difference[inside]), atol=1e-2)


def test_grey_poisson_noise_is_that_of_the_luma() -> None:
    colour = jnp.broadcast_to(jnp.asarray([0.2, 0.4, 0.8]), (2, 64, 64, 3))
    noise = np.asarray(poisson(KEY, colour, jnp.full(2, 0.05), grey=jnp.asarray([True, False])) - colour)
    np.testing.assert_allclose(noise[0, ..., 0], noise[0, ..., 2], atol=1e-6)
    # One distinct level is one photon for white.
    luma = round(255 * (0.2989 * 0.2 + 0.587 * 0.4 + 0.114 * 0.8)) / 255
    np.testing.assert_allclose(noise[0].std(), 0.05 * luma**0.5, rtol=0.05)
    assert abs(np.corrcoef(noise[1].reshape(-1, 3).T)[0, 1]) < 0.1


def test_levels_are_counted_in_the_image_alone(radiograph: np.ndarray) -> None:
    canvas = np.zeros((2, 160, 200, 1), np.float32)
    canvas[..., 0] = radiograph / np.float32(255)
    size = jnp.asarray([[160, 200], [30, 41]])
    expected = [len(np.unique(radiograph)), len(np.unique(radiograph[:30, :41]))]
    np.testing.assert_array_equal(distinct_levels(canvas, size=size), expected)
    np.testing.assert_array_equal(distinct_levels(canvas), expected[:1] * 2)


def test_mixed_noise_is_one_or_the_other(radiograph: np.ndarray) -> None:
    image = jnp.asarray(np.stack([radiograph, radiograph])[..., None] / np.float32(255))
    sigma, scale, grey = jnp.full(2, 0.05), jnp.ones(2), jnp.zeros(2, bool)
    mixed = mixed_noise(KEY, image, gaussian=jnp.asarray([True, False]), sigma=sigma, scale=scale, grey=grey)
    np.testing.assert_allclose(mixed[0], gaussian_noise(KEY, image, sigma)[0], atol=1e-6)
    np.testing.assert_allclose(mixed[1], poisson_noise(KEY, image, scale)[1], atol=1e-6)


def test_gradients(flat: Any) -> None:
    """Gaussian: exact in the image and in sigma. Poisson: the image passes."""
    weights = jnp.asarray(np.random.default_rng(0).normal(size=flat.shape))
    by_image, by_sigma = jax.grad(lambda x, s: (weights * gaussian(KEY, x, s)).sum(), argnums=(0, 1))(
        flat, jnp.full(3, 0.05)
    )
    np.testing.assert_allclose(by_image, weights, atol=1e-6)
    field = (gaussian(KEY, flat, jnp.full(3, 0.05)) - flat) / 0.05
    np.testing.assert_allclose(by_sigma, (weights * field).sum(axis=(1, 2, 3)), rtol=1e-3)
    by_image = jax.grad(lambda x: (weights * poisson(KEY, x, jnp.full(3, 0.02))).sum())(flat)
    np.testing.assert_allclose(by_image, weights, atol=1e-6)
