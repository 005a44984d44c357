"""Headers of JPEG and JPEG-LS streams, read without decoding (ISO 10918-1 Annex B, ISO 14495-1 Annex C)."""

from __future__ import annotations

import dataclasses

_START_OF_SCAN = 0xDA
_JPEG_LS = 0xF7
_LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF, _JPEG_LS)
_NOT_FRAMES = (0xC4, 0xC8, 0xCC)


@dataclasses.dataclass(frozen=True)
class JpegHeader:
    """What a stream says of itself before its first scan.

    Attributes:
      precision: bits a sample.
      rows, columns, components: size of the frame.
      lossless: the frame is coded without loss, by prediction.
      adobe_transform: the colour transform that an Adobe segment states (1 is YCbCr), if there is one.
      jfif: there is a JFIF segment, so that three components are YCbCr.
    """

    precision: int
    rows: int
    columns: int
    components: int
    lossless: bool
    adobe_transform: int | None
    jfif: bool


def read_header(stream: bytes) -> JpegHeader:
    """Reads the marker segments up to the first scan.

    Raises:
      ValueError: the stream has no frame header.
    """
    segments = _segments(stream)
    adobe = segments.get(0xEE, b"")
    transform = adobe[11] if adobe.startswith(b"Adobe") and len(adobe) >= 12 else None
    jfif = segments.get(0xE0, b"").startswith(b"JFIF")
    for marker, body in segments.items():
        if ((0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES) or marker == _JPEG_LS) and len(body) >= 6:
            rows, columns = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            return JpegHeader(body[0], rows, columns, body[5], marker in _LOSSLESS, transform, jfif)
    raise ValueError("no frame header in the JPEG stream")


def is_whole(stream: bytes) -> bool:
    """Whether an end-of-image marker follows the first scan; coded data can't hold its bytes."""
    return stream.rfind(b"\xff\xd9") > stream.find(b"\xff\xda") > 0


def _segments(stream: bytes) -> dict[int, bytes]:
    """Marker segments, the first of each marker."""
    segments: dict[int, bytes] = {}
    at = 2
    while at + 4 <= len(stream) and stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker == 0xFF:  # A fill byte.
            at += 1
            continue
        length = int.from_bytes(stream[at + 2 : at + 4], "big")
        segments.setdefault(marker, stream[at + 4 : at + 2 + length])
        if marker == _START_OF_SCAN:
            break
        at += 2 + length
    return segments
