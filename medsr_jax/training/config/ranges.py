"""Ranges of a config's fields: which values one may have, in code and in words."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple


class Range(NamedTuple):
    """Values that a field may have.

    Attributes:
        holds: of a value of the field's type.
        text: ends the sentence "must be".
    """

    holds: Callable[[Any], bool]
    text: str

    def allows(self, value: Any) -> bool:
        """Whether a value is in the range; one of another form is not."""
        try:
            return bool(self.holds(value))
        except (TypeError, ValueError, IndexError):
            return False


def at_least(low: float) -> Range:
    """Finite numbers from `low`."""
    return Range(lambda value: low <= value < math.inf, f"at least {low:g}")


def between(low: float, high: float) -> Range:
    """Numbers from `low` to `high`, both included."""
    return Range(lambda value: low <= value <= high, f"from {low} to {high}")


def one_of(*names: str) -> Range:
    """The names."""
    return Range(lambda value: value in names, f"one of {', '.join(names)}")


def rising_pair(low: float, high: float) -> Range:
    """Two numbers (a, b) with low <= a <= b <= high."""

    def holds(value: Any) -> bool:
        first, second = value
        return _is_number(first) and _is_number(second) and low <= first <= second <= high

    return Range(holds, f"two rising numbers from {low:g} to {high:g}")


def weighted(what: str, example: str) -> Range:
    """One or more pairs of a name and a weight above 0."""

    def holds(value: Any) -> bool:
        return len(value) > 0 and all(
            isinstance(name, str) and bool(name) and _is_number(weight) and 0.0 < weight < math.inf
            for name, weight in value
        )

    return Range(holds, f"{what} with weights above 0, such as {example}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_whole(value: Any) -> bool:
    return all(isinstance(number, int) and not isinstance(number, bool) and number >= 1 for number in value)


ANY = Range(lambda _: True, "any value of its type")
TEXT = Range(lambda value: isinstance(value, str), "a text")
NAME = Range(lambda value: isinstance(value, str) and bool(value), "a name")
POSITIVE = Range(lambda value: 0.0 < value < math.inf, "above 0")
SHARE = between(0, 1)
PART = Range(lambda value: 0.0 < value <= 1.0, "above 0 and at most 1")
DECAY = Range(lambda value: 0.0 <= value < 1.0, "at least 0 and below 1")
RISING = Range(
    lambda value: _are_whole(value) and all(a < b for a, b in itertools.pairwise(value)),
    "rising numbers of updates, such as (1000, 2000)",
)
DIFFERENT = Range(
    lambda value: len(value) > 0 and _are_whole(value) and len(set(value)) == len(value),
    "different whole numbers from 1, such as (1, 2)",
)
