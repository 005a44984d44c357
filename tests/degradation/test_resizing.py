"""Against loops that follow PyTorch's documentation, against Pillow, and against PyTorch where it is installed."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from medsr_jax.degradation import resizing
from medsr_jax.degradation.resizing import METHODS

resize = jax.jit(resizing.resize, static_argnames=("canvas", "methods"))
resize_to = jax.jit(resizing.resize_to, static_argnames=("canvas", "methods"))
weights = jax.jit(resizing.weights, static_argnames=("source", "target"))

PYTORCH = ("area", "bilinear", "bicubic")


@pytest.fixture(scope="module")
def image(radiograph: np.ndarray) -> Any:
    return (radiograph[40:77, 30:71] / 255.0).astype(np.float32)


def one_axis(values: Any, wanted: Any, step: Any, method: Any) -> Any:
    """Rows of a float64 array resampled as `torch.nn.functional.interpolate` says it does."""
    n = len(values)

    def pixel(index: Any) -> Any:
        return values[min(max(index, 0), n - 1)]

    def cubic(x: Any, a: Any = -0.75) -> Any:
        x = abs(x)
        if x <= 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0

    rows = []
    for i in range(wanted):
        if method == "area":
            rows.append(values[math.floor(i * n / wanted) : math.ceil((i + 1) * n / wanted)].mean(axis=0))
            continue
        source = (i + 0.5) * step - 0.5
        if method == "bilinear":
            source = max(source, 0.0)
            first = math.floor(source)
            rows.append(pixel(first) * (1 - source + first) + pixel(first + 1) * (source - first))
        else:
            first = math.floor(source)
            rows.append(sum(pixel(first + k) * cubic(source - first - k) for k in range(-1, 3)))
    return np.stack(rows)


def reference(image: Any, wanted: Any, step: Any, method: Any) -> Any:
    tall = one_axis(image.astype(np.float64), wanted[0], step[0], method)
    return one_axis(tall.T, wanted[1], step[1], method).T


@pytest.fixture(scope="module")
def resized(image: Any) -> Any:
    """One compiled call: every method by every scale, samples of one batch."""
    scales = [0.15, 0.4, 0.731, 1.0, 1.3, 1.5]
    cases = [(method, scale) for method in range(3) for scale in scales]
    batch = jnp.broadcast_to(image[None, ..., None], (len(cases), *image.shape, 1))
    methods, factors = (jnp.asarray(column) for column in zip(*cases, strict=True))
    result, size = resize(batch, factors, methods, canvas=(56, 62), methods=PYTORCH)
    return [
        (PYTORCH[method], scale, np.asarray(sample)[..., 0], tuple(np.asarray(extent)))
        for (method, scale), sample, extent in zip(cases, result, size, strict=True)
    ]


def test_each_sample_has_its_own_scale_and_method(image: Any, resized: Any) -> None:
    for method, scale, sample, size in resized:
        assert size == (math.floor(37 * scale), math.floor(41 * scale))
        expected = reference(image, size, (1 / scale, 1 / scale), method)
        np.testing.assert_allclose(sample[: size[0], : size[1]], expected, atol=2e-6, err_msg=f"{method} {scale}")


def test_what_lies_outside_of_the_result_is_zero(resized: Any) -> None:
    for *_, sample, (rows, columns) in resized:
        assert not sample[rows:].any() and not sample[:, columns:].any()


def test_pytorch_agrees(image: Any, resized: Any) -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(image)[None, None]
    for method, scale, sample, (rows, columns) in resized:
        theirs = torch.nn.functional.interpolate(tensor, scale_factor=scale, mode=method)[0, 0].numpy()
        np.testing.assert_allclose(sample[:rows, :columns], theirs, atol=3e-6, err_msg=f"{method} {scale}")


def test_a_wanted_size_steps_by_the_quotient_of_the_sizes(image: Any) -> None:
    wanted = [(13, 9), (50, 60), (37, 41)]
    batch = jnp.broadcast_to(image[None, ..., None], (3, *image.shape, 1))
    for index, method in enumerate(PYTORCH):
        result = resize_to(batch, jnp.asarray(wanted), jnp.full(3, index), canvas=(56, 62), methods=PYTORCH)
        for sample, (rows, columns) in zip(np.asarray(result), wanted, strict=True):
            expected = reference(image, (rows, columns), (37 / rows, 41 / columns), method)
            np.testing.assert_allclose(sample[:rows, :columns, 0], expected, atol=2e-6)


@pytest.mark.parametrize("wanted", [(9, 10), (23, 41), (61, 80)])
def test_antialiased_bicubic_is_pillows(image: Any, wanted: tuple[int, ...]) -> None:
    theirs = np.asarray(Image.fromarray(image).resize(wanted[::-1], Image.Resampling.BICUBIC))
    ours = resize_to(
        image[None, ..., None],
        jnp.asarray([wanted]),
        jnp.zeros(1, int),
        canvas=wanted,
        methods=("antialiased_bicubic",),
    )
    np.testing.assert_allclose(ours[0, ..., 0], theirs, atol=2e-6)


def test_area_by_a_whole_factor_is_the_senders(radiograph: np.ndarray) -> None:
    from medsr_jax.transmission.downscaling import downscale

    theirs = downscale(radiograph, scale=4, kernel="area")
    ours = resize_to(
        radiograph[None, ..., None] / np.float32(255),
        jnp.asarray([theirs.shape]),
        jnp.zeros(1, int),
        canvas=theirs.shape,
        methods=("area",),
    )
    np.testing.assert_allclose(ours[0, ..., 0] * 255, theirs, atol=1e-4)


def test_a_small_image_on_a_canvas_is_resized_as_it_would_be_alone(image: Any) -> None:
    canvas = np.full((len(METHODS), 50, 50, 1), 7.0, np.float32)
    canvas[:, :37, :41, 0] = image
    size = jnp.asarray([[37, 41]] * len(METHODS))
    methods = jnp.arange(len(METHODS))
    scale = jnp.full(len(METHODS), 0.6)
    result, _ = resize(canvas, scale, methods, canvas=(24, 26), size=size)
    alone, _ = resize(canvas[:, :37, :41], scale, methods, canvas=(24, 26))
    np.testing.assert_allclose(result, alone, atol=1e-6)


def test_rows_sum_to_one_and_beyond_the_size_to_zero() -> None:
    wanted = jnp.asarray([5, 20, 31, 7])
    rows = weights(
        jnp.asarray([20, 17, 20, 3]), wanted, jnp.asarray([4.0, 0.85, 0.7, 0.4]), jnp.arange(4), source=20, target=31
    ).sum(axis=2)
    np.testing.assert_allclose(rows, (jnp.arange(31)[None] < wanted[:, None]).astype(float), atol=1e-6)
