"""TIFF pixels keep their values: no-data as padding, YCbCr as luma, floats of every width; CMYK JPEGs too."""

from __future__ import annotations

import pathlib
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import read_image
from medsr_jax.imaging.colour import luma
from tests.imaging.dicom.syntaxes import colours, ramp, ycc
from tests.imaging.dicom.syntaxes import luma as luma_of

GDAL_NODATA = 42113
LOWEST = float(np.finfo(np.float32).min)


def tiff(path: pathlib.Path, pixels: np.ndarray, no_data: str | None = None, **options: object) -> pathlib.Path:
    tags = [(GDAL_NODATA, 2, 0, no_data, True)] if no_data is not None else []
    tifffile.imwrite(path, pixels, extratags=tags, **options)
    return path


@pytest.mark.parametrize("text", ["-3.4028234663852886e+38", "-3.40282347e+38", " -3.4028234663852886e+38 "])
def test_the_no_data_value_of_a_float_tiff_is_padding_and_no_part_of_the_range(
    tmp_path: pathlib.Path, text: str
) -> None:
    pixels = ramp(12).astype(np.float32)
    pixels[:3] = LOWEST
    image = read_image(tiff(tmp_path / "image.tif", pixels, text))
    np.testing.assert_array_equal(image.pixels[0], pixels)
    assert image.padding == (LOWEST, LOWEST)
    assert image.value_range == (pixels[3:].min(), pixels[3:].max())
    assert "padding" in image.notes[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float64])
def test_a_small_no_data_value_is_padding_too(tmp_path: pathlib.Path, dtype: type) -> None:
    pixels = ramp(7).astype(dtype) + dtype(1)
    pixels[:3] = 0
    image = read_image(tiff(tmp_path / "image.tif", pixels, "0"))
    assert image.padding == (0, 0)
    np.testing.assert_array_equal(image.pixels[0], pixels)


@pytest.mark.parametrize("text", ["-9999", "nan", "none", ""])
def test_a_no_data_value_that_no_pixel_has_is_no_padding(tmp_path: pathlib.Path, text: str) -> None:
    image = read_image(tiff(tmp_path / "image.tif", ramp(12).astype(np.float32), text))
    assert image.padding is None
    assert image.notes == ()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_huge_value_without_a_tag_is_padding(tmp_path: pathlib.Path, dtype: type) -> None:
    pixels = ramp(12).astype(dtype)
    pixels[:3] = 1e30
    image = read_image(tiff(tmp_path / "image.tif", pixels))
    assert image.padding == (pixels[0, 0], pixels[0, 0])
    assert image.value_range == (pixels[3:].min(), pixels[3:].max())
    assert "taken as holding no data" in image.notes[0]


def test_huge_values_of_several_kinds_are_refused(tmp_path: pathlib.Path) -> None:
    pixels = ramp(12).astype(np.float32)
    pixels[0], pixels[1] = 1e30, -1e30
    for no_data in (None, "1e30"):
        with pytest.raises(MedsrError, match="no-data value"):
            read_image(tiff(tmp_path / "image.tif", pixels, no_data))


def test_nan_is_refused_with_the_remedy_even_where_it_is_no_data(tmp_path: pathlib.Path) -> None:
    pixels = ramp(12).astype(np.float32)
    pixels[0, 0] = np.nan
    with pytest.raises(MedsrError, match="NaN or infinite pixels; replace them by a number"):
        read_image(tiff(tmp_path / "image.tif", pixels, "nan"))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_keep_their_width(tmp_path: pathlib.Path, dtype: type) -> None:
    pixels = (1024 + ramp(8) / 256).astype(dtype)
    image = read_image(tiff(tmp_path / "image.tif", pixels))
    assert image.pixels.dtype == dtype
    np.testing.assert_array_equal(image.pixels[0], pixels)
    assert image.value_range == (float(pixels.min()), float(pixels.max()))


def test_double_precision_and_32_bits_keep_small_steps_on_a_large_offset(tmp_path: pathlib.Path) -> None:
    steps = 3e9 + ramp(10).astype(np.float64) / 1024
    np.testing.assert_array_equal(read_image(tiff(tmp_path / "double.tif", steps)).pixels[0], steps)
    levels = (3_000_000_000 + ramp(10).astype(np.uint64)).astype(np.uint32)
    np.testing.assert_array_equal(read_image(tiff(tmp_path / "u32.tif", levels)).pixels[0], levels)


@pytest.mark.parametrize("dtype", [np.uint32, np.float32, np.float64])
def test_equal_channels_of_wide_pixels_come_back_to_the_bit(dtype: type) -> None:
    grey = (4_000_000_000 + ramp(10).astype(np.uint64)).astype(dtype)
    np.testing.assert_array_equal(luma(np.dstack([grey, grey, grey])), grey)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_ycbcr_without_jpeg_is_its_luma(tmp_path: pathlib.Path, compression: str | None, planes: str) -> None:
    samples = ycc(colours())
    if planes == "separate":
        samples = np.moveaxis(samples, -1, 0)
    path = tiff(tmp_path / "i.tif", samples, photometric="ycbcr", planarconfig=planes, compression=compression)
    image = read_image(path)
    assert np.abs(image.pixels[0] - luma_of(colours())).max() <= 1
    assert "YCbCr" in image.notes[0]


