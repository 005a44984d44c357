"""ESRGAN on radiographs (Wang et al., arXiv 1809.00219, section 4.1, and its published configuration).

Bicubic pairs, 128x128 targets, batch 16; L1 .01, perceptual loss 1 on the last layer before its ReLU, relativistic
average GAN .005 with a VGG-style discriminator; 1e-4, halved at 50, 100, 200 and 300 thousand steps. It starts from an
L1 stage on the same pairs (``--config.start_from``). At full size it was not run here: it wants a GPU. ``:equal`` is
the budget of Table 1 (docs/results.md). ``:tiny`` is minutes long.
"""

from __future__ import annotations

import ml_collections

from medsr_jax.training.config.schema import defaults, degradation
from medsr_jax.training.config.variants import EQUAL_MODEL, EQUAL_SECOND, varied


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """The fields of the run; any can be set with ``--config.FIELD=VALUE``."""
    c = defaults()
    c.steps = 400_000
    c.batch = 16
    c.validate_every = c.checkpoint_every = 5000
    c.optimizer.learning_rate = 1e-4
    c.optimizer.schedule = "multistep"
    c.optimizer.milestones = (50_000, 100_000, 200_000, 300_000)
    c.optimizer.b2 = 0.99
    c.objective.pixel_weight = 0.01
    c.objective.perceptual_weight = 1.0
    c.objective.layers = (("conv5_last", 1.0),)
    c.objective.adversarial = "relativistic"
    c.objective.adversarial_weight = 0.005
    c.discriminator.name = "vgg"
    c.discriminator.fields = {"channels": 1, "features": 64, "side": 128}
    c.data.side = 128
    c.degradation = degradation("bicubic")
    c.validation.inputs = "degraded"
    c.validation.lpips = True
    c.validation.best_by = "lpips"
    c.card.name = "esrgan-xray"
    return varied(
        c,
        variant,
        equal=EQUAL_MODEL
        | EQUAL_SECOND
        | {"optimizer.schedule": "constant", "discriminator.fields": {"channels": 1, "features": 24, "side": 128}},
        tiny={
            "model.fields": {"channels": 1, "features": 8, "blocks": 1, "growth": 4, "scale": 4},
            "discriminator.fields": {"channels": 1, "features": 4, "side": 64},
        },
    )
