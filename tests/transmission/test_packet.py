from __future__ import annotations

import dataclasses
import io
import pathlib

import numpy as np
import pytest
from PIL import Image as Pillow

from medsr_jax.errors import MedsrError
from medsr_jax.transmission.codecs import CODECS
from medsr_jax.transmission.packet import Packet, PacketHeader, header_text, parse_header
from medsr_jax.transmission.packet_io import (
    assume_packet,
    is_packet,
    packet_bytes,
    packet_suffix,
    read_packet,
    sealed_text,
    write_packet,
)
from medsr_jax.transmission.sender import compress
from tests.transmission.images import made

PLAIN = PacketHeader(
    rows=512,
    columns=511,
    dtype="uint8",
    value_range=(0, 255),
    low=0,
    high=255,
    levels=255,
    scale=4,
    kernel="area",
    quality=60,
    codec="jpeg",
)


def _headers() -> list[PacketHeader]:
    """A few hundred headers with values of all sorts, always the same."""
    random = np.random.default_rng(0)
    found = [PLAIN]
    for dtype in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32"):
        for _ in range(40):
            if dtype == "float32":
                ends = np.sort(random.normal(0, 10.0 ** random.integers(-30, 30), 4)).tolist()
            else:
                limits = np.iinfo(dtype)
                ends = np.sort(random.integers(limits.min, limits.max, 4, endpoint=True)).tolist()
            codec = str(random.choice(list(CODECS)))
            found.append(
                PacketHeader(
                    rows=int(random.integers(1, 65536)),
                    columns=int(random.integers(1, 65536)),
                    dtype=dtype,
                    value_range=(ends[0], ends[3]),
                    low=ends[1],
                    high=ends[2] + random.choice([0, 0.1]) * (dtype == "int16"),
                    levels=65535 if codec == "jpeg2000" else 255,
                    scale=int(random.integers(1, 9)),
                    kernel=str(random.choice(["area", "bicubic", "lanczos"])),
                    quality=int(random.integers(1, 101)),
                    codec=codec,
                    preprocess=str(random.choice(["", "smoothed 5.1%", "dark, codes span the data, smoothed 12.0%"])),
                    frames=1,
                    kind=str(random.choice(["png", "jpeg", "tiff", "dicom"])),
                    inverted=bool(random.integers(2)),
                    spacing=None if random.integers(2) else (float(random.uniform(1e-6, 2)), 0.143),
                )
            )
    return found


def test_usual_header_is_short() -> None:
    assert header_text(PLAIN) == "medsr2 512x511 u8 /4 area q60"


def test_headers_come_back_whatever_their_values() -> None:
    for header in _headers():
        text = header_text(header)
        assert text.isascii()
        assert parse_header(text, codec=header.codec) == header


@pytest.mark.parametrize(
    "text",
    [
        "",
        "medsr2",
        "medsr2 512x512 u8 /4 area",
        "medsr2 -5x512 u8 /4 area q60",
        "medsr2 0x512 u8 /4 area q60",
        "medsr2 1000000000x1000000000 u8 /4 area q60",
        "medsr2 999999999x999999999 u8 /4 area q60",
        "medsr2 1048576x1048576 u8 /4 area q60",
        "medsr2 512x512 u64 /4 area q60",
        "medsr2 512x512 u9 /4 area q60",
        "medsr2 512x512 f32 /4 area q60",
        "medsr2 512x512 u8 0:256 /4 area q60",
        "medsr2 512x512 u8 9:1 /4 area q60",
        "medsr2 512x512 f32 nan:1 /4 area q60",
        "medsr2 512x512 f32 0:1e999 /4 area q60",
        "medsr2 512x512 u16 w5:1 /4 area q60",
        "medsr2 512x512 u8 /0 area q60",
        "medsr2 512x512 u8 /9 area q60",
        "medsr2 512x512 u8 /4 nearest q60",
        "medsr2 512x512 u8 /4 area q0",
        "medsr2 512x512 u8 /4 area q101",
        "medsr2 512x512 u8 /4 area q60 16bit",
        "medsr2 512x512 u8 /4 area q60 n999999999",
        "medsr2 512x512 u8 /4 area q60 mm0:1",
        "medsr2 512x512 u8 /4 area q60 gif",
        "medsr2 512x512 u8 /4 area q60\n",
        "medsr2 512x512 u8 /4 area q60 pre=" + "x" * 1000,
        "medsr2 " + "9" * 10000 + "x1 u8 /4 area q60",
    ],
)
def test_hostile_headers_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(MedsrError) as refusal:
        parse_header(text, codec="jpeg")
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 250


def test_later_versions_say_so() -> None:
    with pytest.raises(MedsrError, match=r"format 3.*update"):
        parse_header("medsr3 whatever comes then", codec="jpeg")


