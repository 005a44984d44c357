"""Attributes that are wrong, missing or unusual: the values come right, with a note where something was assumed."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import read_image
from tests.imaging.dicom.objects import image_object, saved
from tests.imaging.dicom.syntaxes import colours, luma, notes, ramp, read


def native_colour(samples: np.ndarray, photometric: str, **attributes: object) -> Any:
    dataset = image_object(ramp(8), SamplesPerPixel=3, PhotometricInterpretation=photometric, PlanarConfiguration=0)
    dataset.PixelData = samples.tobytes()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def test_a_high_bit_above_values_at_bit_0_does_not_shift_them(tmp_path: pathlib.Path) -> None:
    image = read(image_object(ramp(12), bits_stored=12, HighBit=15), tmp_path)
    np.testing.assert_array_equal(image.pixels[0], ramp(12))
    assert "the values lie at bit 0" in notes(image)


def test_shifted_values_leave_a_data_set_that_describes_them(tmp_path: pathlib.Path) -> None:
    image = read(image_object(ramp(12) << 4, bits_stored=12, HighBit=15), tmp_path)
    np.testing.assert_array_equal(image.pixels[0], ramp(12))


@pytest.mark.parametrize("high", [0, 10, 31])
def test_an_impossible_high_bit_is_ignored_with_a_note(tmp_path: pathlib.Path, high: int) -> None:
    image = read(image_object(ramp(12), bits_stored=12, HighBit=high), tmp_path)
    np.testing.assert_array_equal(image.pixels[0], ramp(12))
    assert f"HighBit is {high}" in notes(image)


def test_packed_twelve_bits_are_refused(tmp_path: pathlib.Path) -> None:
    dataset = image_object(ramp(12), bits_stored=12, BitsAllocated=12)
    with pytest.raises(MedsrError, match="12 bits stored of 12 allocated; 1, 8, 16 and 32 are read"):
        read(dataset, tmp_path)


def test_single_bits_are_described_as_the_bytes_that_they_become(tmp_path: pathlib.Path) -> None:
    bits = np.stack([ramp(8) > 99, ramp(8) > 180])
    dataset = image_object(bits.astype(np.uint8), BitsAllocated=1, BitsStored=1, HighBit=0)
    dataset.PixelData = np.packbits(bits.ravel(), bitorder="little").tobytes()
    image = read(dataset, tmp_path)
    np.testing.assert_array_equal(image.pixels, bits)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 3)])
def test_padding_to_an_even_length_is_no_frame(tmp_path: pathlib.Path, shape: tuple[int, int]) -> None:
    values = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape) + 1
    image = read(image_object(values), tmp_path)
    np.testing.assert_array_equal(image.pixels, values[np.newaxis])
    assert image.notes == ()


def test_bytes_that_are_no_whole_frame_are_told_of(tmp_path: pathlib.Path) -> None:
    dataset = image_object(ramp(8))
    dataset.PixelData += b"\7" * 100
    image = read(dataset, tmp_path)
    assert len(image.pixels) == 1
    assert image.notes == ("100 bytes behind the last frame were ignored",)


@pytest.mark.parametrize("planar", [0, 1, None])
def test_planes_are_told_by_planar_configuration(tmp_path: pathlib.Path, planar: int | None) -> None:
    samples = np.moveaxis(colours(), -1, 0) if planar == 1 else colours()
    dataset = native_colour(samples, "RGB", PlanarConfiguration=planar)
    if planar is None:
        del dataset.PlanarConfiguration
    image = read(dataset, tmp_path)
    np.testing.assert_array_equal(image.pixels[0], luma(colours()))


def test_three_samples_called_monochrome_are_rgb_with_a_note(tmp_path: pathlib.Path) -> None:
    image = read(native_colour(colours(), "MONOCHROME2"), tmp_path)
    np.testing.assert_array_equal(image.pixels[0], luma(colours()))
    assert "MONOCHROME2 taken as RGB" in notes(image)


def test_colour_that_counts_one_sample_is_no_three_frames(tmp_path: pathlib.Path) -> None:
    image = read(native_colour(colours(), "RGB", SamplesPerPixel=1), tmp_path)
    np.testing.assert_array_equal(image.pixels[0], luma(colours()))
    assert "3 samples a pixel, as used" in notes(image)


@pytest.mark.parametrize("bits", [8, 16])
def test_palettes_of_sixteen_bit_entries_keep_them(tmp_path: pathlib.Path, bits: int) -> None:
    entries = np.linspace(0, 65535, 256).astype(np.uint16) if bits == 16 else np.arange(256, dtype=np.uint16) * 257
    dataset = image_object(ramp(8), PhotometricInterpretation="PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(dataset, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(dataset, f"{colour}PaletteColorLookupTableData", entries.astype("<u2").tobytes())
    image = read_image(saved(dataset, tmp_path / "image.dcm"))
    expected = entries if np.any(entries % 257) else entries // 257
    np.testing.assert_array_equal(image.pixels[0], expected[ramp(8)])


def test_a_padding_value_of_the_other_sign_is_that_of_the_pixels(tmp_path: pathlib.Path) -> None:
    values = ramp(12).astype(np.int16) - 2048
    dataset = image_object(values, bits_stored=12)
    dataset.add_new("PixelPaddingValue", "US", 63488)
    image = read_image(saved(dataset, tmp_path / "image.dcm"))
    assert image.padding == (-2048, -2048)