def test_ycbcr_of_a_reference_black_and_white_is_stretched(tmp_path: pathlib.Path) -> None:
    full = ycc(colours()).astype(float)
    part = np.dstack([16 + full[..., 0] * 219 / 255, 128 + (full[..., 1:] - 128) * 224 / 255])
    reference = (532, 5, 6, (16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1), True)
    path = tmp_path / "image.tif"
    tifffile.imwrite(
        path, np.rint(part).astype(np.uint8), photometric="ycbcr", planarconfig="contig", extratags=[reference]
    )
    assert np.abs(read_image(path).pixels[0] - luma_of(colours())).max() <= 1


@pytest.mark.parametrize(
    "tag",
    [
        (532, 5, 6, (16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 0), True),
        (532, 5, 2, (16, 1, 235, 1), True),
        (529, 5, 3, (2126, 10000, 7152, 10000, 722, 0), True),
        (529, 5, 2, (2126, 10000, 7152, 10000), True),
    ],
)
def test_a_reference_or_coefficients_that_are_none_are_left_out(tmp_path: pathlib.Path, tag: tuple[Any, ...]) -> None:
    path = tmp_path / "image.tif"
    tifffile.imwrite(path, ycc(colours()), photometric="ycbcr", planarconfig="contig", extratags=[tag])
    assert np.abs(read_image(path).pixels[0] - luma_of(colours())).max() <= 1


def test_ycbcr_of_other_coefficients_goes_by_way_of_rgb(tmp_path: pathlib.Path) -> None:
    rgb = colours().astype(float) / 2 + 60
    y = rgb @ np.array([0.2126, 0.7152, 0.0722])
    parts = [y, 128 + (rgb[..., 2] - y) / 1.8556, 128 + (rgb[..., 0] - y) / 1.5748]
    coefficients = (529, 5, 3, (2126, 10000, 7152, 10000, 722, 10000), True)
    path = tmp_path / "image.tif"
    samples = np.rint(np.stack(parts, -1)).astype(np.uint8)
    tifffile.imwrite(path, samples, photometric="ycbcr", planarconfig="contig", extratags=[coefficients])
    assert np.abs(read_image(path).pixels[0] - luma_of(rgb)).max() <= 1.5


def test_subsampled_ycbcr_without_jpeg_is_refused(tmp_path: pathlib.Path) -> None:
    path = tiff(tmp_path / "image.tif", ycc(colours()), photometric="ycbcr", planarconfig="contig")
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        tag = file.pages[0].tags.get("YCbCrSubSampling")
        assert tag is not None
        data[tag.valueoffset : tag.valueoffset + 4] = b"\x02\0\x02\0"
    path.write_bytes(data)
    with pytest.raises(MedsrError, match="chroma subsampled 2 x 2"):
        read_image(path)


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 2)])
def test_ycbcr_in_jpeg_is_its_luma(tmp_path: pathlib.Path, subsampling: tuple[int, int]) -> None:
    path = tmp_path / "image.tif"
    args = {"level": 98}
    tifffile.imwrite(
        path,
        colours(),
        photometric="rgb",
        compression="jpeg",
        compressionargs=args,
        subsampling=subsampling,
    )
    assert np.abs(read_image(path).pixels[0] - luma_of(colours())).max() <= 6


def cmyk_jpeg(path: pathlib.Path, *, adobe: bool, flags: int = 0) -> np.ndarray:
    """Grey as inks; returns the grey."""
    grey = ramp(8)
    inks = np.dstack([255 - grey, 255 - grey, 255 - grey, np.zeros_like(grey)])
    data = imagecodecs.jpeg8_encode(255 - inks if adobe else inks, 99, colorspace="CMYK", outcolorspace="CMYK")
    at = data.index(b"\xff\xee")
    segment = data[at : at + 16]
    changed = segment[:11] + flags.to_bytes(2, "big") + segment[13:] if adobe else b""
    path.write_bytes(data[:at] + changed + data[at + 16 :])
    return grey


def test_cmyk_without_an_adobe_segment_is_not_inverted(tmp_path: pathlib.Path) -> None:
    grey = cmyk_jpeg(tmp_path / "image.jpg", adobe=False)
    image = read_image(tmp_path / "image.jpg")
    assert np.abs(image.pixels[0].astype(int) - grey).max() <= 3
    assert "0 is no ink" in image.notes[0]


def test_cmyk_of_adobes_programs_is_inverted(tmp_path: pathlib.Path) -> None:
    grey = cmyk_jpeg(tmp_path / "image.jpg", adobe=True, flags=0x8000)
    assert np.abs(read_image(tmp_path / "image.jpg").pixels[0].astype(int) - grey).max() <= 3


def test_cmyk_that_libjpeg_marked_may_be_either_and_is_refused(tmp_path: pathlib.Path) -> None:
    cmyk_jpeg(tmp_path / "image.jpg", adobe=True)
    with pytest.raises(MedsrError, match="inks inverted or not; convert it"):
        read_image(tmp_path / "image.jpg")


def test_a_jpeg_of_components_r_g_b_is_rgb(tmp_path: pathlib.Path) -> None:
    data = imagecodecs.jpeg8_encode(colours(), 99, colorspace="RGB", outcolorspace="RGB")
    at = data.index(b"\xff\xee")
    (tmp_path / "image.jpg").write_bytes(data[:at] + data[at + 16 :])
    assert np.abs(read_image(tmp_path / "image.jpg").pixels[0] - luma_of(colours())).max() <= 2
    PIL.Image.fromarray(colours()).save(tmp_path / "jfif.jpg", quality=98, subsampling=0)
    assert np.abs(read_image(tmp_path / "jfif.jpg").pixels[0] - luma_of(colours())).max() <= 4
