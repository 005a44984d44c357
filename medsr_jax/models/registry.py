"""Models by name, built from the plain fields that a config or a weights file holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from medsr_jax.errors import MedsrError
from medsr_jax.models.compact import CompactRRDBNet
from medsr_jax.models.conditional import ConditionalRRDBNet
from medsr_jax.models.interpolation import Bicubic
from medsr_jax.models.rrdb import RRDBNet
from medsr_jax.models.srcnn import SRCNN
from medsr_jax.models.srvgg import SRVGGNetCompact
from medsr_jax.models.unet_discriminator import UNetDiscriminator
from medsr_jax.models.vgg_discriminator import VGGStyleDiscriminator

# Generators, called with (images, strength).
MODELS: dict[str, type[nn.Module]] = {
    "rrdbnet": RRDBNet,
    "compact_rrdbnet": CompactRRDBNet,
    "conditional_rrdbnet": ConditionalRRDBNet,
    "srcnn": SRCNN,
    "srvgg": SRVGGNetCompact,
    "bicubic": Bicubic,
}

# Generators that take a condition (N, 3) of `conditions` in place of a strength (N,).
CONDITIONAL = frozenset({"conditional_rrdbnet"})

# Called with (images, train=...).
DISCRIMINATORS: dict[str, type[nn.Module]] = {"unet": UNetDiscriminator, "vgg": VGGStyleDiscriminator}

# Fields that may be 0, which leaves a part out. No other number of a network is below 1.
_OPTIONAL = ("context",)
# Fields that hold one number or more.
_LISTS = ("scales",)
_MOST = 2**16

# Linen's own fields, which a description never sets.
_LINEN = ("parent", "name")


def build(name: str, fields: Mapping[str, Any], *, dtype: Any = jnp.float32) -> nn.Module:
    """The generator ``name`` with the given fields.

    Raises:
        MedsrError: no such model, a field that it does not have, or a value that a field can't have.
    """
    result: nn.Module = _built("model", MODELS, name, fields, dtype)
    return result


def build_discriminator(name: str, fields: Mapping[str, Any], *, dtype: Any = jnp.float32) -> nn.Module:
    """The discriminator ``name`` with the given fields.

    Raises:
        MedsrError: no such discriminator, or a field that it does not have.
    """
    result: nn.Module = _built("discriminator", DISCRIMINATORS, name, fields, dtype)
    return result


def _built(what: str, known: Mapping[str, type[nn.Module]], name: str, fields: Mapping[str, Any], dtype: Any) -> Any:
    if name not in known:
        raise MedsrError(f"{what} {name!r} is none of {', '.join(sorted(known))}")
    has = {field.name for field in dataclasses.fields(known[name])} - {*_LINEN, "dtype"}
    if unknown := sorted(set(fields) - has):
        raise MedsrError(f"{what} {name!r} has no field {unknown[0]!r}", remedy=f"it has {', '.join(sorted(has))}")
    for field in dataclasses.fields(known[name]):
        least = 0 if field.name in _OPTIONAL else 1
        if field.name not in fields:
            continue
        value: Any = fields[field.name]
        default: Any = field.default
        if field.name in _LISTS and isinstance(value, list | tuple) and value:
            default = default[:1] * len(value)
        if not _is_like(default, value, least=least):
            raise MedsrError(
                f"field {field.name!r} of {name} can't be {fields[field.name]!r:.60}",
                remedy=f"its default is {field.default!r}",
            )
    return known[name](**fields, dtype=dtype)


def _is_like(default: Any, value: Any, *, least: int) -> bool:
    """Whether a value is of the type of a field's default, and in the range of its numbers."""
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, tuple):
        same = isinstance(value, list | tuple) and len(value) == len(default)
        return same and all(_is_like(one, part, least=least) for one, part in zip(default, value, strict=True))
    if isinstance(default, str):
        return value is None or isinstance(value, str)
    if default is None and value is None:
        return True
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= _MOST
