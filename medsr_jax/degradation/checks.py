"""Fields of a degradation, checked when it is described, long before anything is compiled."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from medsr_jax import fields
from medsr_jax.errors import MedsrError


def probability(name: str, value: float) -> None:
    """Raise MedsrError unless 0 <= value <= 1."""
    if fields.problem(float, fields.between(0, 1), value):
        raise MedsrError(f"{name}: {value!r} is no probability; give a number from 0 to 1")


def interval(name: str, value: Sequence[float], *, least: float = -math.inf, most: float = math.inf) -> None:
    """Raise MedsrError unless value is (low, high), ordered, finite, within least..most."""
    if _is_no_tuple_of(tuple[float, float], fields.interval(least, most), value):
        bounds = "" if math.isinf(least) and math.isinf(most) else f" within {least:g} to {most:g}"
        raise MedsrError(f"{name}: {value!r} is no interval; give (low, high) with low <= high{bounds}")


def shares(name: str, value: Sequence[float]) -> None:
    """Raise MedsrError unless no share is negative and their sum is positive."""
    if _is_no_tuple_of(tuple[float, ...], fields.shares(), value):
        raise MedsrError(f"{name}: {value!r} must be non-negative with a positive sum")


def among(name: str, value: Sequence[str], known: Sequence[str]) -> None:
    """Raise MedsrError unless value has at least one name, and only known ones."""
    if _is_no_tuple_of(
        tuple[str, ...], fields.Range(lambda names: bool(names) and set(names) <= set(known), ""), value
    ):
        raise MedsrError(f"{name}: {value!r}; give one or more of {', '.join(known)}, as a tuple")


def number(name: str, value: float, *, least: float = -math.inf, most: float = math.inf) -> None:
    """Raise MedsrError unless least <= value <= most."""
    if fields.problem(float, fields.between(least, most), value):
        raise MedsrError(f"{name}: {value!r} is not a number from {least:g} to {most:g}")


def _is_no_tuple_of(hint: Any, accepted: fields.Range, value: object) -> bool:
    """Lists are refused: a degradation is hashed."""
    return not isinstance(value, tuple) or fields.problem(hint, accepted, value) is not None
