"""Which bits of the decoded samples are the stored values (PS3.5 section 8.1.1)."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from medsr_jax.imaging.dicom.pixel_attributes import PixelAttributes

Array = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True)
class StoredValues:
    """Values, the bits that hold them, whether they are signed, and what was mended."""

    pixels: Array
    bits: int
    signed: bool
    notes: tuple[str, ...] = ()


def native_values(pixels: Array, attributes: PixelAttributes) -> StoredValues:
    """Leaves only the bits stored, shifted down to bit 0 and sign-extended; bits above may hold anything.

    Args:
        pixels: native or RLE samples, as wide as Bits Allocated.
    """
    bits, signed = attributes.stored, attributes.signed
    if attributes.allocated == 1:
        return StoredValues(pixels, 1, False)
    width = 8 * pixels.dtype.itemsize
    unsigned = pixels.view(f"u{pixels.dtype.itemsize}")
    shift, notes = _shift(unsigned, attributes)
    if bits == width:
        return StoredValues(pixels, bits, signed, notes)
    values = unsigned >> shift if shift else unsigned
    if signed:
        values = _extended(values, bits)
    elif shift == 0 and int(np.max(values)) < 1 << bits:
        return StoredValues(pixels, bits, signed, notes)
    else:
        values = values & ((1 << bits) - 1)
    if not shift and not np.array_equal(values, pixels):
        notes += (f"bits above the {bits} stored were cleared",)
    return StoredValues(values, bits, signed, notes)


def stream_values(
    pixels: Array, attributes: PixelAttributes, *, precision: int, signed_stream: bool | None
) -> StoredValues:
    """The values of a code stream: of Bits Stored where they fit, else of as many bits as the stream has.

    Args:
        pixels: samples as the codec gives them.
        precision: bits a sample, of the stream.
        signed_stream: the stream says that its samples are signed or not; None where its codec has no sign. Unsigned
            samples under Pixel Representation 1 are two's complement bits.
    """
    stored = attributes.stored
    notes: tuple[str, ...] = ()
    signed = attributes.signed or bool(signed_stream)
    if signed_stream:
        values = pixels if pixels.dtype.kind == "i" else _extended(pixels, precision)
        if not attributes.signed:
            notes += ("values are signed, as the code stream says and Pixel Representation does not",)
    else:
        unsigned = pixels.view(f"u{pixels.dtype.itemsize}")
        shift = 0
        if precision == attributes.allocated and stored < precision:
            shift, notes = _shift(unsigned, attributes)
        values = unsigned >> shift if shift else unsigned
        if attributes.signed:
            clear = int(np.max(values)) < 1 << stored
            values = _extended(values, min(precision, stored) if clear or shift else precision)
    low, high = limits(stored, signed=signed)
    if low <= int(np.min(values)) and int(np.max(values)) <= high:
        bits = stored
    else:
        bits = precision
        notes += (f"values have {precision} bits, as the code stream says; Bits Stored is {stored}",)
    # No narrower than the data set has them, and no narrower than they are.
    width = max(attributes.allocated // 8, 1, next(size for size in (1, 2, 4) if 8 * size >= bits))
    return StoredValues(values.astype(f"{'i' if signed else 'u'}{width}", copy=False), bits, signed, notes)


def limits(bits: int, *, signed: bool) -> tuple[int, int]:
    """The lowest and the highest value that `bits` bits hold."""
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def _shift(unsigned: Array, attributes: PixelAttributes) -> tuple[int, tuple[str, ...]]:
    """How far the stored bits lie above bit 0, and a note unless that is 0."""
    stored, high = attributes.stored, attributes.high
    shift = high + 1 - stored
    if shift == 0:
        return 0, ()
    low_bits = (1 << shift) - 1 if shift > 0 else 0
    beyond = shift < 0 or high >= attributes.allocated
    if beyond or (int(np.max(unsigned)) < 1 << stored and np.any(unsigned & low_bits)):
        return 0, (f"HighBit is {high} with {stored} bits stored; the values lie at bit 0 and were taken from there",)
    return shift, (f"values shifted down by {shift}: HighBit is {high} with {stored} bits stored",)


def _extended(values: Array, bits: int) -> Array:
    """Unsigned values of `bits` bits as the signed ones that these bits stand for."""
    spare = 8 * values.dtype.itemsize - bits
    extended: Array = (values << spare).view(f"i{values.dtype.itemsize}") >> spare
    return extended
