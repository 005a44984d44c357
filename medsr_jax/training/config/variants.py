"""Variants of configs (``FILE:VARIANT``): minutes on a CPU, and the common budget of the comparison."""

from __future__ import annotations

from typing import Any

from ml_collections import ConfigDict

from medsr_jax.errors import ParameterError

# A version of any run that takes minutes on a CPU, to see it work; its networks are each config's own.
TINY: dict[str, Any] = {
    "steps": 200,
    "batch": 4,
    "log_every": 20,
    "validate_every": 50,
    "checkpoint_every": 50,
    "data.side": 64,
    "data.pair.patch": 16,
    "validation.side": 128,
    "validation.count": 4,
    "card.note": "a tiny run, to see that training works; expect it below bicubic interpolation",
}


# A version in which methods can be compared: each takes as many samples, of the same size, from the same images, with a
# network of the same size. scripts/reproduce/table1.py runs them all.
EQUAL: dict[str, Any] = {
    "batch": 8,
    "ema_decay": 0.99,  # a thousand steps are few
    "log_every": 10,
    "validate_every": 100,
    "checkpoint_every": 50,
    "keep_checkpoints": 1,
    "data.side": 128,
    "data.pair.patch": 32,
    "validation.inputs": "packets",
    "validation.side": 256,
    "validation.count": 8,
    "validation.lpips": True,
}
EQUAL_SAMPLES = {"first": 6400, "second": 1200}  # of the stage without a discriminator, and of that with one
# The packaged model's network. It knows the strength of the JPEG where the method does (`blind` is False).
EQUAL_MODEL: dict[str, Any] = {
    "model.name": "compact_rrdbnet",
    "model.fields": {
        "features": 48, "blocks": 2, "growth": 24, "scale": 4, "fold": 2, "context": 128, "context_layers": 3,
        "blind": True,
    },
}  # fmt: skip
# The packaged model's optimisation, for stages without a discriminator.
EQUAL_FIRST: dict[str, Any] = {
    "steps": EQUAL_SAMPLES["first"] // 8,
    "optimizer.learning_rate": 1e-3,
    "optimizer.schedule": "cosine",
    "optimizer.warmup": 50,
    "optimizer.clip_norm": 1.0,
}
EQUAL_SECOND: dict[str, Any] = {"steps": EQUAL_SAMPLES["second"] // 4, "batch": 4}


def varied(c: ConfigDict, variant: str, **variants: dict[str, Any]) -> ConfigDict:
    """The config, or with the changes that a variant of it (``--config=FILE:VARIANT``) makes.

    Args:
        c: the config.
        variant: its name; empty for none.
        variants: changes by the fields' full names; `TINY` is part of ``tiny``, and `EQUAL` of all that begin with
            ``equal``.

    Raises:
        ParameterError: there is no such variant.
    """
    if not variant:
        return c
    if variant not in variants:
        raise ParameterError("config", f"has no variant {variant!r}", remedy=f"its variants are {', '.join(variants)}")
    changes = variants[variant]
    if variant == "tiny":
        # Milestones of a long run don't fit into a short one.
        c.optimizer.warmup, c.optimizer.schedule = 0, "constant"
        changes = TINY | changes
    if variant.startswith("equal"):
        changes = EQUAL | changes
    for name, value in changes.items():
        *groups, field = name.split(".")
        group = c
        for part in groups:
            group = group[part]
        group[field] = value
    return c
