"""AV1 stills without what a receiver can rebuild (AV1 Bitstream and Decoding Process Specification 1.0.0).

An AVIF file's item is a temporal delimiter, a sequence header and a frame. Of these the thin packet keeps the frame's
payload: the sequence header follows from the size of the picture and a few flags of the encoder, the rest is constant.
Where an encoder wrote the sequence header otherwise, or other units, the item's units travel as they are; a file that
is no such still travels whole.
"""

from __future__ import annotations

import dataclasses

from medsr_jax.transmission.thin.bits import BitReader, BitWriter
from medsr_jax.transmission.thin.isobmff import Picture, av1_item, avif_file

WHOLE, UNITS = 0, 1
"""Forms: the file as it is, and the item's units. A form from 2 up is 2 + flags of a sequence header."""

_SEQUENCE_HEADER, _TEMPORAL_DELIMITER, _FRAME = 1, 2, 6
_SRGB = (1, 13, 6)
# Levels by their number: most luma samples, columns and rows (Annex A.3).
_LEVELS = (
    (0, 147456, 2048, 1152),
    (1, 278784, 2816, 1584),
    (4, 665856, 4352, 2448),
    (5, 1065024, 5504, 3096),
    (8, 2359296, 6144, 3456),
    (12, 8912896, 8192, 4352),
    (16, 35651584, 16384, 8704),
)
_UNLIMITED = 31


@dataclasses.dataclass(frozen=True)
class _Sequence:
    """A sequence header of a still picture (5.5.1, `reduced_still_picture_header` set).

    Attributes:
        picture: size, depth and colour.
        profile, level: as coded.
        side_bits: bits that columns - 1 and rows - 1 are coded with.
        flags: as `_FLAGS` numbers them, without those of depth and colour.
    """

    picture: Picture
    profile: int
    level: int
    side_bits: tuple[int, int]
    flags: int


# Bits of the flags: coding tools in the order of the sequence header, but for those that are rare; depth and colour.
_FILTER_INTRA, _INTRA_EDGE, _CDEF, _RESTORATION, _COLOUR, _TEN_BITS, _SUPERBLOCK_128, _SUPERRES = (
    1 << bit for bit in range(8)
)
_TOOLS = (_SUPERBLOCK_128, _FILTER_INTRA, _INTRA_EDGE, _SUPERRES, _CDEF, _RESTORATION)


def split(stream: bytes, *, rows: int, columns: int, units: bool = False) -> tuple[int, bytes]:
    """Form and payload of an AVIF file.

    Args:
        stream: the file.
        rows, columns: that its picture must have for other forms than the whole.
        units: keep the item's units, however usual.
    """
    item = av1_item(stream)
    if item is None:
        return WHOLE, stream
    try:
        parts = [part for part in _units(item) if part[0] != _TEMPORAL_DELIMITER]
        sequence = next(_parsed(payload) for kind, _, payload in parts if kind == _SEQUENCE_HEADER)
    except (ValueError, StopIteration):
        return WHOLE, stream
    picture = sequence.picture
    if (picture.rows, picture.columns) != (rows, columns):
        return WHOLE, stream
    flags = sequence.flags | _COLOUR * (picture.colour == _SRGB) | _TEN_BITS * (picture.depth == 10)
    item = b"".join(unit for _, unit, _ in parts)
    if not units and [kind for kind, _, _ in parts] == [_SEQUENCE_HEADER, _FRAME]:
        frame = parts[1][2]
        if _unit(_SEQUENCE_HEADER, _sequence_header(flags, rows, columns)) + _unit(_FRAME, frame) == item:
            return 2 + flags, frame
    return UNITS, item


def code_stream(stream: bytes) -> bytes:
    """The units of an AVIF file's picture, which stay the same whatever boxes are around them.

    The file itself where it is no still of one item.
    """
    item = av1_item(stream)
    try:
        return (
            stream if item is None else b"".join(unit for kind, unit, _ in _units(item) if kind != _TEMPORAL_DELIMITER)
        )
    except ValueError:
        return stream


def join(form: int, payload: bytes, *, rows: int, columns: int) -> bytes:
    """The AVIF file of a form and a payload: that which was split, but for its boxes.

    Raises:
        ValueError: they are damaged.
    """
    if form == WHOLE:
        return payload
    if form == UNITS:
        parts = list(_units(payload))
        sequence = next((_parsed(part) for kind, _, part in parts if kind == _SEQUENCE_HEADER), None)
        if sequence is None:
            raise ValueError("no sequence header")
        return avif_file(payload, sequence.picture)
    if form - 2 > 255:
        raise ValueError("unknown flags")
    header = _sequence_header(form - 2, rows, columns)
    return avif_file(_unit(_SEQUENCE_HEADER, header) + _unit(_FRAME, payload), _parsed(header).picture)


