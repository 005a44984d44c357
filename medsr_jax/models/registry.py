"""Models by name, built from the plain fields that a config or a weights file holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from medsr_jax.errors import MedsrError
from medsr_jax.models.compact import CompactRRDBNet
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
    "srcnn": SRCNN,
    "srvgg": SRVGGNetCompact,
    "bicubic": Bicubic,
}

# Called with (images, train=...).
DISCRIMINATORS: dict[str, type[nn.Module]] = {"unet": UNetDiscriminator, "vgg": VGGStyleDiscriminator}

# Linen's own fields, which a description never sets.
_LINEN = ("parent", "name")


def build(name: str, fields: Mapping[str, Any], *, dtype: Any = jnp.float32) -> nn.Module:
    """The generator ``name`` with the given fields.

    Raises:
        MedsrError: no such model, or a field that it does not have.
    """
    return _built("model", MODELS, name, fields, dtype)


def build_discriminator(name: str, fields: Mapping[str, Any], *, dtype: Any = jnp.float32) -> nn.Module:
    """The discriminator ``name`` with the given fields.

    Raises:
        MedsrError: no such discriminator, or a field that it does not have.
    """
    return _built("discriminator", DISCRIMINATORS, name, fields, dtype)


def _built(what: str, known: Mapping[str, type[nn.Module]], name: str, fields: Mapping[str, Any], dtype: Any) -> Any:
    if name not in known:
        raise MedsrError(f"{what} {name!r} is none of {', '.join(sorted(known))}")
    has = {field.name for field in dataclasses.fields(known[name])} - {*_LINEN, "dtype"}
    if unknown := sorted(set(fields) - has):
        raise MedsrError(f"{what} {name!r} has no field {unknown[0]!r}; it has {', '.join(sorted(has))}")
    return known[name](**fields, dtype=dtype)
