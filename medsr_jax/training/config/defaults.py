"""The defaults of all fields; the files of `configs/` begin with these and change some."""

from __future__ import annotations

from typing import Any

from ml_collections import ConfigDict, config_dict

from medsr_jax.degradation import describe, preset
from medsr_jax.training.config.fields import FIELDS, Unset


def defaults() -> ConfigDict:
    """A run of the first stage at Real-ESRGAN's numbers. Its fields can be changed, but not added to or retyped."""
    config = ConfigDict()
    for field in FIELDS:
        *groups, name = field.name.split(".")
        group = config
        for part in groups:
            if part not in group:
                group[part] = ConfigDict()
            group = group[part]
        default = field.default
        if isinstance(default, Unset):
            default = config_dict.placeholder(default.kind)
        group[name] = ConfigDict(default) if field.open else default
    config.degradation = degradation("high_order")
    return config.lock()


def degradation(name: str, *, scale: int = 4) -> ConfigDict:
    """The fields of a preset of `medsr_jax.degradation`, each to be changed like any other."""
    return _tree(describe(preset(name, scale=scale)))


def _tree(fields: dict[str, Any]) -> ConfigDict:
    return ConfigDict({name: _tree(value) if isinstance(value, dict) else value for name, value in fields.items()})
