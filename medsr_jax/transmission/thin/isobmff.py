"""The few boxes of an AVIF file: one AV1 item taken out of a file, and the shortest usual file around one.

ISO/IEC 14496-12 (boxes), 23008-12 (items and their properties), AV1 Image File Format 1.1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

_BRANDS = b"avif" + bytes(4) + b"avifmif1miaf"
# Properties that the sequence header of the item implies, so that they need not travel.
_IMPLIED = (b"ispe", b"pixi", b"av1C", b"colr")


@dataclasses.dataclass(frozen=True)
class Picture:
    """What the properties of an AV1 item say, besides what its sequence header says too.

    Attributes:
        rows, columns: of the picture.
        depth: bits a sample.
        monochrome: one channel in place of three.
        configuration: the first three bytes of `av1C` behind its version: profile and level, tier and sampling.
        colour: primaries, transfer and matrix of ISO/IEC 23091-2; None where the stream states none.
        full_range: samples span all codes.
    """

    rows: int
    columns: int
    depth: int
    monochrome: bool
    configuration: bytes
    colour: tuple[int, int, int] | None
    full_range: bool


def av1_item(data: bytes) -> bytes | None:
    """The bytes of the one item of an AVIF still; None where the file has more than a thin packet keeps.

    Args:
        data: any bytes.
    """
    try:
        found = dict(_boxes(data))
        meta = dict(_boxes(found[b"meta"][4:]))
        properties = dict(_boxes(meta[b"iprp"]))
        names = [name for name, _ in _boxes(properties[b"ipco"])]
        if set(found) - {b"ftyp", b"meta", b"mdat", b"free"} or set(names) - set(_IMPLIED) or b"av1C" not in names:
            return None
        items = meta[b"iinf"]
        if b"iref" in meta or items[:6] != bytes(5) + b"\x01" or items[22:26] != b"av01":
            return None
        return _extent(data, meta[b"iloc"])
    except (KeyError, IndexError, ValueError):
        return None


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of boxes that follow each other."""
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if length < 8 or at + length > len(data):
            raise ValueError("box")
        yield data[at + 4 : at + 8], data[at + 8 : at + length]
        at += length


def _extent(data: bytes, location: bytes) -> bytes | None:
    """The one extent of the one item of an `iloc` of version 0 with offsets and lengths of 4 bytes."""
    if len(location) != 22 or location[:5] != bytes(4) + b"\x44" or location[5] or location[6:8] != b"\0\1":
        return None
    if location[10:12] != bytes(2) or location[12:14] != b"\0\1":
        return None
    start, length = (int.from_bytes(location[at : at + 4], "big") for at in (14, 18))
    return data[start : start + length] if start + length <= len(data) else None


def avif_file(item: bytes, picture: Picture) -> bytes:
    """The AVIF still of an AV1 item: a file of ftyp, meta and mdat.

    Args:
        item: the item's bytes.
        picture: its properties.
    """
    channels = bytes([picture.depth]) * (1 if picture.monochrome else 3)
    size = picture.columns.to_bytes(4, "big") + picture.rows.to_bytes(4, "big")
    properties = [
        _box(b"ispe", bytes(4), size),
        _box(b"pixi", bytes(4), bytes([len(channels)]), channels),
        _box(b"av1C", b"\x81", picture.configuration),
    ]
    if picture.colour is not None:
        values = b"".join(value.to_bytes(2, "big") for value in picture.colour)
        properties.append(_box(b"colr", b"nclx", values, b"\x80" if picture.full_range else b"\0"))
    # The third, av1C, is essential to a reader.
    numbers = bytes(number | 0x80 if number == 3 else number for number in range(1, len(properties) + 1))
    association = _box(b"ipma", bytes(4), b"\0\0\0\1\0\1", bytes([len(numbers)]), numbers)
    head = _box(b"ftyp", _BRANDS)
    # The item's place depends on the length of what stands before it, which does not depend on the place.
    meta = b""
    for _ in range(2):
        place = len(head) + len(meta) + 8
        meta = _box(
            b"meta",
            bytes(4),
            _box(b"hdlr", bytes(8), b"pict", bytes(13)),
            _box(b"pitm", bytes(4), b"\0\1"),
            _box(b"iloc", bytes(4), b"\x44\0\0\1\0\1\0\0\0\1", place.to_bytes(4, "big"), len(item).to_bytes(4, "big")),
            _box(b"iinf", bytes(4), b"\0\1", _box(b"infe", b"\2\0\0\0\0\1\0\0av01\0")),
            _box(b"iprp", _box(b"ipco", *properties), association),
        )
    return head + meta + _box(b"mdat", item)


def _box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return (len(body) + 8).to_bytes(4, "big") + name + body
