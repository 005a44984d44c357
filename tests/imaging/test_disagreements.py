"""Where a code stream and its data set disagree, the stream is used with a note, or the file is refused.

A table: every transfer syntax that is read, against every kind of disagreement.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import Image, read_image
from tests.imaging.dicom_objects import image_object, rle_stream, saved_as, with_streams

TS = "1.2.840.10008.1.2.4."


@dataclasses.dataclass(frozen=True)
class Syntax:
    """How a transfer syntax encodes a frame of `bits` bits, and how far its values may be off."""

    uid: str
    bits: int
    grey: Callable[[np.ndarray], bytes] | None
    colour: Callable[[np.ndarray], bytes] | None
    tolerance: int = 0

    @property
    def dtype(self) -> type:
        return np.uint8 if self.bits == 8 else np.uint16


def lossless_jpeg(frame: np.ndarray) -> bytes:
    return imagecodecs.jpeg8_encode(frame, lossless=True, bitspersample=8 * frame.dtype.itemsize)


def jpeg(frame: np.ndarray) -> bytes:
    return imagecodecs.jpeg8_encode(frame, level=98, subsampling="444")


def j2k(frame: np.ndarray) -> bytes:
    return imagecodecs.jpeg2k_encode(frame, level=0, reversible=True, codecformat="j2k")


def jxl(frame: np.ndarray) -> bytes:
    return imagecodecs.jpegxl_encode(frame, lossless=True)


def jpeg_12(frame: np.ndarray) -> bytes:
    return imagecodecs.jpeg8_encode(frame, level=99, bitspersample=12)


def near_lossless(frame: np.ndarray) -> bytes:
    return imagecodecs.jpegls_encode(frame, level=2)


SYNTAXES = [
    Syntax("1.2.840.10008.1.2", 16, None, None),
    Syntax("1.2.840.10008.1.2.1", 16, None, None),
    Syntax("1.2.840.10008.1.2.1.99", 16, None, None),
    Syntax("1.2.840.10008.1.2.2", 16, None, None),
    Syntax("1.2.840.10008.1.2.5", 16, rle_stream, rle_stream),
    Syntax(TS + "50", 8, jpeg, jpeg, tolerance=4),
    Syntax(TS + "51", 12, jpeg_12, jpeg, tolerance=40),
    Syntax(TS + "57", 16, lossless_jpeg, lossless_jpeg),
    Syntax(TS + "70", 16, lossless_jpeg, lossless_jpeg),
    Syntax(TS + "80", 16, imagecodecs.jpegls_encode, imagecodecs.jpegls_encode),
    Syntax(TS + "81", 16, near_lossless, near_lossless, tolerance=2),
    Syntax(TS + "90", 16, j2k, j2k),
    Syntax(TS + "91", 16, j2k, j2k),
    Syntax(TS + "201", 16, imagecodecs.htj2k_encode, imagecodecs.htj2k_encode),
    Syntax(TS + "202", 16, imagecodecs.htj2k_encode, imagecodecs.htj2k_encode),
    Syntax(TS + "203", 16, imagecodecs.htj2k_encode, imagecodecs.htj2k_encode),
    Syntax(TS + "110", 16, jxl, jxl),
    Syntax(TS + "111", 16, jxl, jxl),
    Syntax(TS + "112", 16, jxl, jxl),
]
ENCODED = [syntax for syntax in SYNTAXES if syntax.grey]
CODE_STREAMS = [syntax for syntax in ENCODED if syntax.grey is not rle_stream]


def of(syntaxes: list[Syntax]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("syntax", syntaxes, ids=[syntax.uid for syntax in syntaxes])


def ramp(bits: int, *, low: int = 0, seed: int = 0) -> np.ndarray:
    """24 x 20 smooth values from `low` to the largest of `bits` bits."""
    rows, columns = np.mgrid[:24, :20]
    values = (rows * 2 + columns * 3 + seed * 5) / (46 + 57 + seed * 5)
    return np.rint(low + values * (2**bits - 1 - low)).astype(np.uint8 if bits <= 8 else np.uint16)


def colours() -> np.ndarray:
    rows, columns = np.mgrid[:24, :20]
    return np.stack([rows * 10, columns * 12, 255 - rows * 5 - columns * 3], -1).astype(np.uint8)


def luma(rgb: np.ndarray) -> np.ndarray:
    return np.rint(rgb @ np.array([0.299, 0.587, 0.114]))


def ycc(rgb: np.ndarray) -> np.ndarray:
    y = rgb @ np.array([0.299, 0.587, 0.114])
    parts = [y, 128 + 0.564 * (rgb[..., 2] - y), 128 + 0.713 * (rgb[..., 0] - y)]
    return np.rint(np.stack(parts, -1)).clip(0, 255).astype(np.uint8)


def object_of(frames: np.ndarray, syntax: Syntax, *, bits_stored: int, **attributes: object) -> Dataset:
    """A data set of grey frames, coded as the transfer syntax does."""
    dataset = image_object(frames, bits_stored=bits_stored, **attributes)
    if syntax.grey is None:
        dataset.file_meta.TransferSyntaxUID = UID(syntax.uid)
        if syntax.uid == "1.2.840.10008.1.2.2":
            dataset.PixelData = frames.astype(frames.dtype.newbyteorder(">")).tobytes()
        return dataset
    planes = frames[np.newaxis] if frames.ndim == 2 else frames
    return with_streams(dataset, [syntax.grey(plane) for plane in planes], syntax.uid)


def read(dataset: Dataset, folder: pathlib.Path) -> Image:
    image = read_image(saved_as(dataset, folder / "image.dcm"))
    described = image.dataset
    assert described is not None
    assert int(described.get("NumberOfFrames", 1)) == len(image.pixels)
    assert (described.Rows, described.Columns) == image.pixels.shape[1:]
    assert described.BitsAllocated == 8 * image.pixels.dtype.itemsize
    assert described.PixelRepresentation == (image.pixels.dtype.kind == "i")
    assert image.value_range[0] <= image.pixels.min() <= image.pixels.max() <= image.value_range[1]
    assert described.BitsStored == int(image.value_range[1] - image.value_range[0] + 1).bit_length() - 1
    assert described.HighBit == described.BitsStored - 1
    return image


def notes(image: Image) -> str:
    return "; ".join(image.notes)


def coloured(streams: list[bytes], syntax: str, photometric: str, *, samples: int = 3) -> Dataset:
    dataset = image_object(np.zeros((24, 20), np.uint8), SamplesPerPixel=samples, PhotometricInterpretation=photometric)
    if samples == 3:
        dataset.PlanarConfiguration = 0
    return with_streams(dataset, streams, syntax)


@of(CODE_STREAMS)
def test_values_beyond_bits_stored_keep_the_precision_of_the_stream(tmp_path: pathlib.Path, syntax: Syntax) -> None:
    truth = ramp(syntax.bits - 1)
    image = read(object_of(truth, syntax, bits_stored=syntax.bits - 2), tmp_path)
    assert np.abs(image.pixels[0].astype(int) - truth).max() <= syntax.tolerance
    assert f"values have {syntax.bits} bits, as the code stream says" in notes(image)
    assert image.value_range == (0, 2**syntax.bits - 1)


@of([syntax for syntax in SYNTAXES if syntax not in CODE_STREAMS])
def test_bits_above_those_stored_are_cleared_with_a_note_where_no_stream_says_more(
    tmp_path: pathlib.Path, syntax: Syntax
) -> None:
    truth = ramp(12)
    image = read(object_of(truth | 0x8000, syntax, bits_stored=12), tmp_path)
    np.testing.assert_array_equal(image.pixels[0], truth)
    assert "bits above the 12 stored were cleared" in notes(image)


@of(SYNTAXES)
def test_values_that_fit_into_bits_stored_keep_it_without_a_note(tmp_path: pathlib.Path, syntax: Syntax) -> None:
    truth = ramp(syntax.bits - 2) // 2
    image = read(object_of(truth, syntax, bits_stored=syntax.bits - 1), tmp_path)
    assert np.abs(image.pixels[0].astype(int) - truth).max() <= syntax.tolerance
    assert image.value_range == (0, 2 ** (syntax.bits - 1) - 1)
    assert image.notes == ()


@of([syntax for syntax in SYNTAXES if syntax.bits == 16 and not syntax.tolerance])
@pytest.mark.parametrize("extended", [True, False])
def test_signed_values_are_twos_complement_with_or_without_sign_extension(
    tmp_path: pathlib.Path, syntax: Syntax, extended: bool
) -> None:
    truth = ramp(12).astype(np.int16) - 2048
    bits = truth.view(np.uint16) if extended else truth.view(np.uint16) & 0x0FFF
    image = read(object_of(bits, syntax, bits_stored=12, PixelRepresentation=1), tmp_path)
    np.testing.assert_array_equal(image.pixels[0], truth)
    assert image.value_range == (-2048, 2047)


@of([syntax for syntax in CODE_STREAMS if syntax.bits == 16 and not syntax.tolerance])
def test_signed_values_beyond_bits_stored_keep_their_precision(tmp_path: pathlib.Path, syntax: Syntax) -> None:
    truth = ramp(14).astype(np.int16) - 8192
    image = read(object_of(truth.view(np.uint16), syntax, bits_stored=12, PixelRepresentation=1), tmp_path)
    np.testing.assert_array_equal(image.pixels[0], truth)
    assert "values have 16 bits" in notes(image)


@pytest.mark.parametrize("number", ["90", "91", "201", "202", "203"])
def test_a_signed_stream_is_signed_whatever_the_data_set_says(tmp_path: pathlib.Path, number: str) -> None:
    truth = ramp(12).astype(np.int16) - 2048
    encode = j2k if number.startswith("9") else imagecodecs.htj2k_encode
    dataset = image_object(truth.view(np.uint16), bits_stored=12, PixelPaddingValue=0xF800)
    image = read(with_streams(dataset, [encode(truth)], TS + number), tmp_path)
    np.testing.assert_array_equal(image.pixels[0], truth)
    assert "values are signed, as the code stream says" in notes(image)
    assert image.padding == (-2048, -2048)


@of(ENCODED)
def test_a_colour_stream_under_one_sample_a_pixel_is_colour_or_refused(tmp_path: pathlib.Path, syntax: Syntax) -> None:
    assert syntax.colour is not None
    dataset = coloured([syntax.colour(colours())], syntax.uid, "MONOCHROME2", samples=1)
    if syntax.colour is rle_stream:
        with pytest.raises(MedsrError, match="3 byte planes"):
            read(dataset, tmp_path)
        return
    image = read(dataset, tmp_path)
    assert np.abs(image.pixels[0] - luma(colours())).max() <= 1 + syntax.tolerance
    assert "3 components, as used; Samples per Pixel is 1" in notes(image)


@of(ENCODED)
def test_a_grey_stream_under_three_samples_a_pixel_is_grey_or_refused(tmp_path: pathlib.Path, syntax: Syntax) -> None:
    assert syntax.grey is not None
    truth = ramp(8) if syntax.bits == 8 else ramp(syntax.bits)
    dataset = coloured([syntax.grey(truth)], syntax.uid, "RGB")
    if syntax.grey is rle_stream:
        with pytest.raises(MedsrError, match="2 byte planes"):
            read(dataset, tmp_path)
        return
    image = read(dataset, tmp_path)
    assert np.abs(image.pixels[0].astype(int) - truth).max() <= syntax.tolerance
    assert "1 component, as used; Samples per Pixel is 3" in notes(image)
    assert image.dataset is not None
    assert (image.dataset.SamplesPerPixel, image.dataset.PhotometricInterpretation) == (1, "MONOCHROME2")


@of(SYNTAXES)
@pytest.mark.parametrize("stated", [None, 1, 2])
@pytest.mark.parametrize("table", [False, True])
def test_frames_that_are_not_counted_are_used(
    tmp_path: pathlib.Path, syntax: Syntax, stated: int | None, table: bool
) -> None:
    truth = np.stack([ramp(syntax.bits, seed=seed) for seed in range(3)])
    dataset = object_of(truth, syntax, bits_stored=syntax.bits)
    if syntax.grey is not None:
        with_streams(dataset, [syntax.grey(frame) for frame in truth], syntax.uid, table=table)
    dataset.NumberOfFrames = stated
    if stated is None:
        del dataset.NumberOfFrames
    image = read(dataset, tmp_path)
    assert image.pixels.shape == truth.shape
    assert np.abs(image.pixels.astype(int) - truth).max() <= syntax.tolerance
    assert "3 frames are present and used" in notes(image)


@of(SYNTAXES)
def test_fewer_frames_than_counted_are_refused(tmp_path: pathlib.Path, syntax: Syntax) -> None:
    truth = np.stack([ramp(syntax.bits, seed=seed) for seed in range(3)])
    with pytest.raises(MedsrError, match="3 of 4 frames|less than expected"):
        read(object_of(truth, syntax, bits_stored=syntax.bits, NumberOfFrames=4), tmp_path)


@of(ENCODED)
@pytest.mark.parametrize("counted", [1, 3])
def test_images_in_one_fragment_are_frames(tmp_path: pathlib.Path, syntax: Syntax, counted: int) -> None:
    assert syntax.grey is not None
    truth = np.stack([ramp(syntax.bits, seed=seed) for seed in range(3)])
    dataset = image_object(truth, bits_stored=syntax.bits, NumberOfFrames=counted)
    streams = [syntax.grey(frame) for frame in truth]
    padded = [stream + b"\0" * (len(stream) % 2) for stream in streams]
    image = read(with_streams(dataset, [b"".join(padded)], syntax.uid), tmp_path)
    assert image.pixels.shape == truth.shape
    assert np.abs(image.pixels.astype(int) - truth).max() <= syntax.tolerance


@of(ENCODED)
def test_a_frame_in_several_fragments_is_one(tmp_path: pathlib.Path, syntax: Syntax) -> None:
    assert syntax.grey is not None
    truth = ramp(syntax.bits)
    stream = syntax.grey(truth)
    half = len(stream) // 4 * 2
    dataset = image_object(truth, bits_stored=syntax.bits)
    image = read(with_streams(dataset, [stream[:half], stream[half:]], syntax.uid), tmp_path)
    assert image.pixels.shape == (1, *truth.shape)
    assert np.abs(image.pixels[0].astype(int) - truth).max() <= syntax.tolerance


@of(ENCODED)
@pytest.mark.parametrize("extended", [False, True])
def test_an_offset_table_that_leaves_frames_out_loses_none(
    tmp_path: pathlib.Path, syntax: Syntax, extended: bool
) -> None:
    assert syntax.grey is not None
    truth = np.stack([ramp(syntax.bits, seed=seed) for seed in range(2)])
    dataset = object_of(truth, syntax, bits_stored=syntax.bits, NumberOfFrames=1)
    if extended:
        dataset.ExtendedOffsetTable = np.array([0], "<u8").tobytes()
        dataset.ExtendedOffsetTableLengths = np.array([100], "<u8").tobytes()
    else:
        dataset.PixelData = b"\xfe\xff\x00\xe0\x04\0\0\0\0\0\0\0" + dataset.PixelData[8:]
    image = read(dataset, tmp_path)
    assert len(image.pixels) == 2
    assert "offset table names 1 of 2 frames" in notes(image)


@of(CODE_STREAMS)
@pytest.mark.parametrize("sides", [(12, 20), (24, 40), (60000, 60000)])
def test_sizes_that_disagree_are_refused_before_decoding(
    tmp_path: pathlib.Path, syntax: Syntax, sides: tuple[int, int]
) -> None:
    dataset = object_of(ramp(syntax.bits), syntax, bits_stored=syntax.bits)
    dataset.Rows, dataset.Columns = sides
    with pytest.raises(MedsrError, match="its code stream holds 24 x 20|million"):
        read(dataset, tmp_path)


@of(ENCODED)
@pytest.mark.parametrize("other", ENCODED[::3], ids=lambda syntax: syntax.uid)
def test_a_stream_of_another_codec_is_decoded_as_what_it_is(
    tmp_path: pathlib.Path, syntax: Syntax, other: Syntax
) -> None:
    assert other.grey is not None and syntax.grey is not None
    truth = ramp(other.bits)
    dataset = with_streams(image_object(truth, bits_stored=other.bits), [other.grey(truth)], syntax.uid)
    image = read(dataset, tmp_path)
    assert np.abs(image.pixels[0].astype(int) - truth).max() <= other.tolerance
    families = {jpeg: "JPEG", jpeg_12: "JPEG", lossless_jpeg: "JPEG", near_lossless: imagecodecs.jpegls_encode}
    same = families.get(syntax.grey, syntax.grey) == families.get(other.grey, other.grey)
    if syntax.uid == TS + "50":
        same = other.grey is jpeg
    assert ("as the transfer syntax says" in notes(image)) != same


@of(ENCODED)
def test_native_pixels_under_a_compressed_syntax_are_read_as_native(tmp_path: pathlib.Path, syntax: Syntax) -> None:
    truth = ramp(12)
    dataset = image_object(truth, bits_stored=12)
    path = saved_as(dataset, tmp_path / "image.dcm")
    dataset.file_meta.TransferSyntaxUID = UID(syntax.uid)
    known, data = b"1.2.840.10008.1.2.1\0", path.read_bytes()
    stated = syntax.uid.encode() + b"\0" * (len(syntax.uid) % 2)
    at = data.index(known)
    grown = len(stated) - len(known)
    length = int.from_bytes(data[140:144], "little") + grown
    meta = data[:140] + length.to_bytes(4, "little") + data[144 : at - 2]
    path.write_bytes(meta + len(stated).to_bytes(2, "little") + stated + data[at + len(known) :])
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels[0], truth)
    assert "pixel data are native" in notes(image)


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
