"""The units of a VVC byte stream (ITU-T H.266, 7.3.1, 7.3.2.4 and Annex B): what stands in which, and the size.

Only the first fields of a sequence parameter set are read, which precede and hold the size of the picture.
"""

from __future__ import annotations

import dataclasses
import itertools
import re

from medsr_jax.errors import MedsrError
from medsr_jax.transmission.thin.bits import BitReader

SEQUENCE, PARAMETERS, ADAPTATION, INFORMATION = 15, 16, 17, 23
"""Types of units: sequence and picture parameter sets, adaptation parameter sets, supplemental information."""

START = b"\0\0\0\1"
_SHORT_START = b"\0\0\1"
_FIRST_OTHER = 12  # types below are of slices, whose first one ends what precedes the picture
_BEFORE_SIZE = 66  # bits of a sequence parameter set, its unit's header included
_ALIGNED = 8  # coded sides are multiples of this
_CHROMA = 2  # luma samples that the window of a 4:2:0 picture counts by


@dataclasses.dataclass(frozen=True)
class Unit:
    """A unit of the network abstraction layer.

    Attributes:
        kind: its type.
        start: position of its start code.
        body: its bytes from the header on.
    """

    kind: int
    start: int
    body: bytes


def is_vvc(start: bytes) -> bool:
    """Whether bytes begin a byte stream with a sequence parameter set, as the encoder here writes it."""
    return start.startswith(START + bytes([0, SEQUENCE << 3 | 1]))


def units(stream: bytes) -> list[Unit]:
    """All units in order; zero bytes that end one belong to the next start code."""
    places = [match.start() for match in re.finditer(_SHORT_START, stream)]
    found = []
    for at, end in itertools.pairwise([*places, len(stream)]):
        body = stream[at + len(_SHORT_START) : end]
        body = body.rstrip(b"\0") if end != len(stream) else body
        start = at - 1 if at and stream[at - 1] == 0 else at
        if len(body) < 2:
            raise MedsrError("the VVC code stream is damaged: a unit is empty")
        found.append(Unit(body[1] >> 3, start, body))
    return found


def is_slice(unit: Unit) -> bool:
    """Whether a unit holds a part of the picture."""
    return unit.kind < _FIRST_OTHER


def unescaped(body: bytes) -> bytes:
    """A unit without the bytes that keep start codes out of it (7.3.1.1)."""
    return re.sub(rb"\x00\x00\x03(?=[\x00-\x03]|$)", b"\0\0", body)


def escaped(body: bytes) -> bytes:
    """The inverse of `unescaped`."""
    return re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\0\0\3", body)


@dataclasses.dataclass(frozen=True)
class SequenceStart:
    """The first fields of a sequence parameter set.

    Attributes:
        before: the bits that precede the size.
        shape: rows and columns of the picture within its window.
        after: bits that follow the window, as text of 0 and 1.
    """

    before: int
    shape: tuple[int, int]
    after: str


def sequence_start(body: bytes) -> SequenceStart:
    """Of a sequence parameter set.

    Raises:
        ValueError: it ends early, or a window removes more than aligning the sides adds.
    """
    plain = unescaped(body)
    bits = BitReader(plain)
    before = bits.take(_BEFORE_SIZE)
    columns, rows = bits.take_golomb(0), bits.take_golomb(0)
    left = right = top = bottom = 0
    if bits.take(1):
        left, right, top, bottom = (bits.take_golomb(0) for _ in range(4))
    if left or top or max(right, bottom) * _CHROMA >= _ALIGNED:
        raise ValueError("window")
    text = f"{int.from_bytes(plain, 'big'):0{8 * len(plain)}b}"
    shape = rows - _CHROMA * bottom, columns - _CHROMA * right
    return SequenceStart(before, shape, text[len(text) - bits.bits_left :])


def coded_sides(shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns with which a picture of even sides is coded."""
    rows, columns = (side + -side % _ALIGNED for side in shape)
    return rows, columns


def picture_shape(stream: bytes) -> tuple[int, int]:
    """Rows and columns of the picture, read without decoding.

    Raises:
        MedsrError: there is no sequence parameter set, or it is damaged.
    """
    found = next((unit for unit in units(stream) if unit.kind == SEQUENCE), None)
    try:
        if found is not None:
            return sequence_start(found.body).shape
    except ValueError as error:
        raise MedsrError("the VVC code stream is damaged in its sequence parameter set") from error
    raise MedsrError("the VVC code stream has no sequence parameter set")
