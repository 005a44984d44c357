"""Numbers of thin packets come back exactly, and what no writer makes is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.transmission.thin.bits import BitReader, BitWriter
from medsr_jax.transmission.thin.numbers import ByteReader, ByteWriter, varint


def written(*numbers: float) -> bytes:
    out = ByteWriter()
    for number in numbers:
        out.number(number)
    return out.joined()


def test_any_number_comes_back_exactly() -> None:
    random = np.random.default_rng(0)
    doubles = random.integers(0, 1 << 64, 500, dtype=np.uint64).view(np.float64)
    numbers: list[float] = [*doubles[np.isfinite(doubles)].tolist(), 0, -1, 1, 2**53 - 1, -(2**53), 1.5e300, 5e-324]
    numbers += [*(random.integers(-9999, 9999, 200) / 1000).tolist(), float(np.float32(0.1)), 1 / 3, 0.1 + 0.2]
    read = ByteReader(written(*numbers))
    for number in numbers:
        assert read.number() == number


@pytest.mark.parametrize(
    ("numbers", "size"),
    [((0,), 1), ((31,), 1), ((-1,), 1), ((612,), 2), ((0.143,), 4), ((0.143, 0.143), 5), ((0.5,), 3)],
)
def test_usual_numbers_are_short(numbers: tuple[float, ...], size: int) -> None:
    assert len(written(*numbers)) == size


def test_numbers_that_are_too_long_or_end_early_are_refused() -> None:
    for data in (b"", b"\x80", b"\x80" * 20, b"\xff" * 9 + b"\x7f"):
        with pytest.raises(MedsrError, match="damaged"):
            ByteReader(data).varint()
    for data in (b"\x01\0", b"\x03\0", b"\x05\x02", b"\x05\x02\xe9\x07", b"\x09"):
        with pytest.raises(MedsrError, match="damaged"):
            ByteReader(data).number()
    assert math.isinf(ByteReader(b"\x05\x02\xe8\x07").number())  # 1e500, which the header's check refuses
    assert ByteReader(varint(1 << 62)).varint() == 1 << 62


def test_bits_and_golomb_codes_come_back() -> None:
    random = np.random.default_rng(1)
    numbers = random.integers(0, 300, 200).tolist()
    bits = BitWriter()
    for number in numbers:
        bits.put(number, 9)
        bits.put_golomb(number, number % 3)
    read = BitReader(bits.padded())
    assert [(read.take(9), read.take_golomb(number % 3)) for number in numbers] == [(n, n) for n in numbers]
    assert read.bytes_read == len(bits.padded())
    with pytest.raises(ValueError, match="early"):
        read.take(8)
    with pytest.raises(ValueError, match="large"):
        BitReader(bytes(9)).take_golomb(0)
