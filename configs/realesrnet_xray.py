"""RealESRNet on radiographs: Real-ESRGAN's first stage (arXiv 2107.10833, section 4.1, and its configuration).

L1 alone, against the sharpened target; high-order degradation; batch 48 of 256x256; 2e-4 for a million steps. Its
weights are what `realesrgan_xray` starts from. At full size (16.7 million parameters) it was not run here: it wants a
GPU. ``:small`` is what two CPU cores can do in an hour, with the packaged model's network on the `transmission`
degradation that `medsr restore` meets; docs/measurements.md has its result. ``:equal`` is the budget of
Table 1 (docs/results.md), on these inputs; ``:equal_bicubic`` and ``:equal_medical`` are the same stage on ESRGAN's and
on the paper's, for their second stages to start from. ``:tiny`` is minutes long.
"""

from __future__ import annotations

import ml_collections

from medsr_jax.training.config.schema import defaults, degradation
from medsr_jax.training.config.variants import EQUAL_FIRST, EQUAL_MODEL, varied


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """The fields of the run; any can be set with ``--config.FIELD=VALUE``."""
    c = defaults()
    c.steps = 1_000_000
    c.batch = 48
    c.log_every, c.validate_every, c.checkpoint_every = 100, 5000, 5000
    c.validation.lpips = True
    c.card.name = "realesrnet-xray"
    inputs = {"small": "transmission", "equal_bicubic": "bicubic", "equal_medical": "medical"}.get(variant)
    if inputs is not None:
        c.degradation = degradation(inputs)
    return varied(
        c,
        variant,
        equal=EQUAL_MODEL | EQUAL_FIRST,
        equal_bicubic=EQUAL_MODEL | EQUAL_FIRST,
        equal_medical=EQUAL_MODEL | EQUAL_FIRST,
        small={
            "steps": 1500,
            "batch": 8,
            "log_every": 50,
            "validate_every": 250,
            "checkpoint_every": 250,
            "model.name": "compact_rrdbnet",
            "model.fields": {
                "features": 48,
                "blocks": 2,
                "growth": 24,
                "scale": 4,
                "fold": 2,
                "context": 128,
                "context_layers": 3,
            },
            "optimizer.learning_rate": 1e-3,
            "optimizer.schedule": "cosine",
            "optimizer.warmup": 50,
            "optimizer.clip_norm": 1.0,
            "data.side": 128,
            "validation.side": 256,
            "validation.count": 12,
        },
        tiny={"model.fields": {"channels": 1, "features": 8, "blocks": 1, "growth": 4, "scale": 4}},
    )
