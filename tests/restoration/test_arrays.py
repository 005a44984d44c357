"""Arrays in and out, as in a notebook."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import medsr_jax as medsr
from medsr_jax.errors import MedsrError
from medsr_jax.restoration import Restorer
from medsr_jax.restoration.arrays import restore_array
from medsr_jax.transmission.downscaling import downscale


@pytest.fixture
def small(radiograph: np.ndarray) -> Any:
    return np.rint(downscale(radiograph, scale=4)).astype(np.uint8)


def test_an_array_is_restored_as_its_packet_would_be(radiograph: np.ndarray, tiny_weights: Any) -> None:
    restorer = Restorer(tiny_weights, refine=False)
    packet = medsr.compress(medsr.Image.from_array(radiograph), scale=4, codec="jpeg2000", quality=70)
    restored = restore_array(packet.decode()[0], quality=70, codec="jpeg2000", restorer=restorer)
    assert (restored.shape, restored.dtype) == (radiograph.shape, np.uint8)
    np.testing.assert_array_equal(restored, restorer(packet).pixels[0])

    packet = medsr.compress(medsr.Image.from_array(radiograph), scale=4, quality=70)
    restored = restore_array(packet.decode()[0], quality=70, restorer=restorer)
    np.testing.assert_array_equal(restored, restorer(packet).pixels[0])


def test_a_network_is_told_how_coarsely_an_array_was_quantised(small: Any, tiny_weights: Any) -> None:
    restorer = Restorer(tiny_weights)
    results = [
        restore_array(small, restorer=restorer, **options) for options in ({}, {"quality": 100}, {"quality": 50})
    ]
    distance = [np.abs(result.astype(int) - results[0]).sum() for result in results]
    assert distance[1] < distance[2]


def test_values_span_the_range_that_is_stated(small: Any) -> None:
    expected = restore_array(small, model="bicubic").astype(float)
    hounsfield = small.astype(np.int16) * 8 - 1024
    restored = restore_array(hounsfield, model="bicubic", value_range=(-1024, -1024 + 255 * 8))
    assert restored.dtype == np.int16
    np.testing.assert_allclose((restored + 1024) / 8, expected, atol=0.6)
    floats = restore_array(hounsfield / 1000, model="bicubic", value_range=(-1.024, 1.016))
    np.testing.assert_allclose((floats * 1000 + 1024) / 8, expected, atol=0.6)


@pytest.mark.parametrize("model", ["bicubic", "xray-x4"])
def test_types_axes_and_frames_are_kept(small: Any, model: str) -> None:
    expected = restore_array(small, model=model)
    for array, same in (
        (small[None], expected[None]),
        (np.stack([small, small]), np.stack([expected, expected])),
        (jnp.asarray(small)[None, ..., None], expected[None, ..., None]),
    ):
        restored = restore_array(array, model=model)
        assert restored.shape == same.shape
        np.testing.assert_array_equal(restored, same)
    deep = restore_array(small.astype(np.uint16) * 257, model=model)
    floats = restore_array(small / 255.0, model=model)
    assert (deep.dtype, floats.dtype) == (np.uint16, np.float32)
    np.testing.assert_allclose(deep / 257, expected, atol=0.6)
    np.testing.assert_allclose(floats * 255, expected, atol=0.6)


@pytest.mark.parametrize(
    ("array", "options", "problem"),
    [
        (np.zeros((8, 8, 3), np.uint8), {}, "shape .8, 8, 3. is no grey image"),
        (np.zeros(8, np.uint8), {}, "is no grey image"),
        (np.zeros((0, 8), np.uint8), {}, "is no grey image"),
        (np.zeros((8, 8), np.int64), {}, "int64 is no small image"),
        (np.full((8, 8), 2.0), {}, "outside of its range"),
        (np.full((8, 8), np.nan), {}, "not finite"),
        (np.zeros((8, 8), np.uint8), {"scale": 9}, "scale is an integer from 1 to 8"),
        (np.zeros((8, 8), np.uint8), {"scale": 4.0}, "scale is an integer"),
        (np.zeros((8, 8), np.uint8), {"quality": "auto"}, "quality is an integer"),
        (np.zeros((8, 8), np.uint8), {"quality": 0}, "quality is an integer from 1 to 100, or None"),
        (np.zeros((8, 8), np.uint8), {"codec": "gif"}, "codec is one of jpeg"),
        (np.full((8, 8), 9, np.uint8), {"value_range": (0, 8)}, "outside of its range"),
        (np.full((8, 8), 9, np.uint8), {"value_range": 9}, "is the least and the greatest value"),
        (np.array([["a"]]), {}, "is no small image"),
        (np.zeros((8, 8), np.uint8), {"scale": 2, "model": "xray-x4"}, "shrunk by 2"),
    ],
)
def test_what_is_no_small_image_is_said_clearly(array: np.ndarray, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(MedsrError, match=problem):
        restore_array(array, **options)


def test_an_image_is_made_of_an_array() -> None:
    image = medsr.Image.from_array(np.arange(12, dtype=np.int16).reshape(3, 4), value_range=(-2048, 2047))
    assert (image.pixels.shape, image.kind, image.value_range) == ((1, 3, 4), "tiff", (-2048, 2047))
    assert medsr.Image.from_array(np.zeros((3, 4), np.uint16)).value_range == (0, 65535)
    assert medsr.Image.from_array(np.array([[0.25, 0.5]])).value_range == (0.25, 0.5)
    for array, problem in ((np.zeros((5, 5), bool), "bool is no image"), (np.zeros((5, 6, 3)), "no grey image")):
        with pytest.raises(MedsrError, match=problem):
            medsr.Image.from_array(array)
    with pytest.raises(MedsrError, match="outside of its range"):
        medsr.Image.from_array(np.full((2, 2), 300, np.uint16), value_range=(0, 255))
    with pytest.raises(MedsrError, match="distance of rows and that of columns"):
        medsr.Image.from_array(np.zeros((2, 2)), spacing=(0.1, 0))


def test_what_is_no_image_and_no_packet_is_said_with_what_makes_one(radiograph: np.ndarray) -> None:
    with pytest.raises(MedsrError, match="takes an Image, not a ndarray: .* Image.from_array"):
        medsr.compress(radiograph)
    for other in (radiograph, "sent.dcm"):
        with pytest.raises(MedsrError, match=f"takes packets, not a {type(other).__name__}: read_packet"):
            medsr.Restorer("bicubic")(other)


def test_objects_are_said_in_a_line(radiograph: np.ndarray) -> None:
    image = medsr.Image.from_array(radiograph)
    packet = medsr.compress(image, quality=60)
    restored = medsr.Restorer("bicubic")(packet)
    assert repr(image) == "Image(png, 160x200 uint8, values 0..255)"
    assert repr(packet) == f"Packet(png, 160x200 uint8 as jpeg q 60 of 1/4, {packet.coded_bytes} bytes)"
    assert repr(restored) == f"Restored(160x200 uint8 by bicubic, violation {restored.violation:.2f})"


def test_metrics_take_nhwc_and_refuse_what_they_cannot_compare(radiograph: np.ndarray) -> None:
    other = np.roll(radiograph, 1)
    for measure in (medsr.psnr, medsr.ssim):
        plain = measure(radiograph, other, value_range=(0, 255))
        assert measure(radiograph[None, ..., None], other[None, ..., None], value_range=(0, 255)) == plain
        with pytest.raises(MedsrError, match="can't be compared"):
            measure(radiograph, other[:-1], value_range=(0, 255))
        with pytest.raises(MedsrError, match="are no grey images"):
            measure(radiograph[..., None], other[..., None], value_range=(0, 255))
        with pytest.raises(MedsrError, match="are no grey images"):
            measure(np.zeros((1, 20, 20, 3)), np.zeros((1, 20, 20, 3)), value_range=(0, 1))
