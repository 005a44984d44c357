"""Colours are what the code stream says, with a note where the data set says otherwise; or the file is refused."""

from __future__ import annotations

import pathlib

import imagecodecs
import numpy as np
import pytest

from medsr_jax.errors import MedsrError
from tests.imaging.dicom.objects import image_object, rle_stream, with_streams
from tests.imaging.dicom.syntaxes import TS, coloured, colours, j2k, jpeg, jxl, luma, notes, ramp, read, ycc

COLOUR_STREAMS = {
    # What the stream holds and says; the data set's word; the truth as Y, or luma of RGB; what the note says.
    "JFIF under RGB": (TS + "50", jpeg(colours()), "RGB", "YCbCr"),
    "JFIF under MONOCHROME2": (TS + "50", jpeg(colours()), "MONOCHROME2", "YCbCr"),
    "Adobe RGB under YBR_FULL": (
        TS + "50",
        imagecodecs.jpeg8_encode(colours(), 98, colorspace="RGB", outcolorspace="RGB"),
        "YBR_FULL_422",
        "RGB",
    ),
    "JPEG 2000 with its transform under YBR_FULL": (TS + "90", j2k(colours()), "YBR_FULL", "RGB"),
    "HTJ2K with its transform under YBR_FULL": (TS + "201", imagecodecs.htj2k_encode(colours()), "YBR_FULL", "RGB"),
    "JPEG 2000 without the transform under YBR_RCT": (
        TS + "90",
        imagecodecs.jpeg2k_encode(colours(), level=0, codecformat="j2k", mct=False),
        "YBR_RCT",
        "no colour transform",
    ),
    "JPEG XL under YBR_FULL_422": (TS + "110", jxl(colours()), "YBR_FULL_422", "RGB"),
}


@pytest.mark.parametrize("case", COLOUR_STREAMS)
def test_colours_are_what_the_stream_says(tmp_path: pathlib.Path, case: str) -> None:
    syntax, stream, photometric, word = COLOUR_STREAMS[case]
    image = read(coloured([stream], syntax, photometric), tmp_path)
    assert np.abs(image.pixels[0] - luma(colours())).max() <= 2
    assert word in notes(image)


def without_segment(stream: bytes, marker: int) -> bytes:
    at = stream.index(bytes([0xFF, marker]))
    return stream[:at] + stream[at + 2 + int.from_bytes(stream[at + 2 : at + 4], "big") :]


def test_components_named_r_g_and_b_are_rgb(tmp_path: pathlib.Path) -> None:
    stream = imagecodecs.jpeg8_encode(colours(), 98, colorspace="RGB", outcolorspace="RGB")
    stream = without_segment(stream, 0xEE)
    image = read(coloured([stream], TS + "50", "YBR_FULL"), tmp_path)
    assert np.abs(image.pixels[0] - luma(colours())).max() <= 2
    assert "RGB" in notes(image)


def test_subsampled_chroma_is_never_rgb(tmp_path: pathlib.Path) -> None:
    stream = without_segment(imagecodecs.jpeg8_encode(colours(), 98, subsampling="420"), 0xE0)
    image = read(coloured([stream], TS + "50", "RGB"), tmp_path)
    assert np.abs(image.pixels[0] - luma(colours())).max() <= 2
    assert "YCbCr" in notes(image)


