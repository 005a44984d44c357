from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.degradation.xray import detector_kernel, grid_lines, low_dose, quantum_noise, vignetting

KEY, OTHER = jax.random.split(jax.random.key(0))
LATITUDE = 3.0


def flat(x: Any, n: Any = 1) -> Any:
    return jnp.full((n, 256, 256, 1), x)


def one(*values: Any) -> Any:
    return jnp.asarray(values, jnp.float32)


quantum = jax.jit(quantum_noise)
lower = jax.jit(low_dose)


@pytest.mark.parametrize("x", [0.2, 0.5, 0.8])
def test_the_variance_of_the_logarithm_is_one_over_the_photons(x: float) -> None:
    dose = 20_000.0
    noisy = quantum(KEY, flat(x), dose=one(dose), electronic=one(0.0), latitude=one(LATITUDE))
    photons = dose * np.exp(-LATITUDE * x)
    log = np.asarray(noisy, np.float64) * LATITUDE
    np.testing.assert_allclose(log.var(), 1 / photons, rtol=0.02)
    np.testing.assert_allclose(log.mean(), LATITUDE * x, atol=5e-4)


def test_electronic_noise_adds_its_variance_where_there_is_little_light() -> None:
    dose, electronic, x = 5_000.0, 20.0, 0.8
    noisy = quantum(KEY, flat(x), dose=one(dose), electronic=one(electronic), latitude=one(LATITUDE))
    photons = dose * np.exp(-LATITUDE * x)
    expected = 1 / photons + electronic**2 / photons**2
    np.testing.assert_allclose((np.asarray(noisy, np.float64) * LATITUDE).var(), expected, rtol=0.03)


@pytest.mark.parametrize("fraction", [1.0, 0.5, 0.1])
def test_full_dose_made_low_is_as_noisy_as_low_dose(fraction: float) -> None:
    dose, electronic, x = 40_000.0, 15.0, 0.6
    setting = {"electronic": one(electronic), "latitude": one(LATITUDE)}
    full = quantum(KEY, flat(x), dose=one(dose), **setting)
    low = lower(OTHER, full, fraction=one(fraction), dose=one(dose), **setting)
    direct = quantum(OTHER, flat(x), dose=one(fraction * dose), **setting)
    np.testing.assert_allclose(np.asarray(low).std(), np.asarray(direct).std(), rtol=0.02)
    if fraction == 1:
        np.testing.assert_array_equal(low, full)


def test_no_photon_at_all_is_white_and_finite() -> None:
    noisy = quantum(KEY, flat(1.0), dose=one(1.0), electronic=one(0.0), latitude=one(LATITUDE))
    assert np.isfinite(noisy).all() and float(noisy.max()) <= 1


def test_each_sample_has_its_own_dose() -> None:
    noisy = quantum(KEY, flat(0.5, 2), dose=one(1e4, 1e6), electronic=one(0, 0), latitude=one(LATITUDE, LATITUDE))
    dark, bright = np.asarray(noisy).std(axis=(1, 2, 3))
    np.testing.assert_allclose(dark / bright, 10, rtol=0.02)


def test_the_kernels_transform_is_the_function_asked_for() -> None:
    half, glare, reach = one(0.2, 0.4), one(0.0, 0.2), one(1.0, 2.0)
    kernels = np.asarray(detector_kernel(half, glare=glare, reach=reach))
    np.testing.assert_allclose(kernels.sum(axis=(1, 2)), 1, atol=1e-6)
    frequency = np.fft.fftfreq(21)
    for kernel, h, g, r in zip(kernels, half, glare, reach, strict=True):
        mtf = np.fft.fft2(np.fft.ifftshift(kernel))
        expected = (1 - g) * np.exp(-np.log(2) * (frequency / h) ** 2) + g / (1 + (2 * np.pi * r * frequency) ** 2)
        np.testing.assert_allclose(mtf[0].real, expected, atol=1e-5)
        np.testing.assert_allclose(mtf[:, 0].real, expected, atol=1e-5)
        assert np.abs(mtf.imag).max() < 1e-5


def test_grid_lines_modulate_the_exposure_at_their_frequency() -> None:
    lined = grid_lines(
        flat(0.5), frequency=one(0.125), angle=one(0.0), phase=one(0.0), amplitude=one(0.1), latitude=one(LATITUDE)
    )
    exposure = np.exp(-LATITUDE * np.asarray(lined[0, ..., 0], np.float64)) / np.exp(-LATITUDE * 0.5)
    spectrum = np.abs(np.fft.rfft(exposure - 1, axis=1)) / 128
    assert (spectrum.argmax(axis=1) == 32).all()
    np.testing.assert_allclose(spectrum[:, 32], 0.1, rtol=1e-3)
    # Upright lines: all rows are one.
    np.testing.assert_allclose(exposure, np.broadcast_to(exposure[:1], exposure.shape), atol=1e-6)


def test_exposure_falls_off_as_the_cube_of_the_cosine() -> None:
    distance = 2.0
    uneven = vignetting(flat(0.5), distance=one(distance), centre=one(0.5, 0.5)[None], latitude=one(LATITUDE))
    exposure = np.exp(-LATITUDE * (np.asarray(uneven[0, ..., 0], np.float64) - 0.5))
    y, x = np.mgrid[:256, :256] - 127.5
    half_diagonal = np.hypot(128, 128)
    cosine = distance / np.sqrt(distance**2 + (x**2 + y**2) / half_diagonal**2)
    np.testing.assert_allclose(exposure, cosine**3, rtol=1e-4)


def test_the_fall_off_is_about_the_image_not_the_canvas() -> None:
    small = flat(0.5)[:, :100, :60]
    setting = {"distance": one(1.5), "centre": one(0.4, 0.6)[None], "latitude": one(LATITUDE)}
    on_canvas = vignetting(flat(0.5), size=jnp.asarray([[100, 60]]), **setting)
    np.testing.assert_allclose(on_canvas[:, :100, :60], vignetting(small, **setting), atol=1e-6)


def test_gradients_pass_through_the_noise() -> None:
    setting = {"dose": one(1e4), "electronic": one(5.0), "latitude": one(LATITUDE)}
    gradient = jax.grad(lambda x: quantum(KEY, x, **setting).sum())(flat(0.5))
    np.testing.assert_allclose(gradient, 1.0)
    gradient = jax.grad(lambda x: lower(KEY, x, fraction=one(1.0), **setting).sum())(flat(0.5))
    assert np.isfinite(gradient).all()
