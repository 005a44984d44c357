"""Where a code stream and its data set disagree, the stream is used with a note, or the file is refused.

A table: every transfer syntax that is read, against every kind of disagreement.
"""

from __future__ import annotations

import pathlib

import imagecodecs
import numpy as np
import pytest
from pydicom.uid import UID

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import read_image
from tests.imaging.dicom.objects import image_object, rle_stream, saved_as, with_streams
from tests.imaging.dicom.syntaxes import (
    CODE_STREAMS,
    ENCODED,
    SYNTAXES,
    TS,
    Syntax,
    coloured,
    colours,
    j2k,
    jpeg,
    jpeg_12,
    lossless_jpeg,
    luma,
    near_lossless,
    notes,
    object_of,
    of,
    ramp,
    read,
)


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


@pytest.mark.parametrize("native", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
@of(ENCODED[::4])
def test_code_streams_under_a_native_syntax_are_decoded(tmp_path: pathlib.Path, syntax: Syntax, native: str) -> None:
    truth = ramp(syntax.bits)
    dataset = object_of(truth, syntax, bits_stored=syntax.bits)
    path = saved_as(dataset, tmp_path / "image.dcm")
    # pydicom writes no such file: the transfer syntax is changed afterwards, at the same length.
    stated, wanted = syntax.uid.encode(), native.encode()
    stated += b"\0" * (len(stated) % 2)
    path.write_bytes(path.read_bytes().replace(stated, wanted + b"\0" * (len(stated) - len(wanted)), 1))
    image = read_image(path)
    assert np.abs(image.pixels[0].astype(int) - truth).max() <= syntax.tolerance
    assert "as the transfer syntax says" in notes(image)


@of([syntax for syntax in CODE_STREAMS if syntax.bits > 8])
def test_bits_allocated_that_are_too_few_grow(tmp_path: pathlib.Path, syntax: Syntax) -> None:
    truth = ramp(syntax.bits)
    dataset = object_of(truth, syntax, bits_stored=syntax.bits)
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    image = read(dataset, tmp_path)
    assert image.pixels.dtype == np.uint16
    assert np.abs(image.pixels[0].astype(int) - truth).max() <= syntax.tolerance
    assert "as the code stream says" in notes(image)
