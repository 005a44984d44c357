"""Settings as frozen dataclasses whose fields carry their range and their comment, and the one check of them.

A field's type is its annotation: bool, int, float, str, ``Literal`` for a choice, ``X | None``, ``tuple[X, ...]`` or
``tuple[X, Y]``, ``Mapping`` for names that depend on another field, or another such dataclass, which is a group.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal


@dataclasses.dataclass(frozen=True)
class Range:
    """The values of a field's type that the field accepts.

    Attributes:
        accepts: of a value of the field's type, None excepted.
        text: completes "must be ...".
    """

    accepts: Callable[[Any], bool]
    text: str


def at_least(low: float) -> Range:
    """[low, infinity)."""
    return Range(lambda value: low <= value < math.inf, f"at least {low:g}")


def above(low: float) -> Range:
    """(low, infinity)."""
    return Range(lambda value: low < value < math.inf, f"above {low:g}")


def between(low: float, high: float) -> Range:
    """[low, high]."""
    return Range(lambda value: low <= value <= high and math.isfinite(value), f"from {low} to {high}")


def above_up_to(low: float, high: float) -> Range:
    """(low, high]."""
    return Range(lambda value: low < value <= high, f"above {low} and at most {high}")


def from_below(low: float, high: float) -> Range:
    """[low, high)."""
    return Range(lambda value: low <= value < high, f"at least {low} and below {high}")


def inside(low: float, high: float) -> Range:
    """(low, high)."""
    return Range(lambda value: low < value < high, f"above {low} and below {high}")


def one_of(*names: str) -> Range:
    """Any of some names; a choice that is fixed is a ``Literal`` type instead."""
    return Range(lambda value: value in names, f"one of {', '.join(names)}")


def multiple_of(step: int) -> Range:
    """Positive multiples."""
    return Range(lambda value: value > 0 and value % step == 0, f"a positive multiple of {step}")


def interval(low: float, high: float) -> Range:
    """(a, b) with low <= a <= b <= high."""
    return Range(
        lambda value: low <= value[0] <= value[1] <= high and all(map(math.isfinite, value)),
        f"two rising numbers from {low} to {high}",
    )


def shares() -> Range:
    """Numbers that are not negative, with a positive and finite sum."""
    return Range(lambda value: min(value) >= 0 and 0 < sum(value) < math.inf, "non-negative with a positive sum")


def weighted(example: str) -> Range:
    """One or more (name, weight), weights positive and finite."""
    return Range(
        lambda value: len(value) > 0 and all(name and 0.0 < weight < math.inf for name, weight in value),
        f"one or more (name, weight) with weights above 0, such as {example}",
    )


def rising(low: int) -> Range:
    """Strictly rising numbers from ``low``, or none."""
    return Range(
        lambda value: all(a < b for a, b in itertools.pairwise((low - 1, *value))),
        f"rising numbers from {low}, such as (1000, 2000)",
    )


def distinct(low: int) -> Range:
    """One or more different numbers from ``low``."""
    return Range(
        lambda value: len(value) > 0 and len(set(value)) == len(value) and min(value) >= low,
        f"different numbers from {low}, such as (1, 2)",
    )


def numbers_from(low: int) -> Range:
    """One or more numbers from ``low``, in any order, with or without repetition."""
    return Range(lambda value: len(value) > 0 and min(value) >= low, f"numbers from {low}, such as (1, 1, 2)")


not_empty = Range(bool, "a name, not empty")


def field(default: Any, comment: str = "", accepted: Range | None = None) -> Any:
    """A dataclass field with its meaning and the values of its type that it accepts.

    Args:
        default: a value; a function that makes one; or a dataclass, for a group of fields.
        comment: the meaning; for a group the first line of the dataclass's docstring.
        accepted: None for all values.
    """
    if dataclasses.is_dataclass(default):
        comment = (default.__doc__ or "").splitlines()[0]
    metadata = {"comment": comment, "range": accepted}
    if callable(default):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@functools.cache
def hints(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields."""
    return typing.get_type_hints(kind)


