"""The base quantiser of a still AV1 frame, read from its headers ("AV1 Bitstream & Decoding Process Specification").

Of a key frame, 5.5.1 (sequence header), 5.9.2 (uncompressed header) up to 5.9.12 (quantisation parameters) are parsed;
nothing is decoded.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from medsr_jax.errors import MedsrError

_SEQUENCE_HEADER, _FRAME_HEADER, _FRAME = 1, 3, 6
_MAX_TILE_COLUMNS = _MAX_TILE_ROWS = 64
_MAX_TILE_WIDTH, _MAX_TILE_AREA = 4096, 4096 * 2304


@dataclasses.dataclass
class _Bits:
    """Bits of a header, most significant first."""

    data: bytes
    position: int = 0

    def __call__(self, count: int) -> int:
        end = self.position + count
        if end > 8 * len(self.data):
            raise MedsrError("the AV1 code stream is damaged: its header ends early")
        first, last = self.position // 8, -(-end // 8)
        whole = int.from_bytes(self.data[first:last], "big") >> (8 * last - end)
        self.position = end
        return whole & ((1 << count) - 1)


@dataclasses.dataclass(frozen=True)
class _Sequence:
    """What the frame header depends on."""

    rows: int
    columns: int
    large_blocks: bool
    superres: bool


def base_quantiser(avif: bytes) -> int:
    """base_q_idx, 0..255, of an AVIF with one still frame; its step size is a table's (7.12.2).

    Raises:
        MedsrError: it is no such file, or uses what no still-picture encoder writes.
    """
    at = avif.find(b"mdat")
    if at < 4:
        raise MedsrError("the AVIF has no media data")
    return quantiser_of_units(avif[at + 4 :])


def quantiser_of_units(units: bytes) -> int:
    """`base_quantiser` of a sequence of open bitstream units (OBUs)."""
    sequence: _Sequence | None = None
    for kind, payload in _units(units):
        if kind == _SEQUENCE_HEADER:
            sequence = _sequence(_Bits(payload))
        elif kind in (_FRAME, _FRAME_HEADER) and sequence is not None:
            return _quantiser(_Bits(payload), sequence)
    raise MedsrError("the AV1 code stream is damaged: it has no frame")


def _units(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(obu_type, payload) of each unit (5.3)."""
    position = 0
    while position < len(data):
        head = data[position]
        position += 2 if head & 4 else 1
        length = len(data) - position
        if head & 2:
            length, position = _leb128(data, position)
        yield (head >> 3) & 15, data[position : position + length]
        position += length


def _leb128(data: bytes, position: int) -> tuple[int, int]:
    """A number (4.10.5), and the position behind it."""
    value = 0
    for place in range(8):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 127) << (7 * place)
        if byte < 128:
            return value, position
    raise MedsrError("the AV1 code stream is damaged: a unit's length has no end")


def _sequence(bits: _Bits) -> _Sequence:
    bits(3)  # profile
    bits(1)
    if not bits(1):
        raise MedsrError("the AV1 code stream is not a still picture")
    bits(5)  # level
    wide, high = bits(4) + 1, bits(4) + 1
    columns, rows = bits(wide) + 1, bits(high) + 1
    large = bool(bits(1))
    bits(2)  # filter intra, edge filter
    return _Sequence(rows, columns, large, bool(bits(1)))


def _quantiser(bits: _Bits, sequence: _Sequence) -> int:
    bits(1)  # disable_cdf_update
    screen = bits(1)
    if screen:
        bits(1)  # force_integer_mv
    scaled = bool(sequence.superres and bits(1))
    if scaled:
        raise MedsrError("the AV1 frame uses super-resolution, which no sender does")
    if bits(1):  # render size
        bits(32)
    if screen:
        bits(1)  # allow_intrabc
    _skip_tiles(bits, sequence)
    return bits(8)


def _skip_tiles(bits: _Bits, sequence: _Sequence) -> None:
    """5.9.15 with uniform spacing."""
    side = 128 if sequence.large_blocks else 64
    columns, rows = (math.ceil(length / side) for length in (sequence.columns, sequence.rows))
    widest, largest = _MAX_TILE_WIDTH // side, _MAX_TILE_AREA // side**2
    least_columns = _log2(widest, columns)
    least_tiles = max(least_columns, _log2(largest, rows * columns))
    if not bits(1):
        raise MedsrError("the AV1 frame has tiles of several sizes, which no sender writes")
    columns_log2 = _counted(bits, least_columns, _log2(1, min(columns, _MAX_TILE_COLUMNS)))
    rows_log2 = _counted(bits, max(least_tiles - columns_log2, 0), _log2(1, min(rows, _MAX_TILE_ROWS)))
    if columns_log2 or rows_log2:
        bits(columns_log2 + rows_log2 + 2)


def _counted(bits: _Bits, least: int, most: int) -> int:
    value = least
    while value < most and bits(1):
        value += 1
    return value


def _log2(unit: int, target: int) -> int:
    """The least k with unit 2^k >= target (tile_log2)."""
    k = 0
    while unit << k < target:
        k += 1
    return k