@pytest.mark.parametrize("photometric", ["YBR_PARTIAL_420", "YBR_PARTIAL_422"])
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5", TS + "50", TS + "90"])
def test_partial_range_luma_is_stretched(tmp_path: pathlib.Path, photometric: str, syntax: str) -> None:
    full = ycc(colours()).astype(float)
    partial = np.rint(np.dstack([16 + full[..., 0] * 219 / 255, 128 + (full[..., 1:] - 128) * 224 / 255]))
    partial = partial.astype(np.uint8)
    encoders = {
        TS + "50": lambda a: imagecodecs.jpeg8_encode(a, 99, colorspace="YCBCR", outcolorspace="YCBCR"),
        TS + "90": lambda a: imagecodecs.jpeg2k_encode(a, level=0, codecformat="j2k", mct=False),
        "1.2.840.10008.1.2.5": rle_stream,
    }
    if syntax in encoders:
        dataset = coloured([encoders[syntax](partial)], syntax, photometric)
    else:
        dataset = image_object(partial[..., 0], SamplesPerPixel=3, PhotometricInterpretation=photometric)
        dataset.PlanarConfiguration, dataset.PixelData = 0, partial.tobytes()
    image = read(dataset, tmp_path)
    assert np.abs(image.pixels[0] - luma(colours())).max() <= 1 + 2 * (syntax == TS + "50")
    assert "YBR_PARTIAL" in notes(image)


@pytest.mark.parametrize("photometric", ["YBR_FULL_422", "YBR_PARTIAL_422"])
def test_native_chroma_of_pairs_is_taken_apart(tmp_path: pathlib.Path, photometric: str) -> None:
    y = ramp(8)
    chroma = np.full((24, 10), 128, np.uint8)
    packed = np.stack([y[:, ::2], y[:, 1::2], chroma, chroma], -1)
    dataset = image_object(y, SamplesPerPixel=3, PlanarConfiguration=0, PhotometricInterpretation=photometric)
    dataset.PixelData = packed.tobytes()
    image = read(dataset, tmp_path)
    truth = y if photometric == "YBR_FULL_422" else np.rint((y.astype(float) - 16) * 255 / 219).clip(0, 255)
    np.testing.assert_array_equal(image.pixels[0], truth)


@pytest.mark.parametrize(
    ("number", "stream"),
    [
        ("80", imagecodecs.jpegls_encode(ramp(8), level=2)),
        ("90", imagecodecs.jpeg2k_encode(ramp(8), level=40, reversible=False, codecformat="j2k")),
        ("201", imagecodecs.htj2k_encode(ramp(8), level=0.01, reversible=False)),
        ("110", imagecodecs.jpegxl_encode(ramp(8), level=90)),
        ("70", jpeg(ramp(8))),
    ],
)
def test_a_lossy_stream_under_a_lossless_syntax_is_called_lossy(
    tmp_path: pathlib.Path, number: str, stream: bytes
) -> None:
    image = read(with_streams(image_object(ramp(8)), [stream], TS + number), tmp_path)
    assert np.abs(image.pixels[0].astype(int) - ramp(8)).max() <= 20
    assert "already lossy" in notes(image)


def test_frames_that_differ_among_themselves_are_refused(tmp_path: pathlib.Path) -> None:
    dataset = coloured([jpeg(colours()), jpeg(ramp(8))], TS + "50", "YBR_FULL")
    with pytest.raises(MedsrError, match="frames that differ in components"):
        read(dataset, tmp_path)


def test_two_or_four_components_are_refused(tmp_path: pathlib.Path) -> None:
    four = np.dstack([colours(), ramp(8)])
    for number, stream in (
        ("50", imagecodecs.jpeg8_encode(four, colorspace="CMYK", outcolorspace="CMYK")),
        ("90", j2k(four)),
    ):
        with pytest.raises(MedsrError, match="4 components"):
            read(coloured([stream], TS + number, "RGB"), tmp_path)


def test_colour_boxes_of_a_jp2_file_do_not_change_the_samples(tmp_path: pathlib.Path) -> None:
    stream = imagecodecs.jpeg2k_encode(ycc(colours()), level=0, codecformat="jp2", mct=False)
    at = stream.index(b"colr") + 4
    sycc = stream[: at + 3] + (18).to_bytes(4, "big") + stream[at + 7 :]
    image = read(coloured([sycc], TS + "90", "RGB"), tmp_path)
    assert np.abs(image.pixels[0] - luma(colours())).max() <= 1
    assert "YCbCr" in notes(image)