@dataclasses.dataclass(frozen=True)
class Described:
    """A field and its place.

    Attributes:
        name: in full, such as "optimizer.learning_rate".
        hint: its type; a dataclass for a group.
        default: its value in a fresh instance.
        comment: what it means.
        accepted: its range; None for all values of the type.
    """

    name: str
    hint: Any
    default: Any
    comment: str
    accepted: Range | None

    @property
    def type(self) -> str:
        """In words."""
        return _words(self.hint)

    @property
    def is_group(self) -> bool:
        """Whether it holds other fields."""
        return dataclasses.is_dataclass(self.hint)


def described(kind: type, *, prefix: str = "") -> Iterator[Described]:
    """All fields of a dataclass in their order, each group before its own."""
    types_of, fresh = hints(kind), kind()
    for entry in dataclasses.fields(kind):
        name, hint = f"{prefix}{entry.name}", types_of[entry.name]
        default = getattr(fresh, entry.name)
        yield Described(name, hint, default, entry.metadata["comment"], entry.metadata["range"])
        if dataclasses.is_dataclass(hint):
            yield from described(typing.cast(type, hint), prefix=f"{name}.")


def faults(kind: type, values: Mapping[str, Any], *, prefix: str = "") -> dict[str, str]:
    """What is wrong with the values of a dataclass's fields: a sentence for each field at fault, by its full name."""
    found: dict[str, str] = {}
    types_of = hints(kind)
    for name in values.keys() - types_of.keys():
        found[f"{prefix}{name}"] = "no such field"
    for entry in dataclasses.fields(kind):
        path, hint = f"{prefix}{entry.name}", types_of[entry.name]
        if entry.name not in values:
            found[path] = "missing"
            continue
        value = values[entry.name]
        if dataclasses.is_dataclass(hint):
            if isinstance(value, Mapping):
                found |= faults(typing.cast(type, hint), value, prefix=f"{path}.")
            else:
                found[path] = f"must be a group of fields, not {value!r}"
        elif sentence := problem(hint, entry.metadata["range"], value):
            found[path] = sentence
    return found


def build(kind: type, values: Mapping[str, Any]) -> Any:
    """An instance of a dataclass from nested values without faults."""
    return kind(**{name: _converted(hints(kind)[name], value) for name, value in values.items()})


def problem(hint: Any, accepted: Range | None, value: Any) -> str | None:
    """What is wrong with a value of a type and range, such as "must be at least 1, not 0"; None if it is valid."""
    if not _is_of(hint, value):
        return f"must be {_words(hint)}, not {value!r}"
    if value is None or accepted is None or accepted.accepts(value):
        return None
    return f"must be {accepted.text}, not {value!r}"


def _is_of(hint: Any, value: Any) -> bool:
    """Whether a value is of a type; whole numbers serve as floats, lists as tuples, and booleans as themselves only."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return isinstance(value, str) and value in arguments
    if origin in (types.UnionType, typing.Union):
        return any(_is_of(argument, value) for argument in arguments)
    if origin is tuple:
        if not isinstance(value, tuple | list):
            return False
        if arguments[-1] is Ellipsis:
            return all(_is_of(arguments[0], entry) for entry in value)
        return len(value) == len(arguments) and all(map(_is_of, arguments, value))
    if hint is bool or isinstance(value, bool):
        return hint is bool and isinstance(value, bool)
    if hint is float:
        return isinstance(value, int | float)
    return isinstance(value, origin or hint)


def _converted(hint: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(hint):
        return build(typing.cast(type, hint), value)
    if isinstance(value, Mapping):
        return dict(value)
    return _frozen(value)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(entry) for entry in value) if isinstance(value, tuple | list) else value


def _words(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return f"one of {', '.join(arguments)}"
    if origin in (types.UnionType, typing.Union):
        return " or ".join("unset" if argument is type(None) else _words(argument) for argument in arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        return f"a tuple, each entry {_words(arguments[0])}"
    if origin is tuple:
        return f"({', '.join(_words(argument) for argument in arguments)})"
    if dataclasses.is_dataclass(hint):
        return "a group of fields"
    known: dict[Any, str] = {bool: "True or False", int: "an integer", float: "a number", str: "text"}
    return known.get(hint, "a group of fields")
