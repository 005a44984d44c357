"""Whether a TIFF's directories and compressed segments can be followed at a bounded cost (TIFF 6.0, section 2)."""

from __future__ import annotations

import struct
from typing import Any

from medsr_jax.errors import MedsrError
from medsr_jax.imaging.dicom import code_stream
from medsr_jax.imaging.dicom.code_stream import RLE

_MOST_PAGES = 10_000


def check_directories(data: bytes, *, name: str) -> None:
    """Follows the chain of image file directories, and refuses one that has no end.

    Raises:
        MedsrError: the chain comes back to where it was, or is longer than any image's.
    """
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    first, count, entry, link = (8, "Q", 20, "Q") if big else (4, "H", 12, "I")
    (at,) = _numbers(order + link, data, first)
    seen: set[int] = set()
    while at:
        if at in seen or len(seen) >= _MOST_PAGES:
            raise MedsrError("is a damaged TIFF: its chain of pages has no end", path=name, remedy="save it anew")
        seen.add(at)
        (entries,) = _numbers(order + count, data, at)
        (at,) = _numbers(order + link, data, at + struct.calcsize(order + count) + entry * entries)


def _numbers(form: str, data: bytes, at: int) -> tuple[int, ...]:
    """Numbers at a position, zeros behind the end of the file: what is cut short the reader names."""
    if at + struct.calcsize(form) > len(data):
        return (0,)
    return struct.unpack_from(form, data, at)


def check_segments(page: Any, data: bytes, *, name: str) -> None:
    """Reads the header of each strip or tile that is an image of its own, before anything decodes it.

    Raises:
        MedsrError: it is larger than the strip or tile that it fills, or costs too many passes.
    """
    width = page.tilewidth or page.imagewidth
    length = page.tilelength or page.rowsperstrip or page.imagelength
    # Encoders fill the last strip up to whole blocks.
    most = (width + 64) * (min(length, page.imagelength if not page.tilelength else length) + 64)
    for start, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        segment = data[start : start + count]
        if code_stream.codec_of(segment) in (None, RLE) or page.compression == 1:
            continue
        try:
            header = code_stream.read_stream_header(segment)
        except ValueError:
            continue  # A JPEG whose tables are elsewhere, or what the decoder will refuse.
        if header.rows * header.columns > most:
            sizes = f"{length} x {width}", f"{header.rows} x {header.columns}"
            raise MedsrError(
                f"has {sizes[1]} pixels in a strip or tile of {sizes[0]}", path=name, remedy="the file is damaged"
            )
        if header.scans:
            raise MedsrError(
                f"has a JPEG of {header.scans} scans, too many to decode", path=name, remedy="save it anew"
            )
