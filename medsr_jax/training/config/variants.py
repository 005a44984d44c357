"""Versions of a config: its changes for a tiny run, and the common budget in which methods are compared."""

from __future__ import annotations

from typing import Any

from ml_collections import ConfigDict

from medsr_jax.errors import UsageError

# A version of any run that takes minutes on a CPU, to try it; its networks are in each config.
TINY: dict[str, Any] = {
    "steps": 200,
    "batch": 4,
    "log_every": 20,
    "validate_every": 50,
    "checkpoint_every": 50,
    "data.side": 64,
    "data.sender.patch": 16,
    "data.link.side": 64,
    "validation.side": 128,
    "validation.count": 4,
    "card.note": "a tiny run, to see that training works; expect it below bicubic interpolation",
}


# A version to compare methods: equal numbers of samples of equal size from the same images, and networks of equal size.
# scripts/reproduce/table1.py runs them all.
EQUAL: dict[str, Any] = {
    "batch": 8,
    "ema_decay": 0.99,  # a thousand steps are few
    "log_every": 10,
    "validate_every": 100,
    "checkpoint_every": 50,
    "keep_checkpoints": 1,
    "data.side": 128,
    "data.sender.patch": 32,
    "validation.inputs": "packets",
    "validation.side": 256,
    "validation.count": 8,
    "validation.lpips": True,
}
EQUAL_SAMPLES = {"first": 6400, "second": 1200}  # of the stages without and with a discriminator
# The packaged model's network. It ignores the strength of the JPEG (`blind`) but in the method that provides it.
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
    """The config with the changes of a variant (``--config=FILE:VARIANT``).

    Args:
        c: the config.
        variant: its name; empty for no change.
        variants: changes by the fields' full names; ``tiny`` includes `TINY`, and names that begin with ``equal``
            include `EQUAL`.

    Raises:
        UsageError: there is no such variant.
    """
    if not variant:
        return c
    if variant not in variants:
        # Not ParameterError: absl makes ValueErrors of a flag anew from a text alone.
        raise UsageError(f"config: has no variant {variant!r}", remedy=f"its variants are {', '.join(variants)}")
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
