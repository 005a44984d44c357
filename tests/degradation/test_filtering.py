from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from medsr_jax.degradation.filtering import filter2d, filter_separable, sobel_magnitude, unsharp_mask


@pytest.fixture(scope="module")
def batch(radiograph: np.ndarray) -> Any:
    image = radiograph[:96, :110] / np.float32(255)
    return np.stack([image, image[::-1], image[:, ::-1]])[..., None].repeat(2, axis=3)


@pytest.fixture(scope="module")
def kernels() -> Any:
    kernels = np.random.default_rng(0).random((3, 21, 21)).astype(np.float32)
    return kernels / kernels.sum(axis=(1, 2), keepdims=True)


@pytest.fixture(scope="module")
def filtered() -> Any:
    return jax.jit(filter2d)


def test_each_sample_is_correlated_with_its_own_kernel(batch: Any, kernels: Any, filtered: Any) -> None:
    result = filtered(batch, kernels)
    for sample, kernel, ours in zip(batch, kernels, result, strict=True):
        for channel in range(2):
            # SciPy's name for mirroring without repeating the border.
            theirs = ndimage.correlate(sample[..., channel].astype(np.float64), kernel, mode="mirror")
            np.testing.assert_allclose(ours[..., channel], theirs, atol=2e-6)


def test_a_small_image_on_a_canvas_is_filtered_as_it_would_be_alone(batch: Any, kernels: Any, filtered: Any) -> None:
    sizes = [(96, 110), (40, 110), (25, 13)]
    result = filtered(batch, kernels, size=jnp.asarray(sizes))
    for sample, kernel, ours, (rows, columns) in zip(batch, kernels, result, sizes, strict=True):
        theirs = ndimage.correlate(sample[:rows, :columns, 0].astype(np.float64), kernel, mode="mirror")
        np.testing.assert_allclose(ours[:rows, :columns, 0], theirs, atol=2e-6)


def test_the_gradient_is_the_transposed_filter(batch: Any, kernels: Any, filtered: Any) -> None:
    """<A x, y> = <x, A' y> with A' from autodiff."""
    y = np.random.default_rng(1).random(batch.shape).astype(np.float32)
    pulled = jax.jit(lambda x: jax.vjp(lambda x: filtered(x, kernels), x)[1](y)[0])(batch)
    np.testing.assert_allclose(np.vdot(filtered(batch, kernels), y), np.vdot(batch, pulled), rtol=1e-5)


def test_kernels_without_a_centre_are_refused(batch: Any) -> None:
    with pytest.raises(AssertionError, match="no centre"):
        filter2d(batch, jnp.ones((3, 4, 4)))


def test_unsharp_masking_is_its_formula(batch: Any) -> None:
    image = batch[:1, ..., :1]
    offsets = np.arange(-25, 26)
    taps = np.exp(-(offsets**2) / 128.0)
    taps /= taps.sum()

    def blur(x: Any) -> Any:
        return ndimage.correlate1d(ndimage.correlate1d(x, taps, axis=0, mode="mirror"), taps, axis=1, mode="mirror")

    x = image[0, ..., 0].astype(np.float64)
    detail = x - blur(x)
    mask = blur((np.abs(detail) * 255 > 10).astype(float))
    expected = mask * np.clip(x + 0.5 * detail, 0, 1) + (1 - mask) * x
    sharp = np.asarray(unsharp_mask(image))[0, ..., 0]
    # A pixel whose detail is the threshold itself may fall on either side of it.
    np.testing.assert_allclose(sharp, expected, atol=1e-4)
    assert np.abs(sharp - x).max() > 0.01


def test_unsharp_masking_leaves_what_is_flat_alone() -> None:
    flat = np.full((1, 32, 40, 1), 0.3, np.float32)
    np.testing.assert_allclose(unsharp_mask(flat), flat, atol=1e-6)


def test_sobel_of_a_ramp_is_its_slope_in_any_direction() -> None:
    y, x = np.mgrid[0:20, 0:30].astype(np.float32)
    sobel = jax.jit(sobel_magnitude)
    for dy, dx in ((0.01, 0.0), (0.0, 0.02), (0.003, -0.004)):
        magnitude = sobel((0.5 + dy * y + dx * x)[None, ..., None])
        np.testing.assert_allclose(magnitude[0, 1:-1, 1:-1, 0], np.hypot(dy, dx), rtol=1e-3)


def test_sobel_is_scipys_over_eight(batch: Any) -> None:
    x = batch[0, ..., 0].astype(np.float64)
    theirs = np.hypot(ndimage.sobel(x, 0, mode="nearest"), ndimage.sobel(x, 1, mode="nearest")) / 8
    np.testing.assert_allclose(sobel_magnitude(batch)[0, ..., 0], theirs, atol=1e-6)


def test_the_gradient_of_sobel_is_finite_where_the_image_is_flat() -> None:
    gradient = jax.grad(lambda x: jax.jit(sobel_magnitude)(x).sum())(jnp.full((1, 8, 8, 1), 0.5))
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("extent", [3, 5, 9])
def test_separable_filter_mirrors_both_borders(extent: int) -> None:
    taps = np.array([0.1, 0.2, 0.4, 0.25, 0.05])
    image = np.random.default_rng(3).random((1, extent, 12, 1)).astype(np.float32)
    ours = filter_separable(jnp.asarray(image), taps=taps)[0, ..., 0]
    rows = ndimage.correlate1d(image[0, ..., 0].astype(np.float64), taps, axis=0, mode="mirror")
    np.testing.assert_allclose(ours, ndimage.correlate1d(rows, taps, axis=1, mode="mirror"), atol=1e-6)
