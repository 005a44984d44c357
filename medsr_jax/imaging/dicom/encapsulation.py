"""Encapsulated Pixel Data: fragments, and which of them make up each frame (PS3.5 Annex A.4)."""

from __future__ import annotations

import itertools
import struct

import numpy as np

from medsr_jax.imaging.dicom.code_stream import codec_of, split_images

_ITEM, _DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"


def is_encapsulated(data: bytes) -> bool:
    """Whether Pixel Data are a sequence of items rather than native samples."""
    return data.startswith(_ITEM) and len(data) >= 8


def split_frames(data: bytes, *, offsets: bytes = b"") -> tuple[list[bytes], tuple[str, ...]]:
    """The code stream of every frame that is present, whether or not it is counted or in an offset table.

    A frame begins where an offset table says and where a fragment starts with an image's signature; several images
    in one fragment are several frames.

    Args:
        data: the value of Pixel Data, from the Basic Offset Table on.
        offsets: Extended Offset Table, if there is one.

    Returns:
        The streams, and notes.

    Raises:
        ValueError: the items are damaged, or no image starts with the first fragment.
    """
    table, fragments = _items(data)
    if not fragments:
        raise ValueError("no fragment holds anything")
    stated = np.frombuffer(offsets[: len(offsets) // 8 * 8], "<u8") if offsets else table
    notes: tuple[str, ...] = ()
    positions = {start: number for number, (start, _) in enumerate(fragments)}
    signed = {number for number, (_, fragment) in enumerate(fragments) if codec_of(fragment)}
    starts = {positions[int(start)] for start in stated if int(start) in positions}
    if len(stated) and len(starts) < len(stated):
        notes += ("the offset table points at no fragment and was ignored",)
        starts = set()
    if starts and signed - starts:
        notes += (f"the offset table names {len(starts)} of {len(starts | signed)} frames; all are used",)
    starts |= signed
    if 0 not in starts:
        raise ValueError("the first fragment starts no image that can be decoded")
    firsts = [*sorted(starts), len(fragments)]
    frames = []
    for first, last in itertools.pairwise(firsts):
        frames.extend(split_images(b"".join(fragment for _, fragment in fragments[first:last])))
    return frames, notes


def _items(data: bytes) -> tuple[np.ndarray, list[tuple[int, bytes]]]:
    """The Basic Offset Table, and the fragments that hold anything with their offsets."""
    parts: list[tuple[int, bytes]] = []
    at = 0
    while at + 8 <= len(data) and data[at : at + 4] != _DELIMITER:
        if data[at : at + 4] != _ITEM:
            raise ValueError(f"no item begins at byte {at} of the pixel data")
        (length,) = struct.unpack_from("<I", data, at + 4)
        if at + 8 + length > len(data):
            raise ValueError("truncated: an item reaches beyond the end of the pixel data")
        parts.append((at, data[at + 8 : at + 8 + length]))
        at += 8 + length
    if not parts:
        raise ValueError("no items in the pixel data")
    table = np.frombuffer(parts[0][1][: len(parts[0][1]) // 4 * 4], "<u4")
    base = 8 + len(parts[0][1])
    return table, [(at - base, part) for at, part in parts[1:] if part]
