"""Network interpolation: the weighted mean of two models' parameters (ESRGAN, arXiv 1809.00219, section 3.4).

Between a model trained for fidelity and one trained with a GAN it sets how much detail is synthesised, without further
training; Real-ESRGAN's 'denoise strength' is the same between a sharper and a smoother model. One model must have been
fine-tuned from the other: between unrelated parameters the mean has no meaning.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.models import build
from medsr_jax.weights.grey import for_grey
from medsr_jax.weights.model_file import Weights
from medsr_jax.weights.parameters import flatten, unflatten

_IGNORED_FIELDS = ("remat", "dtype", "parent", "name")


def blend(weights: Weights, other: Weights, *, alpha: float) -> Weights:
    """``(1 - alpha) weights + alpha other``, parameter by parameter.

    Args:
        weights, other: of the same model and fields; where one is colour and one grayscale, both become grayscale
            (`grey.for_grey`).
        alpha: 0..1.

    Raises:
        MedsrError: alpha is out of range, or the architectures differ.
    """
    if not 0.0 <= alpha <= 1.0:
        raise MedsrError(f"alpha must be from 0 to 1, not {alpha:g}")
    if weights.fields.get("channels", 1) != other.fields.get("channels", 1):
        weights, other = for_grey(weights), for_grey(other)
    ours, theirs = flatten(weights.params), flatten(other.params)
    alike = ours.keys() == theirs.keys() and all(ours[key].shape == theirs[key].shape for key in ours)
    if not alike or _architecture(weights) != _architecture(other):
        raise MedsrError(
            f"{other.path}: {other.model} {other.fields} can't be blended with {weights.model} "
            f"{weights.fields} of {weights.path}",
            remedy="both must have the same architecture",
        )
    part = np.float32(alpha)
    params = {key: (1 - part) * ours[key] + part * theirs[key] for key in ours}
    names = [w.card.get("name") or w.path.stem for w in (weights, other)]
    card = {
        "name": f"{names[0]} + {alpha:g} {names[1]}",
        "blend": f"{1 - alpha:g} of {names[0]} and {alpha:g} of {names[1]}",
        "licence": " / ".join(dict.fromkeys(w.card.get("licence", "not stated") for w in (weights, other))),
        "note": "a blend of two models; not measured unless stated",
    }
    return dataclasses.replace(weights, params=unflatten(params), card=card)


def _architecture(weights: Weights) -> tuple[str, dict[str, Any]]:
    """The architecture: the model and all its fields, with their defaults."""
    module = build(weights.model, weights.fields)
    fields = {field.name: getattr(module, field.name) for field in dataclasses.fields(module)}
    # Not those of how it is computed.
    return weights.model, {name: value for name, value in fields.items() if name not in _IGNORED_FIELDS}
