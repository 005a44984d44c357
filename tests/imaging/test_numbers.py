"""Decimal Strings against Python's exact decimals."""

from __future__ import annotations

import decimal as exact

import numpy as np
import pytest

from medsr_jax.imaging.numbers import decimal


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1024.0, "-1024"),
        (0.1 + 0.2, "0.3"),
        (1 / 3 * 3 - 1e-14, "1"),
        (123456789.0, "123456789"),
        (1e20, "1e+20"),
        (2.5e-7, "2.5e-07"),
        (0.123456789 + 5e-14, "0.123456789"),
        (1.0 + 5e-12, "1.000000000005"),
    ],
)
def test_a_short_number_is_what_was_meant(value: float, text: str) -> None:
    assert decimal(value) == text


def test_others_keep_all_digits_that_sixteen_characters_hold() -> None:
    random = np.random.default_rng(0)
    for value in random.normal(0, 1, 300) * 10.0 ** random.integers(-12, 13, 300):
        text = decimal(float(value))
        assert len(text) <= 16
        # A sign, a point, zeros before the digits or an exponent of up to four characters are what digits give way to.
        assert abs(exact.Decimal(text) / exact.Decimal(float(value)) - 1) < exact.Decimal("1e-8")
    assert decimal(1 / 3) == "0.33333333333333"
    assert decimal(-1 / 3e5) == "-3.333333333e-06"
    assert decimal(0.123456789012) == "0.123456789012"


def test_a_tolerance_takes_nearby_numbers_for_zero_or_a_short_one() -> None:
    assert decimal(1e-9) == "1e-09"
    assert decimal(1e-9, tolerance=1e-8) == "0"
    assert decimal(-7.3000004, tolerance=1e-6) == "-7.3"
    assert decimal(-7.3000004) == "-7.3000004"
