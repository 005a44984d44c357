"""Models by name, built from the plain fields that a config or a weights file holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from medsr_jax.errors import MedsrError
from medsr_jax.models.compact import CompactRRDBNet
from medsr_jax.models.rrdb import RRDBNet

MODELS: dict[str, type[nn.Module]] = {"rrdbnet": RRDBNet, "compact_rrdbnet": CompactRRDBNet}

# Linen's own fields, which a description never sets.
_LINEN = ("parent", "name")


def build(name: str, fields: Mapping[str, Any], *, dtype: Any = jnp.float32) -> nn.Module:
    """The module ``name`` with the given fields.

    Raises:
        MedsrError: no such model, or a field that it does not have.
    """
    if name not in MODELS:
        raise MedsrError(f"model {name!r} is none of {', '.join(sorted(MODELS))}")
    known = {field.name for field in dataclasses.fields(MODELS[name])} - {*_LINEN, "dtype"}
    unknown = sorted(set(fields) - known)
    if unknown:
        raise MedsrError(f"model {name!r} has no field {unknown[0]!r}; it has {', '.join(sorted(known))}")
    return MODELS[name](**fields, dtype=dtype)
