"""Baseline JPEGs without what a receiver can rebuild (ITU-T T.81).

Markers, frame and scan header follow from the packet's header, and so does a quantisation table of Annex K. The two
Huffman tables, a tenth of a small file, are coded in fewer bits; coded data stay as they are. A JPEG of any other form
travels whole.
"""

from __future__ import annotations

import numpy as np

from medsr_jax.jpeg.segments import START_OF_SCAN, segments
from medsr_jax.jpeg.tables import luminance_table
from medsr_jax.transmission.thin.bits import BitReader, BitWriter

WHOLE, USUAL, OWN_TABLE = range(3)
"""Forms: the file as it is; without its quantisation table, which is that of the quality; with it."""

_QUANTISATION, _FRAME, _HUFFMAN, _END = 0xDB, 0xC0, 0xC4, b"\xff\xd9"
_SCAN = bytes.fromhex("FFDA0008 0101 00 003F00".replace(" ", ""))
# Position in natural order of the k-th step of a table as it is written (Figure A.6).
_ZIGZAG = sorted(range(64), key=lambda n: (n // 8 + n % 8, n // 8 if (n // 8 + n % 8) % 2 else n % 8))
# Symbols of AC coefficients, about in the order of their frequency: end of block, then run * 16 + size by rising
# run + 3 size, then 16 zeros. Tables list symbols by rising code length, hence about in this order too.
_AC_SYMBOLS = [
    0x00,
    *sorted((run << 4 | size for run in range(16) for size in range(1, 11)), key=lambda s: (s // 16 + 3 * (s % 16), s)),
    0xF0,
]
_DC_SYMBOLS = list(range(12))
# Orders of the exponential Golomb codes of counts and of steps through the lists of symbols.
_COUNT_ORDER, _DC_ORDER, _AC_ORDER = 0, 0, 1


def split(stream: bytes, *, rows: int, columns: int, quality: int) -> tuple[int, bytes]:
    """Form and payload of a JPEG.

    Args:
        stream: the JPEG.
        rows, columns, quality: that the packet's header states of it.
    """
    header = list(segments(stream, last=START_OF_SCAN))
    found = {segment.marker: segment.body for segment in header}
    table, tables = found.get(_QUANTISATION, b"")[1:], _coded(found.get(_HUFFMAN, b""))
    if tables is not None:
        payload = tables + stream[header[-1].end : -len(_END)]
        for form, kept in ((USUAL, b""), (OWN_TABLE, table)):
            try:
                if join(form, kept + payload, rows=rows, columns=columns, quality=quality) == stream:
                    return form, kept + payload
            except (ValueError, OverflowError):
                continue
    return WHOLE, stream


def join(form: int, payload: bytes, *, rows: int, columns: int, quality: int) -> bytes:
    """The JPEG of a form and a payload.

    Raises:
        ValueError: they are damaged.
    """
    if form == WHOLE:
        return payload
    if form == USUAL:
        table = bytes(luminance_table(quality).ravel()[_ZIGZAG].astype(np.uint8))
    elif form == OWN_TABLE:
        table, payload = payload[:64], payload[64:]
    else:
        raise ValueError("unknown form")
    tables, length = _decoded(payload)
    frame = b"\x08" + rows.to_bytes(2, "big") + columns.to_bytes(2, "big") + bytes([1, 1, 0x11, 0])
    parts = [
        b"\xff\xd8",
        _segment(_QUANTISATION, b"\0" + table),
        _segment(_FRAME, frame),
        _segment(_HUFFMAN, tables),
        _SCAN,
        payload[length:],
        _END,
    ]
    return b"".join(parts)


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


def _coded(body: bytes) -> bytes | None:
    """The two tables of a DHT segment in fewer bits; None where it holds others.

    For each: the longest code length less 1 in 4 bits, the count of codes of each length and then, for each symbol, its
    place in the list of those not used yet, all but the first in exponential Golomb codes.
    """
    bits, at = BitWriter(), 0
    for number, symbols, order in ((0x00, _DC_SYMBOLS, _DC_ORDER), (0x10, _AC_SYMBOLS, _AC_ORDER)):
        counts = body[at + 1 : at + 17]
        used = body[at + 17 : at + 17 + sum(counts)]
        if len(counts) < 16 or body[at] != number or not sum(counts) or len(used) < sum(counts):
            return None
        longest = max(place for place, count in enumerate(counts) if count)
        bits.put(longest, 4)
        for count in counts[: longest + 1]:
            bits.put_golomb(count, _COUNT_ORDER)
        left = list(symbols)
        for symbol in used:
            if symbol not in left:
                return None
            bits.put_golomb(left.index(symbol), order)
            left.remove(symbol)
        at += 17 + len(used)
    return bits.padded() if at == len(body) else None


def _decoded(payload: bytes) -> tuple[bytes, int]:
    """The body of the DHT segment that `_coded` coded, and how many bytes it took."""
    bits, body = BitReader(payload), b""
    for number, symbols, order in ((0x00, _DC_SYMBOLS, _DC_ORDER), (0x10, _AC_SYMBOLS, _AC_ORDER)):
        longest = bits.take(4)
        counts = [bits.take_golomb(_COUNT_ORDER) for _ in range(longest + 1)]
        if not 0 < sum(counts) <= len(symbols):
            raise ValueError("no codes, or more than symbols")
        left = list(symbols)
        used = []
        for _ in range(sum(counts)):
            place = bits.take_golomb(order)
            if place >= len(left):
                raise ValueError("a symbol is unknown")
            used.append(left.pop(place))
        body += bytes([number, *counts, *bytes(15 - longest), *used])
    return body, bits.bytes_read
