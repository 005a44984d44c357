"""Inputs and output of an exported generator, the same in all formats."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from medsr_jax.models import build
from medsr_jax.models.conditions import CONDITIONED_CODECS
from medsr_jax.models.registry import CONDITIONAL
from medsr_jax.weights.model_file import Weights

WARNING = "lossy restoration: not for primary diagnosis"
CONDITIONS_USAGE = (
    f"strength of this model: three numbers, of {', '.join(CONDITIONED_CODECS)}; that of the codec is as above, of avif"
    " AV1's base_q_idx over 128, and the others are 0"
)
USAGE = (
    "image: float32 in [0, 1], high values white, sides padded to the multiple by repeating the edge; strength: mean of"
    " the 15 lowest steps of the JPEG's table over 16, 0 for none. Not in the graph: packets, stored values, data"
    " consistency, tiles, clipping to [0, 1]"
)
IMAGE, STRENGTH, RESULT = "image", "strength", "restored"


@dataclasses.dataclass(frozen=True)
class Interface:
    """The inputs and the output, all float32.

    Attributes:
        channels: of ``image``, which is in [0, 1], bone white.
        out_channels: of ``restored``, which is not clipped.
        scale: of the output's sides to the input's.
        multiple: that the image's sides must be divisible by.
        strength: whether there is an input ``strength``, one number an image (`models.compact.quantisation_strength`).
        conditional: it is the three numbers of `models.conditions` instead.
    """

    channels: int
    out_channels: int
    scale: int
    multiple: int
    strength: bool
    conditional: bool = False


def interface(weights: Weights) -> Interface:
    """The interface of the network."""
    module: Any = build(weights.model, weights.fields)
    channels = getattr(module, "channels", 1)
    out_channels = getattr(module, "out_channels", None) or channels
    conditional = weights.model in CONDITIONAL
    strength = conditional or weights.model == "compact_rrdbnet"
    return Interface(channels, out_channels, module.scale, module.multiple, strength, conditional)


def metadata(weights: Weights) -> dict[str, str]:
    """The metadata of an exported model, as strings."""
    ends = interface(weights)
    return {
        "warning": WARNING,
        "usage": f"{USAGE}. {CONDITIONS_USAGE}" if ends.conditional else USAGE,
        "model": weights.model,
        "fields": json.dumps(weights.fields, sort_keys=True),
        "card": json.dumps(weights.card, sort_keys=True),
        "scale": str(ends.scale),
        "multiple": str(ends.multiple),
    }
