"""The packaged default, `xray-x4`: a compact RRDB trained on the sender's own degradation.

Result at scale 4, q 60, central 512x512 crops: +0.96 dB and +0.017 SSIM over bicubic of the same packets on 48
validation chest radiographs, +0.53 dB and +0.012 on 27 of another hospital. The run behind the packaged weights took
its first 3000 steps with `steps` at 8000 and the rest with 6500, on two virtual CPU devices from there on, at 0.4 to
1.2 s a step. ``:equal`` is the budget of Table 1 (docs/results.md), ``:large`` a network of 11.9 million
parameters for a GPU (docs/experiments.md, not run yet), ``:tiny`` is minutes long.
"""

from __future__ import annotations

import ml_collections

from medsr_jax.training.config.schema import defaults
from medsr_jax.training.config.variants import EQUAL_FIRST, EQUAL_SAMPLES, varied


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """The fields of the run; any can be set with ``--config.FIELD=VALUE``."""
    c = defaults()
    c.steps = 6_500
    c.batch = 8
    c.objective.pixel = "log_mse"

    c.model.name = "compact_rrdbnet"
    c.model.fields = {
        "features": 48, "blocks": 2, "growth": 24, "scale": 4, "fold": 2, "context": 128, "context_layers": 3,
    }  # fmt: skip

    c.optimizer.learning_rate = 1e-3
    c.optimizer.schedule = "cosine"
    c.optimizer.warmup = 100
    c.optimizer.clip_norm = 1.0

    c.data.source = "sender"
    c.data.folders = (("data/train/chest", 0.9), ("data/train/ct", 0.05), ("data/train/mammo", 0.05))

    c.card.name = "xray-x4"
    c.card.licence = "Apache-2.0"
    c.card.data = (
        "1007 chest radiographs (NIH ChestX-ray14 and paediatric images of Kermany et al.), 67 CT slices"
        " (lung CT and TotalSegmentator samples), 4 mammograms of one patient (CBIS-DDSM)"
    )
    small = {"features": 8, "blocks": 1, "growth": 4, "scale": 4, "fold": 4, "context": 8, "context_layers": 2}
    equal = {
        "steps": sum(EQUAL_SAMPLES.values()) // 8,
        # Of 1e-3, 2e-3 and 4e-3 the best on 8 images of val: +0.18, +0.20 and +0.17 dB over bicubic after 900 steps.
        "optimizer.learning_rate": 2e-3,
        "data.folders": (("data/train/chest", 1.0),),
    }
    large = {
        "steps": 10_000,
        "batch": 32,
        "compute_dtype": "bfloat16",
        "data.threads": 8,
        "data.sender.patch": 48,
        "log_every": 100,
        "validate_every": 1000,
        "checkpoint_every": 500,
        "model.fields": {
            "features": 96, "blocks": 6, "growth": 48, "scale": 4, "fold": 2, "context": 256, "context_layers": 4,
        },
        "card.name": "xray-x4-large",
    }  # fmt: skip
    return varied(c, variant, equal=EQUAL_FIRST | equal, large=large, tiny={"model.fields": small})
