"""VVC by ffmpeg: pixels, units, the program that is missing or hangs, budgets."""

from __future__ import annotations

import itertools
import pathlib
import sys

import numpy as np
import pytest

from medsr_jax.errors import MedsrError, ParameterError
from medsr_jax.evaluation.baselines import enlarge
from medsr_jax.imaging import Image
from medsr_jax.transmission import compress, vvc
from medsr_jax.transmission.containers import CONTAINERS
from medsr_jax.transmission.options import SendingOptions
from medsr_jax.transmission.packet import Packet
from medsr_jax.transmission.packet_io import assumed_packet, packet_bytes, parse_packet
from medsr_jax.transmission.thin.vvc import PRESETS, WHOLE, join, split
from medsr_jax.transmission.vvc_units import escaped, is_slice, picture_shape, unescaped, units
from tests.transmission.images import made

SPEEDS = (0, 2, 3, 4, 6, 10)


def codes(rows: int, columns: int) -> np.ndarray:
    return made(rows, columns, dtype="uint16").pixels[0]


@pytest.mark.parametrize(("rows", "columns"), [(64, 48), (33, 130), (5, 7)])
def test_what_a_thin_packet_leaves_out_is_rebuilt_at_all_speeds(rows: int, columns: int) -> None:
    image = codes(rows, columns)
    forms = []
    for speed in SPEEDS:
        stream = vvc.encode_vvc_at(image, 50, speed)
        form, payload = split(stream)
        assert len(stream) - len(payload) >= 59
        assert join(form, payload, shape=vvc.padded_shape((rows, columns))) == stream
        assert picture_shape(stream) == vvc.padded_shape((rows, columns))
        assert b"warning" not in stream  # of the encoder's own, which it prints
        forms.append(form)
    assert sorted(forms) == list(range(1, len(PRESETS) + 1))


def test_streams_of_other_encoders_travel_whole() -> None:
    stream = vvc.encode_vvc(codes(64, 48), 50)
    other_tools = bytearray(stream)
    other_tools[30] ^= 0x10
    delimited = b"\0\0\0\1\0\xa1\x18" + stream
    for whole in (bytes(other_tools), delimited, stream[:60], b"", b"\0" * 40):
        assert split(whole) == (WHOLE, whole)
    with pytest.raises(ValueError, match="unknown form"):
        join(len(PRESETS) + 1, b"", shape=(64, 48))


def test_start_codes_are_kept_out_of_units() -> None:
    for body in itertools.product(b"\0\1\3\4", repeat=6):
        data = bytes([9, *body, 0x80])
        safe = escaped(data)
        assert not any(code in safe for code in (b"\0\0\0", b"\0\0\1", b"\0\0\2"))
        assert unescaped(safe) == data


def test_a_header_stands_beside_the_picture_and_decoders_pass_over_it() -> None:
    stream = vvc.encode_vvc(codes(48, 64), 60)
    for header in (b"medsr2", b"medsr2 " + bytes(300), b"medsr2 " + b"x" * 255):
        file = CONTAINERS["vvc"].insert(stream, header)
        assert CONTAINERS["vvc"].begins(file[:64])
        assert CONTAINERS["vvc"].extract(file) == (stream, header)
        np.testing.assert_array_equal(vvc.decode_vvc(file), vvc.decode_vvc(stream))
        assert [unit.kind for unit in units(file) if is_slice(unit)] == [8]
    assert CONTAINERS["vvc"].extract(stream) == (stream, None)


def test_a_byte_stream_without_a_header_is_read_as_a_picture_of_8_bits() -> None:
    stream = vvc.encode_vvc(codes(32, 48), 80)
    packet = assumed_packet(stream, scale=1)
    assert (packet.header.rows, packet.header.columns, packet.header.levels) == (32, 48, 65535)
    restored = enlarge(packet)[0]
    assert np.abs(restored - codes(32, 48) / 257).mean() < 3


