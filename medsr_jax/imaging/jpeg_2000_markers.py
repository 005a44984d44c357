"""Headers of JPEG 2000, HTJ2K and JPEG XL streams, read without decoding.

ISO 15444-1 Annexes A (code stream) and I (JP2 boxes), ISO 15444-15 Annex A (HTJ2K); ISO 18181-1 and -2 (JPEG XL).
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator

from medsr_jax.jpeg.segments import START_OF_TILE_PART, segments

JP2_START = b"\0\0\0\x0cjP  \r\n\x87\n"
J2K_START = b"\xff\x4f\xff\x51"
_SIZ, _COD, _CAP, _EOC = 0x51, 0x52, 0x50, b"\xff\xd9"
_SYCC, _ENUMERATED = 18, 1


@dataclasses.dataclass(frozen=True)
class Jpeg2000Header:
    """What the main header, and the boxes around it, say.

    Attributes:
        rows, columns: size of the image area.
        precisions, signs: of each component.
        subsampled: a component has fewer samples than the image has pixels.
        transformed: the colour transform is part of the code stream, and decoding undoes it.
        reversible: the wavelet is the reversible one.
        high_throughput: blocks are coded as Part 15 says.
        ycc: a colour box states YCbCr.
        palette: samples are indices into a palette box.
        start, end: where the code stream begins and ends in the file.
    """

    rows: int
    columns: int
    precisions: tuple[int, ...]
    signs: tuple[bool, ...]
    subsampled: bool
    transformed: bool
    reversible: bool
    high_throughput: bool
    ycc: bool
    palette: bool
    start: int
    end: int | None


def read_jpeg_2000_header(data: bytes, *, start: int = 0) -> Jpeg2000Header:
    """Reads the code stream at `start`, alone or in a JP2 or JPH file.

    Raises:
        ValueError: there is no code stream, or its main header is damaged.
    """
    ycc, palette = False, False
    if data.startswith(JP2_START, start):
        start, ycc, palette = _boxes(data, start)
    if data[start : start + 4] != J2K_START:
        raise ValueError("no JPEG 2000 code stream")
    size: tuple[int, ...] | None = None
    coding = b""
    high_throughput = False
    at = start + 2
    for segment in segments(data, last=START_OF_TILE_PART, start=start):
        marker, at, body = segment.marker, segment.start, segment.body
        if marker == _SIZ:
            size = struct.unpack_from(">HIIIIIIIIH", body)
            parts = body[36 : 36 + 3 * size[9]]
        elif marker == _COD:
            coding = body
        elif marker == _CAP:
            high_throughput = True
    if size is None or len(coding) < 10 or len(parts) < 3 * size[9]:
        raise ValueError("damaged JPEG 2000 header")
    _, right, bottom, left, top, *_ = size
    return Jpeg2000Header(
        rows=bottom - top,
        columns=right - left,
        precisions=tuple((part & 0x7F) + 1 for part in parts[::3]),
        signs=tuple(part >= 0x80 for part in parts[::3]),
        subsampled=any(step != 1 for step in (*parts[1::3], *parts[2::3])),
        transformed=coding[4] == 1,
        reversible=coding[9] == 1,
        high_throughput=high_throughput,
        ycc=ycc,
        palette=palette,
        start=start,
        end=_end(data, at),
    )


def _end(data: bytes, at: int) -> int | None:
    """The position after the end-of-code-stream marker, found from tile-part to tile-part."""
    while data[at : at + 2] == b"\xff\x90" and at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at + 6)
        if length == 0:  # The last tile-part reaches to the end, which its data can't hold.
            end = data.find(_EOC, at)
            return end + 2 if end >= 0 else None
        at += max(length, 12)
    return at + 2 if data[at : at + 2] == _EOC else None


def _boxes(data: bytes, at: int) -> tuple[int, bool, bool]:
    """Where the first code stream begins, whether the colour is YCbCr, and whether there is a palette."""
    ycc, palette = False, False
    for kind, start, end in boxes(data, at):
        if kind == b"jp2c":
            return start, ycc, palette
        if kind == b"jp2h":
            for inner, first, last in boxes(data, start, end):
                palette |= inner == b"pclr"
                if inner == b"colr" and data[first : first + 1] == bytes([_ENUMERATED]):
                    ycc |= int.from_bytes(data[first + 3 : min(first + 7, last)], "big") == _SYCC
    raise ValueError("no JPEG 2000 code stream in the JP2 file")


def boxes(data: bytes, at: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Kind, and first and last position of the content, of the boxes of an ISO base media file."""
    end = len(data) if end is None else end
    while at + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if length == 1 and at + 16 <= end:
            (length,), head = struct.unpack_from(">Q", data, at + 8), 16
        stop = end if length == 0 else at + length
        if stop < at + head:
            return
        yield kind, at + head, min(stop, end)
        at = stop
