"""Marker segments, whose form JPEG (T.81, B.1.1), JPEG-LS (T.87, Annex C) and JPEG 2000 (T.800, Annex A) share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

START_OF_SCAN, COMMENT = 0xDA, 0xFE
START_OF_TILE_PART, COMMENT_2000 = 0x90, 0x64


class Segment(NamedTuple):
    """One marker segment.

    Attributes:
        marker: the marker's second byte.
        start: position of its first byte, fill bytes left out.
        end: position behind the segment, which may lie beyond that of a truncated stream.
        body: what follows the length, as far as the stream has it.
    """

    marker: int
    start: int
    end: int
    body: bytes


def segments(stream: bytes, *, last: int, start: int = 0) -> Iterator[Segment]:
    """The segments from behind the marker that begins an image up to the first `last` one, that one included.

    Ends early, without `last`, where no marker follows or the stream ends: a caller that requires the whole header
    looks at the marker of the last segment.

    Args:
        stream: any bytes.
        last: `START_OF_SCAN` or `START_OF_TILE_PART`.
        start: position of the marker that begins the image.
    """
    at = start + 2
    while at + 4 <= len(stream) and stream[at] == 0xFF:
        marker = stream[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        end = at + 2 + max(int.from_bytes(stream[at + 2 : at + 4], "big"), 2)
        yield Segment(marker, at, end, stream[at + 4 : end])
        if marker == last:
            return
        at = end


def without(stream: bytes, removed: Iterator[Segment] | list[Segment]) -> bytes:
    """The stream without some of its segments."""
    kept, at = [], 0
    for segment in removed:
        kept.append(stream[at : segment.start])
        at = segment.end
    return b"".join([*kept, stream[at:]])
