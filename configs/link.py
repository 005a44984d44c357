"""`xray-fast`: one conditional RRDB for the scales 1 and 2 of the link, behind AVIF, JPEG and JPEG 2000."""

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
    c.data.folders = (("data/train/chest", 0.9), ("data/train/ct", 0.05), ("data/train/mammo", 0.05))

    c.card.name = "xray-fast"
    c.card.licence = "Apache-2.0"
    return varied(c, variant)
