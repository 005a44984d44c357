"""The header of a JPEG XL stream, read without decoding (ISO 18181-1, Annexes B to D)."""

from __future__ import annotations

import dataclasses

from medsr_jax.imaging.jpeg_2000_markers import boxes

XL_BOXES = b"\0\0\0\x0cJXL \r\n\x87\n"
XL_START = b"\xff\x0a"
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_GREY = 1


@dataclasses.dataclass(frozen=True)
class JpegXlHeader:
    """What the size header and the image metadata say.

    Attributes:
        rows, columns: size before the orientation is applied.
        precision: bits a sample; 8 where the stream leaves the default.
        floating: samples are floating-point numbers.
        components: 1 or 3 colour channels, extra channels not counted.
        extra: number of extra channels, such as alpha.
        transformed: coded in the XYB colour space, which is never lossless.
        orientation: 1..8, as in EXIF.
    """

    rows: int
    columns: int
    precision: int
    floating: bool
    components: int
    extra: int
    transformed: bool
    orientation: int


def read_jpeg_xl_header(data: bytes) -> JpegXlHeader:
    """Reads a naked code stream or one in boxes.

    Raises:
        ValueError: there is no code stream, or it is cut short.
    """
    stream = data
    if data.startswith(XL_BOXES):
        parts = [data[s:e] if kind == b"jxlc" else data[s + 4 : e] for kind, s, e in boxes(data) if kind[:3] == b"jxl"]
        stream = next((part for part in parts if part.startswith(XL_START)), b"")
    if not stream.startswith(XL_START):
        raise ValueError("no JPEG XL code stream")
    bits = _Bits(stream[2:66])
    rows, columns = _size(bits)
    if bits.take(1):  # All metadata are the defaults: 8 bits, RGB, XYB.
        return JpegXlHeader(rows, columns, 8, False, 3, 0, True, 1)
    orientation = 1
    if bits.take(1):
        orientation = 1 + bits.take(3)
        if bits.take(1):  # The intrinsic size.
            _size(bits)
        if bits.take(1):  # A preview.
            raise ValueError("a JPEG XL stream with a preview")
        if bits.take(1):
            raise ValueError("an animated JPEG XL stream")
    floating, precision = _bit_depth(bits)
    bits.take(1)  # 16-bit buffers suffice for Modular.
    extra = bits.one_of((0, 0), (1, 0), (2, 4), (1, 12))
    if extra:
        # What follows the extra channels is not needed but for the colours, which the decoder tells.
        return JpegXlHeader(rows, columns, precision, floating, 0, extra, False, orientation)
    transformed = bool(bits.take(1))
    components = 3
    if not bits.take(1):  # Colour encoding, where it is not the default sRGB.
        bits.take(1)  # Whether there is an ICC profile; the colour space comes all the same.
        space = bits.one_of((0, 0), (1, 0), (2, 4), (18, 6))
        components = 1 if space == _GREY else 3
    return JpegXlHeader(rows, columns, precision, floating, components, 0, transformed, orientation)


def _size(bits: _Bits) -> tuple[int, int]:
    def side(small: int) -> int:
        return 8 * (bits.take(5) + 1) if small else bits.one_of((1, 9), (1, 13), (1, 18), (1, 30))

    small = bits.take(1)
    rows = side(small)
    ratio = bits.take(3)
    if ratio:
        across, down = _RATIOS[ratio]
        return rows, rows * across // down
    return rows, side(small)


def _bit_depth(bits: _Bits) -> tuple[bool, int]:
    if bits.take(1):
        precision = bits.one_of((32, 0), (16, 0), (24, 0), (1, 6))
        bits.take(4)  # Exponent bits.
        return True, precision
    return False, bits.one_of((8, 0), (10, 0), (12, 0), (1, 6))


class _Bits:
    """Bits from the least significant one of each byte on."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise ValueError("a JPEG XL header that is cut short")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return value

    def one_of(self, *choices: tuple[int, int]) -> int:
        """The offset and extra bits that two selector bits choose (U32 of the standard)."""
        offset, count = choices[self.take(2)]
        return offset + self.take(count)
