"""Against libjpeg, through Pillow, on the real images that pydicom ships."""

from __future__ import annotations

import io
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from medsr_jax.degradation import jpeg as module
from medsr_jax.degradation.jpeg import quantisation_tables

STATIC = ("subsampling", "rounding", "tables", "upsampling")
jpeg = jax.jit(module.jpeg, static_argnames=STATIC)
QUALITIES = (10, 20, 30, 40, 50, 60, 70, 75, 80, 90, 95)


def stored(name: Any) -> Any:
    return pydicom.dcmread(get_testdata_file(name, download=False)).pixel_array


@pytest.fixture(scope="module")
def slices() -> Any:
    """Two real images as 8-bit grey, with sides that are no multiples of 8."""
    result = []
    for name in ("CT_small.dcm", "MR_small.dcm"):
        pixels = stored(name)[:61, :59].astype(np.float64)
        low, high = np.percentile(pixels, (1, 99))
        result.append(np.clip(np.rint((pixels - low) * 255 / (high - low)), 0, 255).astype(np.uint8))
    return result


@pytest.fixture(scope="module")
def colour() -> Any:
    return stored("examples_rgb_color.dcm")[:119, :133]


def by_libjpeg(pixels: Any, quality: Any, **options: Any) -> Any:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality, **options)
    return np.asarray(Image.open(stream)).astype(int)


def levels(image: Any) -> Any:
    return np.rint(np.asarray(image) * 255).astype(int)


def test_grey_is_libjpegs_within_a_level(slices: Any, radiograph: np.ndarray) -> None:
    """The target was 99.5 % of pixels within one level and none off by more than three."""
    for pixels in (*slices, radiograph[:157, :195]):
        batch = np.repeat(pixels[None, ..., None] / np.float32(255), len(QUALITIES), axis=0)
        ours = levels(jpeg(batch, jnp.asarray(QUALITIES, jnp.float32)))[..., 0]
        for quality, result in zip(QUALITIES, ours, strict=True):
            difference = np.abs(result - by_libjpeg(pixels, quality))
            assert difference.max() <= 1, quality


@pytest.mark.parametrize(("subsampling", "pillows", "within_one"), [("4:4:4", 0, 0.998), ("4:2:0", 2, 0.99)])
def test_colour_is_libjpegs_but_for_a_few_pixels(
    colour: Any, subsampling: str, pillows: int, within_one: float
) -> None:
    qualities = (10, 30, 50, 75, 95)
    batch = np.repeat(colour[None] / np.float32(255), len(qualities), axis=0)
    ours = levels(jpeg(batch, jnp.asarray(qualities, jnp.float32), subsampling=subsampling))
    for quality, result in zip(qualities, ours, strict=True):
        difference = np.abs(result - by_libjpeg(colour, quality, subsampling=pillows))
        assert (difference <= 1).mean() > within_one and (difference <= 3).mean() > 0.998, quality


def test_tables_are_libjpegs_at_every_quality() -> None:
    luminance, chrominance = quantisation_tables(jnp.arange(1.0, 101.0))
    picture = Image.new("RGB", (16, 16))
    for index in range(100):
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=index + 1)
        theirs = Image.open(stream).quantization
        np.testing.assert_array_equal(luminance[index].ravel(), theirs[0])
        np.testing.assert_array_equal(chrominance[index].ravel(), theirs[1])


def test_continuous_tables_are_the_standards_times_the_factor() -> None:
    luminance, _ = quantisation_tables(jnp.asarray([25.0, 62.5, 100.0]), tables="continuous")
    np.testing.assert_allclose(luminance[:, 0, 0], [32.0, 12.0, 0.01])
    np.testing.assert_allclose(luminance[1, 7, 7], 99 * 0.75)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_small_image_on_a_canvas_is_coded_as_it_would_be_alone(colour: Any, channels: int) -> None:
    sizes = [(119, 133), (50, 61), (33, 18)]
    canvas = np.repeat(colour[None, ..., :channels] / np.float32(255), 3, axis=0)
    quality = jnp.asarray([30.0, 50.0, 80.0])
    on_canvas = levels(jpeg(canvas, quality, size=jnp.asarray(sizes)))
    for index, (rows, columns) in enumerate(sizes):
        theirs = by_libjpeg(colour[:rows, :columns, :channels].squeeze(), int(quality[index]), subsampling=2)
        difference = np.abs(on_canvas[index, :rows, :columns].squeeze() - theirs)
        assert (difference <= 1).mean() > 0.985 and (difference <= 3).mean() > 0.995


def test_lower_quality_loses_more_and_a_sample_has_its_own(slices: Any) -> None:
    batch = np.repeat(slices[0][None, ..., None] / np.float32(255), 11, axis=0)
    error = np.square(jpeg(batch, jnp.asarray(QUALITIES, jnp.float32)) - batch).mean(axis=(1, 2, 3))
    assert (np.diff(error) < 0).all()


def test_straight_through_has_the_gradient_of_no_coding(slices: Any) -> None:
    image = jnp.asarray(0.25 + slices[0][None, ..., None] / np.float32(510))
    weights = jnp.asarray(np.random.default_rng(0).normal(size=image.shape), jnp.float32)
    for tables in ("libjpeg", "continuous"):
        gradient = jax.grad(lambda x, t=tables: (weights * jpeg(x, jnp.full(1, 60.0), tables=t)).sum())(image)
        # Blocks at the edge also stand for the pixels that fill them.
        np.testing.assert_allclose(gradient[:, :56, :56], weights[:, :56, :56], atol=1e-4)


def test_cubic_rounding_has_the_gradient_of_its_own_value(slices: Any) -> None:
    with jax.enable_x64(True):
        grey = jnp.asarray(0.25 + slices[0][None, :24, :24, None] / 510.0)
        colour = jnp.concatenate([grey, 1 - grey, grey**2], axis=-1)
        for image in (grey, colour):
            random = np.random.default_rng(0)
            weights = jnp.asarray(random.normal(size=image.shape))

            def loss(x: Any, weights: Any = weights) -> Any:
                return (weights * jpeg(x, jnp.full(1, 40.0), rounding="cubic")).sum()

            gradient = jax.grad(loss)(image)
            for _ in range(3):
                direction, step = random.normal(size=image.shape), 1e-7
                difference = (loss(image + step * direction) - loss(image - step * direction)) / (2 * step)
                np.testing.assert_allclose(np.vdot(gradient, direction), difference, rtol=1e-4)


def test_other_numbers_of_channels_are_refused() -> None:
    with pytest.raises(AssertionError, match="1 or 3 channels, not 2"):
        module.jpeg(jnp.zeros((1, 8, 8, 2)), jnp.ones(1))