def test_bits_that_count_are_those_of_the_value_range() -> None:
    assert PLAIN.bits == 8
    deep = dataclasses.replace(PLAIN, dtype="uint16", value_range=(0, 4095), high=4095)
    assert deep.bits == 12
    assert deep.source_bytes == -(-512 * 511 * 12 // 8)
    assert Packet(streams=(b"x" * 1000,), header=deep).ratio() == deep.source_bytes / 1000


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_packets_come_back_from_a_standard_file(tmp_path: pathlib.Path, codec: str, dtype: str) -> None:
    packet = compress(made(97, 121, dtype=dtype), codec=codec)
    path = tmp_path / f"sent{packet_suffix(packet)}"
    size = write_packet(path, packet)
    assert path.stat().st_size == size
    again = read_packet(path)
    assert again == packet
    assert again.decode().shape == (1, 25, 31)
    assert (again.header.rows, again.header.columns) == (97, 121)
    if codec != "vvc":  # which Pillow doesn't know
        with Pillow.open(path) as picture:
            assert picture.size == (31, 25)
    assert is_packet(path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_metadata_costs_42_bytes_and_the_file_says_it_in_plain_text() -> None:
    packet = compress(made(512, 512), quality=60)
    data = packet_bytes(packet)
    assert len(data) - packet.coded_bytes <= 42
    with Pillow.open(io.BytesIO(data)) as picture:
        assert picture.info["comment"] == sealed_text(packet).encode()


@pytest.mark.parametrize("codec", CODECS)
def test_no_damaged_byte_goes_unnoticed(tmp_path: pathlib.Path, codec: str) -> None:
    path = tmp_path / "damaged"
    data = packet_bytes(compress(made(), codec=codec))
    whole = read_packet_bytes(path, data)
    # Rcom of a JPEG 2000 comment says whether it is text (ITU-T T.800, A.9.2); the metadata there are read either way.
    comment = data.find(b"medsr2") if codec == "jpeg2000" else 0
    harmless = range(comment - 2, comment)
    for at in range(len(data)):
        changed = data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :]
        if at in harmless:
            assert read_packet_bytes(path, changed) == whole
            continue
        with pytest.raises(MedsrError, match=r"damaged|no packet"):
            read_packet_bytes(path, changed)
    for length in (0, 1, 5, 30, len(data) // 2, len(data) - 1):
        with pytest.raises(MedsrError, match=r"damaged|no packet"):
            read_packet_bytes(path, data[:length])


def read_packet_bytes(path: pathlib.Path, data: bytes) -> Packet:
    path.write_bytes(data)
    return read_packet(path)


def test_metadata_that_fits_another_image_is_refused(tmp_path: pathlib.Path) -> None:
    packet = compress(made(96, 120))
    path = tmp_path / "swapped.jpg"
    header = dataclasses.replace(packet.header, rows=400)
    path.write_bytes(packet_bytes(Packet(streams=packet.streams, header=header)))
    with pytest.raises(MedsrError, match="differ in size"):
        read_packet(path)
    with pytest.raises(MedsrError, match="damaged"):
        Packet(streams=packet.streams, header=header).decode()


def test_other_files_are_no_packets(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "text.dcm"
    path.write_text("this is a text file")
    with pytest.raises(MedsrError, match="is no packet"):
        read_packet(path)
    with pytest.raises(MedsrError, match=r"absent\.jpg: can't be read"):
        read_packet(tmp_path / "absent.jpg")
    assert not is_packet(path)
    assert not is_packet(tmp_path / "absent.jpg")


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_that_is_no_packet_is_refused_or_taken_with_stated_assumptions(
    tmp_path: pathlib.Path, mode: str
) -> None:
    path = tmp_path / "plain.jpg"
    Pillow.fromarray(made(30, 41).pixels[0]).convert(mode).save(path, quality=57)
    assert not is_packet(path)
    with pytest.raises(MedsrError, match="no packet"):
        read_packet(path)
    packet = assume_packet(path, scale=3)
    assert (packet.header.rows, packet.header.columns, packet.header.scale) == (90, 123, 3)
    assert packet.header.quality == 57
    assert "assumed" in packet.header.notes[0]
    assert packet.decode().shape == (1, 30, 41)
    assert (packet.quantisation() is not None) == (mode == "L")
    assert (packet.coefficients() is not None) == (mode == "L")


def test_a_header_that_claims_a_huge_image_is_refused_before_it_is_decoded(tmp_path: pathlib.Path) -> None:
    data = bytearray(packet_bytes(compress(made())))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = b"\xff\xdc\xff\xdc"
    path = tmp_path / "huge.jpg"
    path.write_bytes(data)
    with pytest.raises(MedsrError):
        read_packet(path)
    with pytest.raises(MedsrError):
        assume_packet(path)


def test_coefficients_and_table_are_those_of_the_stream() -> None:
    packet = compress(made(97, 121), quality=60)
    indices, table = packet.coefficients(), packet.quantisation()
    assert indices is not None
    assert table is not None
    assert indices.shape == (1, 4, 4, 8, 8)
    assert table[0, 0] == 13
    assert compress(made(), codec="jpeg2000").coefficients() is None
