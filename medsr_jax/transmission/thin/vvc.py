"""VVC stills without what a receiver can rebuild (ITU-T H.266, 7.3.2.4 and 7.3.2.5).

A stream is a sequence parameter set, a picture parameter set, sometimes adaptation parameter sets, and a slice. The
first two, 70 bytes, follow from the size of the picture and the encoder's preset; of the presets that the sender uses
they are listed here. Streams with others travel whole.
"""

from __future__ import annotations

import dataclasses

from medsr_jax.transmission.thin.bits import BitReader, BitWriter
from medsr_jax.transmission.vvc_units import (
    ADAPTATION,
    PARAMETERS,
    SEQUENCE,
    START,
    coded_sides,
    escaped,
    sequence_start,
    unescaped,
    units,
)

WHOLE = 0
"""The form of a stream as it is. A form from 1 up is the place in `PRESETS`, from 1."""

_SHORT_START = START[1:]
_CHROMA = 2
_PARAMETERS_BEFORE, _BEFORE, _SEQUENCE_BEFORE = 0x40800, 27, 66


@dataclasses.dataclass(frozen=True)
class Preset:
    """What parameter sets say besides the size.

    Attributes:
        before: the 66 bits of a sequence parameter set before the size.
        after: the bits from behind the window to the last 1, below a leading 1.
        parameters: the same of a picture parameter set, whose 27 bits before the size are alike.
    """

    before: int
    after: int
    parameters: int


PRESETS = (
    Preset(0x1E40034099A0002, 0x13501F49BA4469149BCE136563040827055FFA5D97F9C9000000010000000131, 0x1130FD81),
    Preset(0x1E40034099A0002, 0x13501F4DBA6469149BCE136563040827055FFA5D97F9C9000000010000000131, 0x1130FD81),
    Preset(0x1E40034099A0002, 0x4D407D11BA211A65264EE136563040827055FFF77C9F9C9000000010000000131, 0x1130FD81),
    Preset(0x1E40034099A0002, 0x4D407D11BA211A65264CE136563040827055FFF77C9F9C9000000010000000131, 0x1130FD81),
    Preset(0x1E4002C099A0002, 0x26A03F44268A4F79C26CAC608104E0ABEF4BB159C9000000010000000131, 0x1130FD81),
    Preset(0x1E4002C099A0002, 0x13501FFFAC21365630408270550CC119C5000000010000000131, 0x1130C1),
)
"""Those of VVenC 1.15 (development), by their numbers, which are part of the format: append only."""


def split(stream: bytes) -> tuple[int, bytes]:
    """Form and payload of a byte stream."""
    parts = units(stream)
    if [part.kind for part in parts[:2]] != [SEQUENCE, PARAMETERS] or len(parts) < 3:
        return WHOLE, stream
    try:
        sequence, parameters = sequence_start(parts[0].body), _parameters_after(parts[1].body)
    except ValueError:
        return WHOLE, stream
    preset = Preset(sequence.before, _number(sequence.after), _number(parameters))
    if preset not in PRESETS:
        return WHOLE, stream
    form, payload = 1 + PRESETS.index(preset), stream[parts[2].start :].lstrip(b"\0")[1:]
    if join(form, payload, shape=sequence.shape) != stream:
        return WHOLE, stream
    return form, payload


def join(form: int, payload: bytes, *, shape: tuple[int, int]) -> bytes:
    """The byte stream of a form and a payload.

    Args:
        form: as `split` gives it.
        payload: the rest.
        shape: rows and columns of the picture, even.

    Raises:
        ValueError: there is no such form.
    """
    if form == WHOLE:
        return payload
    if form > len(PRESETS):
        raise ValueError("unknown form")
    preset, (rows, columns) = PRESETS[form - 1], coded_sides(shape)
    bits = BitWriter()
    bits.put(preset.before, _SEQUENCE_BEFORE)
    bits.put_golomb(columns, 0)
    bits.put_golomb(rows, 0)
    window = (rows - shape[0]) // _CHROMA, (columns - shape[1]) // _CHROMA
    bits.put(int(any(window)), 1)
    if any(window):
        for side in (0, window[1], 0, window[0]):
            bits.put_golomb(side, 0)
    _put(bits, preset.after)
    sequence = bits.padded()
    bits = BitWriter()
    bits.put(_PARAMETERS_BEFORE, _BEFORE)
    bits.put_golomb(columns, 0)
    bits.put_golomb(rows, 0)
    _put(bits, preset.parameters)
    # Parameter sets have the longer start code (Annex B.2.2).
    third = START if payload[1:2] and payload[1] >> 3 == ADAPTATION else _SHORT_START
    return START + escaped(sequence) + START + escaped(bits.padded()) + third + payload


def _parameters_after(body: bytes) -> str:
    """The bits of a picture parameter set behind the size."""
    plain = unescaped(body)
    bits = BitReader(plain)
    if bits.take(_BEFORE) != _PARAMETERS_BEFORE:
        raise ValueError("another picture parameter set")
    bits.take_golomb(0)
    bits.take_golomb(0)
    return f"{int.from_bytes(plain, 'big'):0{8 * len(plain)}b}"[-bits.bits_left :]


def _number(text: str) -> int:
    """Bits as a number, without the zeros that fill the last byte."""
    return int("1" + text.rstrip("0"), 2)


def _put(bits: BitWriter, number: int) -> None:
    length = number.bit_length() - 1
    bits.put(number - (1 << length), length)
