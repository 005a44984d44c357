"""Code streams without what can be rebuilt: JPEG and JPEG 2000 to the byte, AV1 to the pixel in all readers."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image as Pillow

from medsr_jax.errors import MedsrError
from medsr_jax.jpeg.segments import START_OF_SCAN, segments
from medsr_jax.transmission.codecs import CODECS
from medsr_jax.transmission.sender import compress
from medsr_jax.transmission.thin import av1, jpeg, jpeg2000, streams
from tests.transmission.images import made

SIZES = [(1, 1), (3, 5), (16, 16), (33, 40), (130, 64), (64, 1000)]


def smooth(rows: int, columns: int, *, deep: bool = False) -> np.ndarray:
    y, x = np.mgrid[0:rows, 0:columns]
    values = 120 + 50 * np.sin(x / 20) + 50 * np.cos(y / 30) + np.random.default_rng(0).normal(0, 3, (rows, columns))
    return (values * 256).astype(np.uint16) if deep else values.astype(np.uint8)


def avif(image: np.ndarray, **options: Any) -> bytes:
    target = io.BytesIO()
    Pillow.fromarray(image).save(target, "AVIF", **({"quality": 40, "speed": 8, "max_threads": 1} | options))
    return target.getvalue()


@pytest.mark.parametrize(("rows", "columns"), SIZES)
@pytest.mark.parametrize("quality", [1, 50, 100])
def test_a_jpeg_comes_back_to_the_byte(rows: int, columns: int, quality: int) -> None:
    stream = CODECS["jpeg"].encode(smooth(rows, columns), quality)
    form, payload = jpeg.split(stream, rows=rows, columns=columns, quality=quality)
    assert form == jpeg.USUAL
    assert len(payload) <= len(stream) - 130
    assert jpeg.join(form, payload, rows=rows, columns=columns, quality=quality) == stream


def test_a_jpeg_of_another_table_keeps_it() -> None:
    stream = CODECS["jpeg"].encode(smooth(33, 40), 60)
    form, payload = jpeg.split(stream, rows=33, columns=40, quality=61)
    assert form == jpeg.OWN_TABLE
    assert jpeg.join(form, payload, rows=33, columns=40, quality=61) == stream


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0, "restart_marker_blocks": 4}, {}])
def test_another_jpeg_travels_whole(options: dict[str, Any]) -> None:
    target = io.BytesIO()
    Pillow.fromarray(smooth(33, 40)).save(target, "JPEG", quality=60, **options)
    stream = target.getvalue()  # with JFIF and a DHT segment a table, at the least
    assert jpeg.split(stream, rows=33, columns=40, quality=60) == (jpeg.WHOLE, stream)
    assert jpeg.split(b"\xff\xd8", rows=33, columns=40, quality=60) == (jpeg.WHOLE, b"\xff\xd8")


def test_huffman_tables_take_two_fifths_of_their_bytes() -> None:
    stream = CODECS["jpeg"].encode(smooth(128, 128), 60)
    tables = next(part.body for part in segments(stream, last=START_OF_SCAN) if part.marker == 0xC4)
    _, payload = jpeg.split(stream, rows=128, columns=128, quality=60)
    scan = list(segments(stream, last=START_OF_SCAN))[-1]
    assert len(payload) - (len(stream) - scan.end - 2) <= 0.45 * len(tables)


@pytest.mark.parametrize(("rows", "columns"), SIZES)
@pytest.mark.parametrize("deep", [False, True])
def test_a_jpeg2000_comes_back_to_the_byte(rows: int, columns: int, deep: bool) -> None:
    for setting in (1, 60, 100):
        stream = CODECS["jpeg2000"].encode(smooth(rows, columns, deep=deep), setting)
        form, payload = jpeg2000.split(stream, rows=rows, columns=columns, bits=16 if deep else 8)
        assert form != jpeg2000.WHOLE
        assert len(payload) <= len(stream) - 80
        assert jpeg2000.join(form, payload, rows=rows, columns=columns, bits=16 if deep else 8) == stream


def test_another_jpeg2000_travels_whole() -> None:
    stream = bytes(imagecodecs.jpeg2k_encode(smooth(33, 40), codecformat="j2k", reversible=True))
    assert jpeg2000.split(stream, rows=33, columns=40, bits=8) == (jpeg2000.WHOLE, stream)
    stream = CODECS["jpeg2000"].encode(smooth(33, 40), 60)
    assert jpeg2000.split(stream, rows=33, columns=41, bits=8)[0] == jpeg2000.WHOLE


def same_picture(one: bytes, other: bytes) -> bool:
    """Whether all readers of AVIF that are installed see the same samples."""
    if not np.array_equal(imagecodecs.avif_decode(one), imagecodecs.avif_decode(other)):
        return False
    with Pillow.open(io.BytesIO(one)) as first, Pillow.open(io.BytesIO(other)) as second:
        return (first.mode, first.size, first.tobytes()) == (second.mode, second.size, second.tobytes())


@pytest.mark.parametrize(("rows", "columns"), [*SIZES, (600, 900)])
def test_an_avif_comes_back_to_the_pixel_and_unit(rows: int, columns: int) -> None:
    image = smooth(rows, columns)
    for stream in (CODECS["avif"].encode(image, 30), avif(image, subsampling="4:0:0", range="full", speed=10)):
        form, payload = av1.split(stream, rows=rows, columns=columns)
        assert form > av1.UNITS
        assert len(payload) <= len(stream) - 280
        rebuilt = av1.join(form, payload, rows=rows, columns=columns)
        assert same_picture(stream, rebuilt)
        assert av1.code_stream(rebuilt) == av1.code_stream(stream)
        assert av1.split(rebuilt, rows=rows, columns=columns) == (form, payload)


def ten_bits(image: np.ndarray) -> bytes:
    return bytes(imagecodecs.avif_encode(image.astype(np.uint16) * 4, level=50, bitspersample=10))


@pytest.mark.parametrize(
    ("stream", "usual"),
    [
        (bytes(imagecodecs.avif_encode(smooth(40, 64), level=50)), True),
        (ten_bits(smooth(40, 64)), True),
        (avif(np.dstack([smooth(40, 64)] * 3), range="limited"), False),
        (avif(np.dstack([smooth(40, 64)] * 3), subsampling="4:4:4"), False),
    ],
    ids=["without-colour", "ten-bits", "limited-range", "three-channels"],
)
def test_avif_of_other_encoders_keeps_what_cannot_be_rebuilt(stream: bytes, usual: bool) -> None:
    form, payload = av1.split(stream, rows=40, columns=64)
    assert (form > av1.UNITS) == usual
    assert form != av1.WHOLE
    rebuilt = av1.join(form, payload, rows=40, columns=64)
    assert av1.code_stream(rebuilt) == av1.code_stream(stream)
    assert same_picture(stream, rebuilt)


def test_avif_files_with_more_than_a_picture_travel_whole() -> None:
    image = smooth(40, 64)
    with_alpha = avif(np.dstack([image] * 4))
    with_exif = avif(image, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")
    animated = io.BytesIO()
    pictures = [Pillow.fromarray(np.roll(image, shift)) for shift in (0, 3)]
    pictures[0].save(animated, "AVIF", save_all=True, append_images=pictures[1:], speed=8)
    for stream in (with_alpha, with_exif, animated.getvalue(), avif(image)[:200], b"", b"\0" * 40):
        assert av1.split(stream, rows=40, columns=64) == (av1.WHOLE, stream)
        assert av1.code_stream(stream) == stream


def test_damaged_forms_and_payloads_are_refused() -> None:
    header = compress(made(), codec="avif", quality=50).header
    for codec, form, payload in (
        ("avif", 300, b"x"),
        ("avif", av1.UNITS, b"\x12\0"),
        ("avif", av1.UNITS, b"\x12\xff\xff"),
        ("jpeg", 3, b"x"),
        ("jpeg", jpeg.USUAL, b""),
        ("jpeg", jpeg.USUAL, b"\xff" * 40),
        ("jpeg", jpeg.USUAL, bytes(40)),
        ("jpeg2000", 11, b"x"),
    ):
        with pytest.raises(MedsrError, match="damaged"):
            streams.join(dataclasses.replace(header, codec=codec), form, (payload,))


def test_frames_that_differ_in_form_share_one() -> None:
    image = made(64, 64)
    packet = compress(image, codec="avif", quality=50, scale=1)
    other = avif(np.dstack([image.pixels[0]] * 3))
    form, payloads = streams.split(packet.header, (packet.streams[0], other))
    assert form == av1.UNITS
    assert [av1.code_stream(stream) for stream in streams.join(packet.header, form, payloads)] == list(payloads)
    jpegs = compress(image, codec="jpeg", quality=50, scale=1)
    finer = compress(image, codec="jpeg", quality=60, scale=1)
    both = (*jpegs.streams, *finer.streams)
    assert streams.split(jpegs.header, both) == (streams.WHOLE, both)
