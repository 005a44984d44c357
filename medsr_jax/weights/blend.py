"""Two models of one build as one between them: network interpolation (ESRGAN, arXiv 1809.00219, section 3.4).

Between a model trained for fidelity and one trained for looks it chooses how much is drawn that was not sent, without
training again; Real-ESRGAN's 'denoise strength' is the same between a sharper and a smoother model. It works for models
of which one was trained on from the other: unrelated weights have no path between them.
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

_OF_NO_CONSEQUENCE = ("remat", "dtype", "parent", "name")


def blend(weights: Weights, other: Weights, *, alpha: float) -> Weights:
    """``(1 - alpha) weights + alpha other``, parameter by parameter.

    Args:
        weights, other: of the same model and fields; where one is of colours and one grey, both are taken as grey
            (`grey.for_grey`).
        alpha: 0..1.

    Raises:
        MedsrError: alpha is outside, or the models differ in build.
    """
    if not 0.0 <= alpha <= 1.0:
        raise MedsrError(f"--alpha: {alpha:g} is not from 0 to 1")
    if weights.fields.get("channels", 1) != other.fields.get("channels", 1):
        weights, other = for_grey(weights), for_grey(other)
    ours, theirs = flatten(weights.params), flatten(other.params)
    alike = ours.keys() == theirs.keys() and all(ours[key].shape == theirs[key].shape for key in ours)
    if not alike or _build(weights) != _build(other):
        raise MedsrError(
            f"{other.path}: holds {other.model} {other.fields}, which can't be blended with {weights.model}"
            f" {weights.fields} of {weights.path}; both must be of one build"
        )
    part = np.float32(alpha)
    params = {key: (1 - part) * ours[key] + part * theirs[key] for key in ours}
    names = [w.card.get("name") or w.path.stem for w in (weights, other)]
    card = {
        "name": f"{names[0]} + {alpha:g} {names[1]}",
        "blend": f"{1 - alpha:g} of {names[0]} and {alpha:g} of {names[1]}",
        "licence": " / ".join(dict.fromkeys(w.card.get("licence", "not stated") for w in (weights, other))),
        "note": "a blend of two models; not measured unless said so",
    }
    return dataclasses.replace(weights, params=unflatten(params), card=card)


def _build(weights: Weights) -> tuple[str, dict[str, Any]]:
    """What the network computes: the model and its fields, those left out at their defaults."""
    module = build(weights.model, weights.fields)
    fields = {field.name: getattr(module, field.name) for field in dataclasses.fields(module)}
    # How it computes is no matter here.
    return weights.model, {name: value for name, value in fields.items() if name not in _OF_NO_CONSEQUENCE}
