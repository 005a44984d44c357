"""Headers against what the encoders that wrote the streams were told, and against ITU-T T.81's own layout."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import imagecodecs
import numpy as np
import pytest
from PIL import Image as Pillow

from medsr_jax.jpeg.headers import JpegHeader, is_whole, read_header, scans_and_end, too_many_scans
from medsr_jax.jpeg.segments import START_OF_SCAN, segments

PIXELS = np.random.default_rng(0).integers(0, 256, (37, 50, 3), np.uint8)


def _jpeg(mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(PIXELS).convert(mode).save(buffer, "jpeg", **options)
    return buffer.getvalue()


def _adobe(transform: int) -> bytes:
    return b"\xff\xee\x00\x0eAdobe\x00\x64\x40\x00\x00\x00" + bytes([transform])


def _with(stream: bytes, segment: bytes, *, jfif: bool = False) -> bytes:
    """The stream with a segment in the place of JFIF's, or behind it."""
    (first, *_) = segments(stream, last=START_OF_SCAN)
    assert first.body.startswith(b"JFIF")
    return stream[: first.end if jfif else first.start] + segment + stream[first.end :]


@pytest.mark.parametrize(("mode", "components"), [("L", 1), ("RGB", 3), ("CMYK", 4)])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_header_is_what_the_encoder_was_told(mode: str, components: int, progressive: bool) -> None:
    header = read_header(_jpeg(mode, progressive=progressive, subsampling=0))
    assert (header.rows, header.columns, header.components, header.precision) == (37, 50, components, 8)
    assert header.process == ("progressive" if progressive else "baseline")
    assert not header.lossless and not header.subsampled
    assert read_header(_jpeg(subsampling=2)).subsampled


def test_lossless_streams_are_told_from_those_with_a_loss() -> None:
    deep = PIXELS[..., 0].astype(np.uint16) * 16
    lossless = read_header(imagecodecs.ljpeg_encode(deep, bitspersample=12))
    assert (lossless.process, lossless.lossless, lossless.precision) == ("lossless", True, 12)
    for level in (0, 2):
        near = read_header(imagecodecs.jpegls_encode(PIXELS[..., 0], level=level))
        assert (near.process, near.near, near.lossless) == ("JPEG-LS", level, level == 0)
        assert (near.rows, near.columns, near.precision) == (37, 50, 8)


def test_colours_are_those_that_libjpeg_sees() -> None:
    """JFIF's segment goes before Adobe's; without a transform the components are shown as they are."""
    seen = {}
    for transform, colour in ((0, "RGB"), (1, "YBR_FULL")):
        stream = _with(_jpeg(subsampling=0, quality=95), _adobe(transform))
        header = read_header(stream)
        assert (header.colour, header.adobe_transform, header.jfif) == (colour, transform, False)
        assert header.adobe_flags == 0x4000
        seen[colour] = Pillow.open(io.BytesIO(stream)).convert("RGB")
    components = np.asarray(seen["YBR_FULL"].convert("YCbCr"), int)
    assert np.abs(np.asarray(seen["RGB"], int) - components).mean() < 4.0
    both = read_header(_with(_jpeg(subsampling=0), _adobe(0), jfif=True))
    assert (both.colour, both.adobe_transform) == ("YBR_FULL", 0)


def test_without_segments_identifiers_and_sampling_tell_the_colours() -> None:
    bare = JpegHeader(8, 1, 1, 3, lossless=False, adobe_transform=None, jfif=False)
    assert bare.colour is None
    assert dataclasses.replace(bare, identifiers=b"RGB").colour == "RGB"
    assert dataclasses.replace(bare, subsampled=True).colour == "YBR_FULL"
    assert dataclasses.replace(bare, components=1, jfif=True).colour is None


def test_segments_of_others_and_fill_bytes_are_passed_over() -> None:
    """T.81, B.1.1.2: fill bytes FF may precede any marker. An APP13 that begins like Adobe's is no Adobe segment."""
    stream = _jpeg()
    other = _adobe(0).replace(b"\xff\xee", b"\xff\xed")
    filled = stream[:2] + b"\xff\xff\xff" + other + stream[2:]
    assert read_header(filled) == read_header(stream)
    first = next(segments(filled, last=START_OF_SCAN))
    assert (first.marker, first.start, first.body[:5]) == (0xED, 5, b"Adobe")


@pytest.mark.parametrize(
    "stream", [b"", b"\xff\xd8", b"\xff\xd8\xff\xd9", _jpeg()[:30], b"\xff\xd8\xff\xc4\x00\x09abcdefg"]
)
def test_without_a_frame_there_is_no_header(stream: bytes) -> None:
    """FFC4, the Huffman tables, has the code of a frame and is none."""
    with pytest.raises(ValueError, match="no frame header"):
        read_header(stream)


def test_bytes_without_a_marker_end_the_segments() -> None:
    stream = _jpeg()
    assert list(segments(stream[:2] + b"\0\0\0\0" + stream[2:], last=START_OF_SCAN)) == []
    assert [segment.marker for segment in segments(stream, last=START_OF_SCAN)][-1] == START_OF_SCAN


def test_scans_are_counted_and_the_end_is_found() -> None:
    baseline, progressive = _jpeg("L"), _jpeg("L", progressive=True)
    assert scans_and_end(baseline) == (1, len(baseline))
    assert scans_and_end(b"before" + baseline + b"behind", start=6) == (1, 6 + len(baseline))
    # libjpeg's progression of one component has six scans.
    assert scans_and_end(progressive) == (6, len(progressive))
    assert scans_and_end(baseline[:-2]) == (1, None)
    assert is_whole(baseline) and not is_whole(baseline[:-2]) and not is_whole(b"\xff\xd9")


def test_scans_are_too_many_for_the_pixels_that_they_cover() -> None:
    """16 always pass; more as long as scans times pixels stay below 2^30, and never more than 100."""

    def refused(scans: int, side: int) -> bool:
        stream = b"\xff\xd8" + scans * b"\xff\xda\x00\x02" + b"\xff\xd9"
        return too_many_scans(stream, rows=side, columns=side) == scans

    assert not refused(16, 2**15) and refused(17, 2**15)
    assert not refused(64, 2**12) and refused(65, 2**12)
    assert not refused(100, 8) and refused(101, 8)
