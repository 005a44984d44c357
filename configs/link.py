"""`xray-fast`: one conditional RRDB for the scales of the link, behind AVIF, JPEG 2000 and JPEG.

The packaged weights are for scales 1 and 2. ``:large`` has all three scales and 6.9 million parameters, for a GPU
(docs/experiments.md, not run yet); ``:tiny`` is minutes long.
"""

from __future__ import annotations

import ml_collections

from medsr_jax.training.config.schema import defaults
from medsr_jax.training.config.variants import varied


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """The fields of the run; any can be set with ``--config.FIELD=VALUE``."""
    c = defaults()
    c.steps = 9_000
    c.batch = 8
    c.objective.pixel = "log_mse"

    c.model.name = "conditional_rrdbnet"
    c.model.fields = {"features": 48, "blocks": 1, "growth": 24, "grid": 4, "scales": (1, 2), "scale": 2}

    c.optimizer.learning_rate = 1e-3
    c.optimizer.schedule = "cosine"
    c.optimizer.warmup = 100
    c.optimizer.clip_norm = 1.0

    c.data.source = "link"
    c.data.link.scales = (1, 1, 2)
    c.data.link.codecs = (("avif", 0.75), ("jpeg", 0.1), ("jpeg2000", 0.15))
    c.data.folders = (
        ("data/train/chest", 0.92), ("data/train/ct", 0.03), ("data/train/mammo", 0.03), ("data/train/bone", 0.02),
    )  # fmt: skip

    c.card.name = "xray-fast"
    c.card.licence = "Apache-2.0"
    c.card.data = (
        "uncoded crops of 900 images: chest radiographs (NIH ChestX-ray14 and paediatric images of Kermany et al.), CT"
        " slices (lung CT and TotalSegmentator samples), mammograms of one patient (CBIS-DDSM), wrists"
    )
    small = {"features": 8, "blocks": 1, "growth": 4, "grid": 4, "scales": (1, 2, 4), "scale": 2}
    large = {
        "steps": 10_000,
        "batch": 32,
        "compute_dtype": "bfloat16",
        "data.threads": 12,
        "data.link.side": 192,
        "data.link.scales": (1, 2, 4),
        "data.link.codecs": (("avif", 0.5), ("jpeg", 0.3), ("jpeg2000", 0.2)),
        "log_every": 100,
        "validate_every": 1000,
        "checkpoint_every": 500,
        "model.fields": {
            "features": 80, "blocks": 6, "growth": 40, "grid": 4, "scales": (1, 2, 4), "scale": 2,
        },
        "card.name": "xray-large",
    }  # fmt: skip
    return varied(c, variant, large=large, tiny={"model.fields": small, "data.link.scales": (1, 2, 4)})
