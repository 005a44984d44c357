"""Thin packets: short, the same packet in both containers, and refused where a byte is another."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.transmission.conversion import to_standard, to_thin
from medsr_jax.transmission.packet import KINDS, Packet, PacketHeader
from medsr_jax.transmission.packet_io import is_packet, packet_bytes, packet_suffix, parse_packet
from medsr_jax.transmission.padding import Padding
from medsr_jax.transmission.sender import compress
from medsr_jax.transmission.thin.header import MAGIC, TYPES, ThinHeader, header_bytes, read_header
from tests.transmission.images import made

KEY = b"a key of 16 bytes"


def thin(packet: Packet, *, key: bytes | None = None) -> bytes:
    return packet_bytes(to_thin(packet), key=key)


@pytest.mark.parametrize(("codec", "saved"), [("jpeg", 150), ("jpeg2000", 120), ("avif", 300), ("vvc", 120)])
def test_the_header_of_a_usual_image_takes_thirteen_bytes_with_its_checksum(codec: str, saved: int) -> None:
    packet = compress(made(512, 512), codec=codec, quality=50, preprocess=False)
    data = thin(packet)
    assert read_header(data).end + 4 <= 13
    assert len(data) <= len(packet_bytes(packet)) - saved


@pytest.mark.parametrize("codec", ["jpeg", "jpeg2000", "avif", "vvc"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_both_containers_hold_the_same_packet(codec: str, dtype: str) -> None:
    packet = compress(made(50, 70, dtype=dtype), codec=codec, quality=50)
    data = thin(packet)
    received = parse_packet(data)
    assert (received.container, packet_suffix(received)) == ("thin", ".medsr")
    again = parse_packet(packet_bytes(to_standard(received)))
    for other in (received, again):
        assert other.header == packet.header
        assert other.sha256 == packet.sha256
        assert other.coded_bytes == packet.coded_bytes
        assert other.code_streams == packet.code_streams
        np.testing.assert_array_equal(other.decode(), packet.decode())
        if codec != "avif":
            assert other.streams == packet.streams
    assert thin(again) == data
    assert received.carried_bytes == len(data) - read_header(data).end - 4
    assert again.carried_bytes == sum(map(len, again.streams))


def headers(count: int) -> list[PacketHeader]:
    """Headers of all sorts, drawn at random."""
    random = np.random.default_rng(0)

    def number() -> float:
        return [0, 7, -3.5, 0.1, 1 / 3, 1e-7, 12345.678, float(np.float32(0.7)), 1e9][random.integers(9)]

    found = []
    while len(found) < count:
        dtype = str(random.choice(TYPES))
        ends = sorted((number(), number()))
        value_range = (ends[0], ends[1])
        if "float" not in dtype:
            limits = np.iinfo(dtype)
            bits = int(random.integers(1, limits.bits))
            choices = [(int(limits.min), int(limits.max)), (0, (1 << bits) - 1), (0, 99)]
            value_range = choices[random.integers(3)]
        least, greatest = value_range
        span = greatest - least
        windows = [
            (least, greatest),
            (least - span * 3 / 256, greatest + span * 2 / 256),
            tuple(sorted((0.5, number()))),
        ]
        low, high = windows[random.integers(3)]
        scale = int(random.integers(1, 9))
        codec = str(random.choice(["jpeg", "jpeg2000", "avif", "vvc"]))
        marks = Padding(0, 5, 3, int(random.choice([1, scale])), random.bytes(int(random.integers(0, 300))))
        found.append(
            PacketHeader(
                rows=int(random.integers(1, 1 << random.integers(1, 20))),
                columns=int(random.choice([512, 3000, 7])),
                dtype=dtype,
                value_range=value_range,
                low=low,
                high=high,
                levels=int(random.choice([255, 65535])) if codec == "jpeg2000" else 255,
                scale=scale,
                kernel=str(random.choice(["area", "bicubic", "lanczos"])),
                quality=int(random.integers(1, 101)),
                codec=codec,
                preprocess=str(random.choice(PHRASES)),
                kind=str(random.choice(KINDS)),
                inverted=bool(random.integers(2)),
                spacing=[None, (0.143, 0.143), (0.1, 1 / 3)][random.integers(3)],
                padding=marks if random.integers(2) else None,
            )
        )
    return found


PHRASES = ["", "dark, codes span the data", "smoothed 5.1%", "dark, codes span the data, smoothed 12.0%", "dark, "]
PHRASES += ["smoothed 05.1%", "sharpened", "dark, codes span the data, smoothed by hand"]


def test_any_header_comes_back() -> None:
    for number, header in enumerate(headers(400)):
        several = dataclasses.replace(header, frames=number % 3 + 1) if header.rows < 1 << 16 else header
        lengths = tuple(range(several.frames - 1))
        attributes = [None, b"", b"x" * number][number % 3]
        sent = ThinHeader(several, number % 200, lengths, attributes, signed=bool(number % 2))
        data = header_bytes(sent)
        assert read_header(data + b"more") == dataclasses.replace(sent, end=len(data))


def test_several_frames_have_a_checksum_each() -> None:
    packet = compress(made(40, 40), codec="jpeg", quality=50)
    frames = tuple(compress(made(40, 40, seed=seed), codec="jpeg", quality=50).streams[0] for seed in range(3))
    several = Packet(frames, dataclasses.replace(packet.header, frames=3))
    data = thin(several)
    assert parse_packet(data).streams == frames
    changed = bytearray(data)
    changed[-40] ^= 1
    with pytest.raises(MedsrError, match="the checksum of frame 3 doesn't match"):
        parse_packet(bytes(changed))


def test_every_damaged_byte_and_every_length_is_noticed() -> None:
    for key in (None, KEY):
        data = thin(compress(made(40, 33), codec="avif", quality=30), key=key)
        for at in range(len(data)):
            for flipped in (1, 0x80):
                changed = bytearray(data)
                changed[at] ^= flipped
                with pytest.raises(MedsrError):
                    parse_packet(bytes(changed), key=key)
        for length in range(len(data)):
            with pytest.raises(MedsrError):
                parse_packet(data[:length], key=key)
        with pytest.raises(MedsrError):
            parse_packet(data + b"\0", key=key)


def test_signatures_are_checked_as_in_standard_packets(tmp_path: pathlib.Path) -> None:
    packet = compress(made(40, 33), codec="avif", quality=30)
    plain, signed = thin(packet), thin(packet, key=KEY)
    assert len(signed) <= len(plain) + 18
    assert parse_packet(signed, key=KEY).header == packet.header
    assert parse_packet(signed).header.notes == ("the packet is signed, and no key was given to check that",)
    with pytest.raises(MedsrError, match="not signed"):
        parse_packet(plain, key=KEY)
    with pytest.raises(MedsrError, match="doesn't match the key"):
        parse_packet(signed, key=b"another key of 16")
    path = tmp_path / "packet.medsr"
    path.write_bytes(signed)
    assert is_packet(path)


def test_what_a_later_version_writes_is_refused_as_such() -> None:
    data = bytearray(thin(compress(made(40, 33), codec="avif", quality=30)))
    assert data[:3] == MAGIC + b"\1"
    data[2] = 2
    with pytest.raises(MedsrError, match="format 2 and this software reads up to 1: update medsr-jax"):
        parse_packet(bytes(data))
    for at, value in ((3, 5), (3, 0xC2), (4, 0x0C)):
        data = bytearray(thin(compress(made(40, 33), codec="avif", quality=30)))
        data[at] = value
        with pytest.raises(MedsrError, match="of a later version"):
            parse_packet(bytes(data))


def test_large_claims_are_refused_before_anything_is_decoded() -> None:
    start = MAGIC + b"\1"
    for claim in (
        b"\2\0\x8a" + b"\xff" * 30,  # a varint without end
        b"\2\0\x8a\x80\x80\x80\x80\x10\x1d" + bytes(20),  # rows of 2^32
        b"\2\x80\x8a\x08\x1d\x80\x01\xff\xff\x3f" + bytes(20),  # a million frames in 30 bytes
        b"\2\x80\x8a\x08\x1d\x80\x04\xff\xff\xff\xff\x0f" + bytes(20),  # attributes of 4 GB
        b"\2\x80\x8a\x08\x1d\x20\0\0\0\xff\xff\xff\xff\x0f" + bytes(20),  # a mask of 2 GB
        b"\2\x80\x8a\x08\x1d\x08\xff" + bytes(20),  # codes of 255 bits
    ):
        with pytest.raises(MedsrError, match="damaged"):
            parse_packet(start + claim)
    packet = compress(made(40, 33), codec="avif", quality=30)
    header = dataclasses.replace(packet.header, rows=60000, columns=60000)
    with pytest.raises(MedsrError, match="stands for 60000x60000 pixels"):
        parse_packet(thin(Packet(packet.streams, header)))


def test_a_budget_makes_a_thin_packet_unless_told_otherwise() -> None:
    image = made(256, 256)
    chosen = compress(image, max_bytes=700)
    assert (chosen.container, chosen.header.codec) == ("thin", "vvc")
    assert len(packet_bytes(chosen)) <= 700
    assert len(packet_bytes(to_standard(chosen))) > 700
    assert compress(image, max_bytes=700, container="standard").container == "standard"
    assert compress(image).container == "standard"
    assert compress(image, container="thin").container == "thin"