def _units(item: bytes) -> list[tuple[int, bytes, bytes]]:
    """Type, bytes and payload of each open bitstream unit, which must state its size (5.3)."""
    found, at = [], 0
    while at < len(item):
        head = item[at]
        begin = at + 1 + (head >> 2 & 1)
        if head & 0x83 != 2:  # the forbidden and the reserved bit are clear, and the size is stated
            raise ValueError("unit")
        size = 0
        for place in range(8):
            byte = item[begin] if begin < len(item) else 0xFF
            begin += 1
            size |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                break
        if begin + size > len(item):
            raise ValueError("unit")
        found.append((head >> 3 & 15, item[at : begin + size], item[begin : begin + size]))
        at = begin + size
    return found


def _unit(kind: int, payload: bytes) -> bytes:
    size, head = len(payload), bytearray([kind << 3 | 2])
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*head, size]) + payload


def _parsed(header: bytes) -> _Sequence:
    """A sequence header.

    Raises:
        ValueError: it ends early, or isn't that of a still picture in its reduced form.
    """
    bits = BitReader(header)
    profile, still, reduced, level = bits.take(3), bits.take(1), bits.take(1), bits.take(5)
    if not still or not reduced:
        raise ValueError("not a still picture")
    widths = bits.take(4) + 1, bits.take(4) + 1
    columns, rows = bits.take(widths[0]) + 1, bits.take(widths[1]) + 1
    flags = sum(tool for tool in _TOOLS if bits.take(1))
    # Colour configuration (5.5.2).
    high = bits.take(1)
    twelve = bits.take(1) if profile == 2 and high else 0
    monochrome = bits.take(1) if profile != 1 else 0
    colour = (bits.take(8), bits.take(8), bits.take(8)) if bits.take(1) else None
    subsampled, position = (1, 1), 0
    if monochrome or colour != (1, 13, 0):
        full_range = bits.take(1)
        if not monochrome:
            if profile == 2:
                across = bits.take(1) if twelve else 1
                subsampled = (across, bits.take(1) if twelve and across else 0)
            else:
                subsampled = (0, 0) if profile == 1 else (1, 1)
            position = bits.take(2) if subsampled == (1, 1) else 0
    else:
        full_range, subsampled = 1, (0, 0)
    first = profile << 5 | level
    # The tier is not coded below level 8 nor in the reduced form: it is the main one.
    second = high << 6 | twelve << 5 | monochrome << 4 | subsampled[0] << 3 | subsampled[1] << 2 | position
    picture = Picture(
        rows=rows,
        columns=columns,
        depth=12 if twelve else 10 if high else 8,
        monochrome=bool(monochrome),
        configuration=bytes([first, second, 0]),
        colour=colour,
        full_range=bool(full_range),
    )
    return _Sequence(picture, profile, level, widths, flags)


def _sequence_header(flags: int, rows: int, columns: int) -> bytes:
    """The sequence header that libaom writes for a monochrome still of the main profile and full range."""
    bits = BitWriter()
    bits.put(0b00011, 5)  # main profile, still picture, reduced header
    bits.put(_level(rows, columns), 5)
    widths = tuple(max((side - 1).bit_length(), 1) for side in (columns, rows))
    if max(widths) > 16:
        raise ValueError("side")
    for width in widths:
        bits.put(width - 1, 4)
    for side, width in zip((columns, rows), widths, strict=True):
        bits.put(side - 1, width)
    for tool in _TOOLS:
        bits.put(int(bool(flags & tool)), 1)
    bits.put(int(bool(flags & _TEN_BITS)), 1)
    bits.put(1, 1)  # monochrome
    bits.put(int(bool(flags & _COLOUR)), 1)
    if flags & _COLOUR:
        for value in _SRGB:
            bits.put(value, 8)
    bits.put(0b101, 3)  # full range, no film grain, and the bit that ends a unit (5.3.4)
    return bits.padded()


def _level(rows: int, columns: int) -> int:
    """The lowest level that allows the picture."""
    for level, samples, most_columns, most_rows in _LEVELS:
        if rows * columns <= samples and columns <= most_columns and rows <= most_rows:
            return level
    return _UNLIMITED
