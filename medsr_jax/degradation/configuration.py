"""Degradations as the nested fields of a config file, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from medsr_jax.degradation.composition import Degradation, Sharpen
from medsr_jax.degradation.presets import preset
from medsr_jax.degradation.steps import STEPS
from medsr_jax.errors import MedsrError

# Fields that may be None, and what they are otherwise.
_OPTIONAL: dict[str, type] = {"sharpen": Sharpen}
_ACCEPTED: dict[type, tuple[type, ...]] = {float: (int, float)}


def describe(degradation: Degradation) -> dict[str, Any]:
    """All fields as nested dictionaries, which `configured` makes the same degradation of.

    A step also has ``kind``, its class. ``order`` names the steps in theirs, for a `ConfigDict` sorts its fields.
    """
    steps = {name: {"kind": type(step).__name__, **_fields(step)} for name, step in degradation.steps.items()}
    return {**_fields(degradation), "steps": steps, "order": tuple(degradation.steps)}


def configured(config: Mapping[str, Any]) -> Degradation:
    """A degradation from the fields of a config.

    Args:
        config: ``preset``, a name, and any fields that shall differ from it, as deep as they lie:
            ``{"preset": "high_order", "steps": {"noise_1": {"sigma": (1, 20)}, "blur_2": None}}``. None takes a step
            out; a step that the preset lacks needs its ``kind`` and is put after the others, or where ``order``, the
            names of all steps, has it. Without ``preset``, what `describe` gives.

    Raises:
        MedsrError: for a preset, step, kind or field that does not exist, and for a value of the wrong type or range.
    """
    changes = dict(config)
    name = changes.pop("preset", None)
    if name is not None:
        return override(preset(name), changes)
    if "steps" not in changes:
        raise MedsrError("degradation: give a preset, or steps")
    return override(Degradation(steps={}, scale=1), changes)


def override(degradation: Degradation, changes: Mapping[str, Any]) -> Degradation:
    """The degradation with the fields changed that ``changes`` names; see `configured`."""
    changes = dict(changes)
    steps = dict(degradation.steps)
    order = changes.pop("order", None)
    for name, change in dict(changes.pop("steps", None) or {}).items():
        path = f"degradation.steps.{name}"
        if change is None:
            if steps.pop(name, None) is None:
                raise _unknown(path, steps)
            continue
        fields = dict(change)
        kind = fields.pop("kind", None)
        if kind is None and name not in steps:
            raise MedsrError(f"{path}: no such step", remedy=f"give one of {', '.join(steps)}, or its kind to add it")
        if kind is not None and kind not in STEPS:
            raise _unknown(f"{path}.kind: {kind!r}", STEPS)
        base = steps[name] if kind is None or type(steps.get(name)) is STEPS[kind] else STEPS[kind]()
        steps[name] = _replaced(path, base, fields)
    if order is not None:
        missing = set(steps).symmetric_difference(order)
        if missing or len(order) != len(steps):
            raise MedsrError("degradation.order: name each step once", remedy=f"the steps are {', '.join(steps)}")
        steps = {name: steps[name] for name in order}
    result: Degradation = _replaced("degradation", degradation, changes, steps=steps)
    return result


def _fields(described: Any) -> dict[str, Any]:
    values = {field.name: getattr(described, field.name) for field in dataclasses.fields(described)}
    return {name: _fields(value) if dataclasses.is_dataclass(value) else value for name, value in values.items()}


def _replaced(path: str, base: Any, changes: Mapping[str, Any], **others: Any) -> Any:
    known = {field.name: field for field in dataclasses.fields(base) if field.name not in others}
    values = dict(others)
    for name, value in changes.items():
        if name not in known:
            raise _unknown(f"{path}.{name}", known)
        values[name] = _converted(path, name, getattr(base, name), value)
    return dataclasses.replace(base, **values)


def _converted(path: str, name: str, old: Any, new: Any) -> Any:
    path = f"{path}.{name}"
    optional = _OPTIONAL.get(name)
    if optional is not None and new is None:
        return None
    if dataclasses.is_dataclass(old) or optional is not None:
        if not isinstance(new, Mapping):
            raise MedsrError(f"{path}: {new!r} is no group of fields")
        return _replaced(path, optional() if old is None and optional is not None else old, new)
    if isinstance(old, tuple) and isinstance(new, list | tuple):
        return tuple(new)
    if isinstance(old, bool) != isinstance(new, bool) or not isinstance(new, _ACCEPTED.get(type(old), (type(old),))):
        raise MedsrError(f"{path}: {new!r} can't stand for {old!r}", remedy="give the same type")
    return new


def _unknown(path: str, known: Mapping[str, Any]) -> MedsrError:
    return MedsrError(f"{path}: no such name", remedy=f"known are {', '.join(known)}")
