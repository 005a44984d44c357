"""Checks of a degradation's fields, made when it is described, before anything is compiled."""

from __future__ import annotations

import math
from collections.abc import Sequence

from medsr_jax.errors import MedsrError


def probability(name: str, value: float) -> None:
    """Raises MedsrError unless 0 <= value <= 1."""
    if not _is_number(value) or not 0 <= value <= 1:
        raise MedsrError(f"{name}: {value!r} is no probability", remedy="give a number from 0 to 1")


def interval(name: str, value: Sequence[float], *, least: float = -math.inf, most: float = math.inf) -> None:
    """Raises MedsrError unless value is (low, high), ordered, finite, within least..most."""
    good = isinstance(value, tuple) and len(value) == 2 and all(_is_number(end) for end in value)
    if not good or not least <= value[0] <= value[1] <= most:
        bounds = "" if math.isinf(least) and math.isinf(most) else f" within {least:g} to {most:g}"
        raise MedsrError(f"{name}: {value!r} is no interval", remedy=f"give (low, high) with low <= high{bounds}")


def shares(name: str, value: Sequence[float]) -> None:
    """Raises MedsrError unless no share is negative and their sum is positive."""
    if not all(_is_number(share) and share >= 0 for share in value) or not sum(value) > 0:
        raise MedsrError(
            f"{name}: {value!r} are no shares", remedy="give numbers that are not negative, one of them positive"
        )


def among(name: str, value: Sequence[str], known: Sequence[str]) -> None:
    """Raises MedsrError unless value names at least one, and nothing but, of the known."""
    if not isinstance(value, tuple) or not value or set(value) - set(known):
        raise MedsrError(f"{name}: {value!r}", remedy=f"give one or more of {', '.join(known)}, as a tuple")


def number(name: str, value: float, *, least: float = -math.inf, most: float = math.inf) -> None:
    """Raises MedsrError unless least <= value <= most."""
    if not _is_number(value) or not least <= value <= most:
        raise MedsrError(f"{name}: {value!r} is not a number from {least:g} to {most:g}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
