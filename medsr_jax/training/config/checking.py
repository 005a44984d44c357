"""The check of a whole config: all its faults at once, before anything is read or compiled."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from ml_collections import ConfigDict

from medsr_jax import fields
from medsr_jax.errors import UsageError
from medsr_jax.training.config.rules import RULES
from medsr_jax.training.config.schema import Config


class ConfigError(UsageError):
    """A config that no run can be made of.

    Attributes:
        lines: one for each fault, with the name of its field.
    """

    def __init__(self, faults: Iterable[tuple[str, str]]) -> None:
        self.lines = [f"config.{name}: {problem}" for name, problem in faults]
        super().__init__("; ".join(self.lines))


def checked(config: ConfigDict, *, files: bool = False) -> Config:
    """The config with its types, once it is valid.

    Args:
        config: all fields of the schema.
        files: check that the folders of training and validation images exist too.

    Raises:
        ConfigError: it is not; has every fault that can be found without reading a file.
    """
    values = config.to_dict()
    invalid = fields.faults(Config, values)
    typed: Config = fields.build(Config, _without(invalid, dataclasses.asdict(Config()), values))
    faults = list(invalid.items())
    for rule in RULES:
        if (files or not rule.of_files) and not any(_is_invalid(name, invalid) for name in rule.reads):
            faults += rule.check(typed)
    if faults:
        raise ConfigError(faults)
    return typed


def _is_invalid(name: str, invalid: Mapping[str, str]) -> bool:
    """Whether a field, or a group that holds it, is invalid by itself."""
    parts = name.split(".")
    return any(".".join(parts[: count + 1]) in invalid for count in range(len(parts)))


def _without(
    invalid: Mapping[str, str], defaults: Mapping[str, Any], values: Mapping[str, Any], prefix: str = ""
) -> dict[str, Any]:
    """The values with the default of each invalid field, which no rule reads."""
    result = {}
    for name, default in defaults.items():
        path = f"{prefix}{name}"
        if path in invalid:
            result[name] = default
        elif isinstance(default, Mapping) and any(other.startswith(f"{path}.") for other in invalid):
            result[name] = _without(invalid, default, values[name], f"{path}.")
        else:
            result[name] = values[name]
    return result
