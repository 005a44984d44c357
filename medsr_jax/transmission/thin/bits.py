"""Bits, most significant first, as AV1's headers and the compact Huffman tables of thin packets have them."""

from __future__ import annotations


class BitReader:
    """Reads numbers of a few bits each.

    Args:
        data: where they stand.
    """

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> int:
        """The next number of `count` bits.

        Raises:
            ValueError: the data ends within it.
        """
        end = self._at + count
        if end > 8 * len(self._data):
            raise ValueError("the data ends early")
        first, last = self._at // 8, -(-end // 8)
        value = int.from_bytes(self._data[first:last], "big") >> (8 * last - end)
        self._at = end
        return value & ((1 << count) - 1)

    def take_golomb(self, order: int) -> int:
        """The next number in an exponential Golomb code.

        Args:
            order: of the code: numbers below ``2**order`` take ``order + 1`` bits.

        Raises:
            ValueError: the data ends within it, or it has more than 16 bits.
        """
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 16:
                raise ValueError("a number is too large")
        return ((1 << zeros | self.take(zeros)) - 1 << order) + self.take(order)

    @property
    def bytes_read(self) -> int:
        """Bytes that were begun."""
        return -(-self._at // 8)

    @property
    def bits_left(self) -> int:
        """Bits that are left."""
        return 8 * len(self._data) - self._at


class BitWriter:
    """The inverse of `BitReader`."""

    def __init__(self) -> None:
        self._value, self._count = 0, 0

    def put(self, value: int, count: int) -> None:
        """Append a number of `count` bits."""
        self._value = self._value << count | value
        self._count += count

    def put_golomb(self, value: int, order: int) -> None:
        """Append a number in an exponential Golomb code of an order."""
        above = (value >> order) + 1
        length = above.bit_length()
        self.put(above, 2 * length - 1)
        self.put(value & ((1 << order) - 1), order)

    def padded(self) -> bytes:
        """All bits, the last byte filled with zeros."""
        rest = -self._count % 8
        return (self._value << rest).to_bytes((self._count + rest) // 8, "big")
