"""Files that would cost minutes, gigabytes or the stack are refused at once, in one line."""

from __future__ import annotations

import io
import pathlib
import struct
import time
import zlib

import imagecodecs
import numpy as np
import PIL.Image
import pydicom
import pytest
import tifffile
from pydicom.uid import UID

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import read_image
from tests.imaging.dicom.objects import image_object, saved, with_streams

GREY = np.arange(64, dtype=np.uint8).reshape(8, 8)


def refusal(path: pathlib.Path, data: bytes | None = None) -> str:
    """The one line that refuses the file, within 2 seconds of processor time."""
    if data is not None:
        path.write_bytes(data)
    start = time.process_time()
    with pytest.raises(MedsrError) as caught:
        read_image(path)
    assert time.process_time() - start < 2
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("defined", [True, False])
def test_sequences_three_hundred_deep_are_refused(tmp_path: pathlib.Path, defined: bool) -> None:
    dataset = image_object(GREY)
    dataset.ContentSequence = []
    whole = saved(dataset, tmp_path / "image.dcm").read_bytes()
    empty = b"\x40\x00\x30\xa7SQ\0\0\0\0\0\0"
    assert empty in whole
    nested = b""
    for _ in range(300):
        if defined:
            item = b"\xfe\xff\x00\xe0" + struct.pack("<I", len(nested)) + nested
            nested = empty[:8] + struct.pack("<I", len(item)) + item
        else:
            item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + nested + b"\xfe\xff\x0d\xe0\0\0\0\0"
            nested = empty[:8] + b"\xff\xff\xff\xff" + item + b"\xfe\xff\xdd\xe0\0\0\0\0"
    refused = refusal(tmp_path / "image.dcm", whole.replace(empty, nested))
    assert "nested more than 32 deep" in refused or "maximum recursion depth" in refused


def test_a_deflated_data_set_inflates_within_a_bound(tmp_path: pathlib.Path) -> None:
    dataset = image_object(GREY)
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.1.99")
    path = saved(dataset, tmp_path / "image.dcm")
    np.testing.assert_array_equal(read_image(path).pixels[0], GREY)
    assert read_image(path).dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1.99"
    whole = path.read_bytes()
    meta = whole[: 144 + int.from_bytes(whole[140:144], "little")]
    deflate = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    chunk = bytes(2**24)
    bomb = b"".join(deflate.compress(chunk) for _ in range(20)) + deflate.flush()
    assert "inflates to more than 256 MiB" in refusal(path, meta + bomb)


def test_several_transfer_syntaxes_are_refused(tmp_path: pathlib.Path) -> None:
    dataset = image_object(GREY)
    whole = saved(dataset, tmp_path / "image.dcm").read_bytes()
    one, two = b"1.2.840.10008.1.2.1\0", b"1.2.840.10\\8.1.2.1\0\0"
    assert "2 transfer syntaxes" in refusal(tmp_path / "image.dcm", whole.replace(one, two))


def test_text_where_a_sequence_belongs_is_left_out_with_a_note(tmp_path: pathlib.Path) -> None:
    dataset = image_object(GREY)
    dataset.SourceImageSequence = []
    whole = saved(dataset, tmp_path / "image.dcm").read_bytes()
    element = b"\x08\x00\x12\x21SQ\0\0\0\0\0\0"
    assert element in whole
    (tmp_path / "image.dcm").write_bytes(whole.replace(element, b"\x08\x00\x12\x21LO\x04\0text"))
    image = read_image(tmp_path / "image.dcm")
    assert image.notes == ("SourceImageSequence is LO where a sequence belongs and was left out",)
    assert "SourceImageSequence" not in image.dataset


def test_a_number_of_too_few_bytes_stays_as_it_is_with_a_note(tmp_path: pathlib.Path) -> None:
    whole = saved(image_object(GREY, AcquisitionDuration=1.0), tmp_path / "image.dcm").read_bytes()
    number = b"FD\x08\0" + struct.pack("<d", 1.0)
    assert number in whole
    (tmp_path / "image.dcm").write_bytes(whole.replace(number, b"FD\x06\0" + bytes(6)))
    image = read_image(tmp_path / "image.dcm")
    assert image.notes == ("AcquisitionDuration can't be parsed or decoded: its bytes travel as they are",)
    assert image.dataset["AcquisitionDuration"].value == bytes(6)


