"""JPEG 2000 code streams without what a receiver can rebuild (ISO/IEC 15444-1, Annex A).

The main header and that of the one tile-part follow from the size, the bits a sample and the count of decompositions,
as the encoder of `codecs` writes them. A code stream with another header travels whole.
"""

from __future__ import annotations

import math

from medsr_jax.jpeg.segments import START_OF_TILE_PART, segments

WHOLE = 0
"""The form of a stream as it is. A form from 1 up is 1 + the number of decompositions."""

_MOST_DECOMPOSITIONS = 9
_SIZE, _CODING, _QUANTISATION = 0x51, 0x52, 0x5C
_START, _DATA, _END = b"\xff\x4f", b"\xff\x93", b"\xff\xd9"
_GUARD_BITS, _FRACTION = 2, 13
# L2 norms of the 9-7 wavelet's synthesis functions: of LL, of HL and LH, and of HH, by decomposition from 0 or 1 up.
_LOW = (1.000, 1.965, 4.177, 8.403, 16.90, 33.84, 67.69, 135.3, 270.6, 540.9)
_MIXED = (2.022, 3.989, 8.355, 17.04, 34.27, 68.63, 137.3, 274.6, 549.0)
_HIGH = (2.080, 3.865, 8.307, 17.18, 34.71, 69.59, 139.3, 278.6, 557.2)


def split(stream: bytes, *, rows: int, columns: int, bits: int) -> tuple[int, bytes]:
    """Form and payload of a code stream.

    Args:
        stream: of one tile.
        rows, columns, bits: that the packet's header states of it.
    """
    found = {segment.marker: segment.body for segment in segments(stream, last=START_OF_TILE_PART)}
    coding = found.get(_CODING, b"")
    if len(coding) > 5 and coding[5] <= _MOST_DECOMPOSITIONS:
        length = len(_header(coding[5], 0, rows=rows, columns=columns, bits=bits))
        form, payload = 1 + coding[5], stream[length : -len(_END)]
        if join(form, payload, rows=rows, columns=columns, bits=bits) == stream:
            return form, payload
    return WHOLE, stream


def join(form: int, payload: bytes, *, rows: int, columns: int, bits: int) -> bytes:
    """The code stream of a form and a payload.

    Raises:
        ValueError: there is no such form.
    """
    if form == WHOLE:
        return payload
    if form > 1 + _MOST_DECOMPOSITIONS:
        raise ValueError("unknown form")
    return _header(form - 1, len(payload), rows=rows, columns=columns, bits=bits) + payload + _END


def _header(decompositions: int, length: int, *, rows: int, columns: int, bits: int) -> bytes:
    """All that precedes `length` bytes of coded data."""
    sides = columns.to_bytes(4, "big") + rows.to_bytes(4, "big")
    size = bytes(2) + sides + bytes(8) + sides + bytes(8) + b"\0\1" + bytes([bits - 1, 1, 1])
    # Progression by resolution, then place (RPCL); one layer; blocks of 64x64; the 9-7 wavelet; precincts of 256x256.
    coding = bytes([1, 2, 0, 1, 0, decompositions, 4, 4, 0, 0]) + b"\x88" * (decompositions + 1)
    quantisation = bytes([_GUARD_BITS << 5 | 2]) + b"".join(_steps(decompositions, bits))
    tile_part = b"\xff\x90\x00\x0a\0\0" + (length + 14).to_bytes(4, "big") + b"\0\1"
    main = _segment(_SIZE, size) + _segment(_CODING, coding) + _segment(_QUANTISATION, quantisation)
    return _START + main + tile_part + _DATA


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


def _steps(decompositions: int, bits: int) -> list[bytes]:
    """Exponent and mantissa of each subband's step (E.1.1): one over the norm, so that errors weigh alike in pixels."""
    norms = [_LOW[decompositions]]
    for level in range(decompositions - 1, -1, -1):
        norms += [_MIXED[level], _MIXED[level], _HIGH[level]]
    steps = []
    for norm in norms:
        step = math.floor((1 / norm) * (1 << _FRACTION))
        place = step.bit_length() - 1
        mantissa = (step << 11 >> place) & 0x7FF if place <= 11 else step >> (place - 11) & 0x7FF
        steps.append((bits - (place - _FRACTION) << 11 | mantissa).to_bytes(2, "big"))
    return steps
