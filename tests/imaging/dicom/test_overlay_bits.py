"""Overlays in the unused bits of Pixel Data become Overlay Data of their own, and the pixels keep their values."""

from __future__ import annotations

import pathlib

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset

from medsr_jax.imaging import read_image
from tests.imaging.dicom.objects import image_object, rle_stream, saved, with_streams

VALUES = np.arange(6 * 5, dtype=np.uint16).reshape(6, 5) * 100
RING = np.indices((6, 5)).sum(0) % 3 == 0


def marked(values: np.ndarray, plane: np.ndarray, *, bit: int, group: int = 0x6000) -> Dataset:
    dataset = image_object(values | (plane.astype(np.uint16) << bit), bits_stored=12)
    dataset.add_new((group, 0x0010), "US", 6)
    dataset.add_new((group, 0x0011), "US", 5)
    dataset.add_new((group, 0x0100), "US", 16)
    dataset.add_new((group, 0x0102), "US", bit)
    return dataset


def plane_of(dataset: Dataset, shape: tuple[int, ...], group: int = 0x6000) -> np.ndarray:
    bits = np.unpackbits(np.frombuffer(dataset[group, 0x3000].value, np.uint8), bitorder="little")
    return bits[: np.prod(shape)].reshape(shape).astype(bool)


@pytest.mark.parametrize("bit", [12, 15])
def test_an_overlay_in_an_unused_bit_is_moved_with_a_note(tmp_path: pathlib.Path, bit: int) -> None:
    image = read_image(saved(marked(VALUES, RING, bit=bit), tmp_path / "image.dcm"))
    np.testing.assert_array_equal(image.pixels[0], VALUES)
    assert image.notes == (f"overlay 6000 moved from bit {bit} of the pixels into Overlay Data of its own",)
    dataset = image.dataset
    assert dataset is not None
    np.testing.assert_array_equal(plane_of(dataset, (6, 5)), RING)
    assert (dataset[0x6000, 0x0100].value, dataset[0x6000, 0x0102].value) == (1, 0)
    assert (dataset[0x6000, 0x0040].value, list(dataset[0x6000, 0x0050].value)) == ("G", [1, 1])


def test_two_overlays_and_several_frames(tmp_path: pathlib.Path) -> None:
    values, rings = np.stack([VALUES, VALUES + 7]), np.stack([RING, ~RING])
    dataset = marked(values, rings, bit=13)
    second = marked(values, ~rings, bit=14, group=0x6002)
    dataset.PixelData = bytes(a | b for a, b in zip(dataset.PixelData, second.PixelData, strict=True))
    for element in second.group_dataset(0x6002):
        dataset.add(element)
    image = read_image(saved(dataset, tmp_path / "image.dcm"))
    np.testing.assert_array_equal(image.pixels, values)
    assert image.dataset is not None
    np.testing.assert_array_equal(plane_of(image.dataset, (2, 6, 5)), rings)
    np.testing.assert_array_equal(plane_of(image.dataset, (2, 6, 5), 0x6002), ~rings)
    assert image.dataset[0x6000, 0x0015].value == 2


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80"])
def test_overlays_in_compressed_pixels_are_moved_too(tmp_path: pathlib.Path, syntax: str) -> None:
    encode = {
        "1.2.840.10008.1.2.5": rle_stream,
        "1.2.840.10008.1.2.4.70": lambda a: imagecodecs.jpeg8_encode(a, lossless=True, bitspersample=16),
        "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_encode,
    }[syntax]
    dataset = marked(VALUES, RING, bit=15)
    stored = VALUES | (RING.astype(np.uint16) << 15)
    image = read_image(saved(with_streams(dataset, [encode(stored)], syntax), tmp_path / "image.dcm"))
    np.testing.assert_array_equal(image.pixels[0], VALUES)
    assert image.dataset is not None
    np.testing.assert_array_equal(plane_of(image.dataset, (6, 5)), RING)
    assert image.value_range == (0, 4095)


def test_a_bit_of_the_stored_value_is_no_overlay(tmp_path: pathlib.Path) -> None:
    image = read_image(saved(marked(VALUES, np.zeros_like(RING), bit=5), tmp_path / "image.dcm"))
    np.testing.assert_array_equal(image.pixels[0], VALUES)
    assert "bit 5, which holds no overlay" in image.notes[0]
    assert image.dataset is not None
    assert (0x6000, 0x3000) not in image.dataset


def test_signed_values_keep_their_sign_beside_an_overlay(tmp_path: pathlib.Path) -> None:
    signed = VALUES.astype(np.int16) - 1500
    dataset = marked(signed.view(np.uint16) & 0x0FFF, RING, bit=15)
    dataset.PixelRepresentation = 1
    image = read_image(saved(dataset, tmp_path / "image.dcm"))
    np.testing.assert_array_equal(image.pixels[0], signed)