@pytest.mark.parametrize("number", ["50", "70", "80", "90", "110"])
def test_a_small_stream_of_enormous_sides_is_refused(tmp_path: pathlib.Path, number: str) -> None:
    encoders = {
        "50": lambda a: imagecodecs.jpeg8_encode(a),
        "70": lambda a: imagecodecs.jpeg8_encode(a, lossless=True),
        "80": imagecodecs.jpegls_encode,
        "90": lambda a: imagecodecs.jpeg2k_encode(a, level=0, codecformat="j2k"),
        "110": lambda a: imagecodecs.jpegxl_encode(np.zeros((400, 400), np.uint8), lossless=True),
    }
    stream = encoders[number](GREY)
    if number in ("50", "70", "80"):
        at = next(stream.index(bytes([0xFF, sof])) for sof in (0xC0, 0xC3, 0xF7) if bytes([0xFF, sof]) in stream) + 5
        stream = stream[:at] + struct.pack(">HH", 60000, 60000) + stream[at + 4 :]
    elif number == "90":
        at = stream.index(b"\xff\x51") + 6
        stream = stream[:at] + struct.pack(">II", 60000, 60000) + stream[at + 8 :]
    dataset = with_streams(image_object(GREY), [stream], "1.2.840.10008.1.2.4." + number.replace("110", "203"))
    assert "but its code stream holds" in refusal(saved(dataset, tmp_path / "image.dcm"))


def many_scans(path: pathlib.Path, scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    PIL.Image.fromarray(GREY).save(path, "JPEG", progressive=True)
    data = path.read_bytes()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + data[-2:]


def test_a_jpeg_of_a_thousand_scans_is_refused(tmp_path: pathlib.Path) -> None:
    data = many_scans(tmp_path / "image.jpg", 1000)
    assert "scans, too many" in refusal(tmp_path / "image.jpg", data)
    dataset = with_streams(image_object(GREY), [data], "1.2.840.10008.1.2.4.50")
    assert "scans, too many" in refusal(saved(dataset, tmp_path / "image.dcm"))
    # A strip's JPEG in a TIFF.
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, GREY, compression="jpeg")
    with tifffile.TiffFile(io.BytesIO(buffer.getvalue())) as file:
        page = file.pages[0]
        tags = {name: page.tags[name] for name in ("StripOffsets", "StripByteCounts")}
        places = [(tags["StripOffsets"].valueoffset, len(buffer.getvalue()))]
        places.append((tags["StripByteCounts"].valueoffset, len(data)))
        tiff = bytearray(buffer.getvalue() + data)
        for at, value in places:
            tiff[at : at + 4] = struct.pack("<I", value)
    assert "scans, too many" in refusal(tmp_path / "image.tif", bytes(tiff))


def test_the_scans_of_usual_progressive_jpegs_are_few(tmp_path: pathlib.Path) -> None:
    PIL.Image.fromarray(np.dstack([GREY] * 3)).save(tmp_path / "image.jpg", progressive=True)
    assert read_image(tmp_path / "image.jpg").pixels.shape == (1, 8, 8)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_whose_pages_have_no_end_is_refused(tmp_path: pathlib.Path, order: str) -> None:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, GREY, byteorder=order)
    data = bytearray(buffer.getvalue())
    (first,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, first)
    struct.pack_into(order + "I", data, first + 2 + 12 * entries, first)
    assert "chain of pages has no end" in refusal(tmp_path / "image.tif", bytes(data))


def test_pillows_own_limit_does_not_speak_before_ours(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 10)
    for name in ("image.png", "image.jpg"):
        PIL.Image.fromarray(GREY).save(tmp_path / name)
        assert read_image(tmp_path / name).pixels.shape == (1, 8, 8)
    assert PIL.Image.MAX_IMAGE_PIXELS == 10


def test_bytes_count_where_a_pixel_has_many(tmp_path: pathlib.Path) -> None:
    tifffile.imwrite(tmp_path / "double.tif", np.zeros((10, 10)))
    assert read_image(tmp_path / "double.tif", max_pixels=200).pixels.shape == (1, 10, 10)
    with pytest.raises(MedsrError, match="100|pixels of 8 bytes"):
        read_image(tmp_path / "double.tif", max_pixels=199)


def test_the_data_set_stays_as_pydicom_reads_it(tmp_path: pathlib.Path) -> None:
    path = saved(image_object(GREY, PatientComments="as it was"), tmp_path / "image.dcm")
    assert read_image(path).dataset.PatientComments == pydicom.dcmread(path).PatientComments


def test_very_many_images_in_one_fragment_take_time_in_proportion(tmp_path: pathlib.Path) -> None:
    stream = imagecodecs.jpeg8_encode(GREY)
    dataset = with_streams(image_object(GREY, Rows=9), [stream * 5_000], "1.2.840.10008.1.2.4.50")
    assert "says 9 x 8 pixels" in refusal(saved(dataset, tmp_path / "image.dcm"))