def test_threads_leave_the_stream_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    image = codes(200, 300)
    alone = vvc.encode_vvc_at(image, 50, 6)
    monkeypatch.setattr(vvc, "_LARGE", 1)
    monkeypatch.setattr(vvc.os, "cpu_count", lambda: 4)
    assert vvc.encode_vvc_at(image, 50, 6) == alone


def test_ten_bits_hold_more_of_a_deep_image_than_eight() -> None:
    ramp = np.add.outer(np.arange(256) * 15, np.arange(256) // 2).astype(np.uint16)
    image = Image(pixels=ramp[None], value_range=(0, 4095), kind="png", name="ramp")
    errors = {}
    for codec in ("vvc", "avif"):
        packet = compress(image, scale=1, max_bytes=20_000, codec=codec, preprocess=False)
        errors[codec] = np.abs(enlarge(parse_packet(packet_bytes(packet)))[0].astype(float) - ramp).mean()
    assert errors["vvc"] < 0.5 * errors["avif"]


@pytest.mark.parametrize("budget", [700, 1740, 6000])
def test_a_budget_is_used_up(radiograph: np.ndarray, budget: int) -> None:
    image = Image(pixels=radiograph[None], value_range=(0, 255), kind="png", name="chest")
    size = len(packet_bytes(compress(image, max_bytes=budget, preprocess=False, codec="vvc")))
    assert 0.97 * budget <= size <= budget


def test_a_ratio_is_not_exceeded(radiograph: np.ndarray) -> None:
    image = Image(pixels=radiograph[None], value_range=(0, 255), kind="png", name="chest")
    packet = compress(image, ratio=30, preprocess=False, codec="vvc")
    assert 29 <= packet.ratio() <= 30


def test_at_equal_bytes_it_is_nearer_to_the_original_than_av1(radiograph: np.ndarray) -> None:
    image = Image(pixels=radiograph[None], value_range=(0, 255), kind="png", name="chest")
    errors = {}
    for codec in ("vvc", "avif"):
        packet = compress(image, max_bytes=1500, preprocess=False, codec=codec)
        errors[codec] = np.mean((enlarge(packet)[0].astype(float) - radiograph) ** 2)
    assert errors["vvc"] < 0.93 * errors["avif"]


def test_without_the_program_av1_is_sent_and_a_packet_says_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    data = packet_bytes(compress(made(64, 64), max_bytes=300, codec="vvc"))
    monkeypatch.setenv("MEDSR_FFMPEG", str(tmp_path / "none"))
    vvc._program.cache_clear()
    try:
        assert not vvc.has_vvc()
        assert compress(made(64, 64), max_bytes=300).header.codec == "avif"
        with pytest.raises(ParameterError, match="^codec: vvc needs ffmpeg with libvvenc; install imageio-ffmpeg"):
            SendingOptions(codec="vvc")
        with pytest.raises(MedsrError, match=r"ffmpeg doesn't run .*install imageio-ffmpeg, or name"):
            parse_packet(data).decode()
    finally:
        monkeypatch.undo()
        vvc._program.cache_clear()


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_a_decoder_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    stream = vvc.encode_vvc(codes(32, 32), 50)
    hanging = tmp_path / "ffmpeg"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(vvc, "_program", lambda: str(hanging))
    monkeypatch.setattr(vvc, "_SECONDS", 0.2)
    with pytest.raises(MedsrError, match="ffmpeg doesn't run .*timed out"):
        vvc.decode_vvc(stream)


def test_a_picture_of_another_size_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    packet = compress(made(64, 64), scale=1, codec="vvc", quality=50)
    data = packet_bytes(Packet((vvc.encode_vvc(codes(512, 512), 10),), packet.header))
    monkeypatch.setattr(vvc, "_program", lambda: "/nowhere")
    with pytest.raises(MedsrError, match="differ in size"):
        parse_packet(data)
