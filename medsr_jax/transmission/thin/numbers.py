"""Numbers of thin packets: whole ones of variable length, and any real number exactly.

A varint holds seven bits a byte, the lowest first; the top bit says that another byte follows (LEB128). A number is a
varint v: even, the whole number whose zigzag code is v / 2; odd, v // 2 is what follows: 0 eight bytes of IEEE 754,
little endian; 1 four such bytes; 2 two varints, the zigzag codes of m and e in m * 10^e; 3 nothing, for the number
before is meant once more.
"""

from __future__ import annotations

import re
import struct

from medsr_jax.errors import MedsrError

_MOST_VARINT = 10  # bytes: 64 bits
_DOUBLE, _SINGLE, _DECIMAL, _AGAIN = 1, 3, 5, 7
_MOST_DIGITS, _MOST_EXPONENT = 15, 22  # of decimals that every reader turns into the same double


class ByteReader:
    """Reads bytes, varints and numbers in order, and nothing beyond the end.

    Args:
        data: where they stand.
        at: position to begin at.
    """

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data, self.at, self._last = data, at, 0.0

    def take(self, count: int) -> bytes:
        """The next bytes.

        Raises:
            MedsrError: there are not as many.
        """
        if count > len(self._data) - self.at:
            raise damaged("it ends early")
        self.at += count
        return self._data[self.at - count : self.at]

    def byte(self) -> int:
        """The next byte."""
        return self.take(1)[0]

    def varint(self, most: int = 1 << 62) -> int:
        """The next varint.

        Args:
            most: larger ones are refused.

        Raises:
            MedsrError: it is larger, or the data ends.
        """
        value = 0
        for place in range(_MOST_VARINT):
            byte = self.byte()
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                break
        else:
            raise damaged("a number is too long")
        if value > most:
            raise damaged(f"{value} is more than {most}")
        return value

    def number(self) -> float:
        """The next number: an int where it is whole by its form.

        Raises:
            MedsrError: it has another form, or the data ends.
        """
        self._last = self._number()
        return self._last

    def _number(self) -> float:
        form = self.varint((1 << 65) - 1)
        if not form % 2:
            return _from_zigzag(form // 2)
        if form == _DOUBLE:
            return float(struct.unpack("<d", self.take(8))[0])
        if form == _SINGLE:
            return float(struct.unpack("<f", self.take(4))[0])
        if form == _AGAIN:
            return self._last
        if form != _DECIMAL:
            raise damaged("a number has an unknown form")
        mantissa, exponent = _from_zigzag(self.varint()), _from_zigzag(self.varint(1000))
        return float(f"{mantissa}e{exponent}")


class ByteWriter:
    """The inverse of `ByteReader`."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._last = 0.0

    def put(self, data: bytes) -> None:
        """Append bytes."""
        self._parts.append(data)

    def byte(self, value: int) -> None:
        """Append a byte."""
        self._parts.append(bytes([value]))

    def varint(self, value: int) -> None:
        """Append a varint."""
        self._parts.append(varint(value))

    def number(self, value: float) -> None:
        """Append a number in its shortest form."""
        again = value == self._last
        self._last = value
        self._parts.append(varint(_AGAIN) if again and value else _number(value))

    def joined(self) -> bytes:
        """All that was appended."""
        return b"".join(self._parts)


def varint(value: int) -> bytes:
    """A whole number from 0 up as a varint."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def damaged(what: str) -> MedsrError:
    """The refusal of a thin packet."""
    return MedsrError(f"the packet is damaged: {what}", remedy="have it sent again")


def _number(value: float) -> bytes:
    if float(value).is_integer() and abs(value) < 1 << 53:
        return varint(_zigzag(int(value)) << 1)
    number = float(value)
    forms = [varint(_DOUBLE) + struct.pack("<d", number)]
    if abs(number) < 3e38 and struct.unpack("<f", single := struct.pack("<f", number))[0] == number:
        forms.append(varint(_SINGLE) + single)
    found = re.fullmatch(r"(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?", repr(number))
    if found:
        fraction = found[3] or ""
        mantissa, exponent = int(found[1] + found[2] + fraction), int(found[4] or 0) - len(fraction)
        if abs(mantissa) < 10**_MOST_DIGITS and abs(exponent) <= _MOST_EXPONENT:
            forms.append(varint(_DECIMAL) + varint(_zigzag(mantissa)) + varint(_zigzag(exponent)))
    return min(forms, key=len)


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _from_zigzag(value: int) -> int:
    return value >> 1 if not value & 1 else -(value + 1 >> 1)
