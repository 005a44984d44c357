"""The paper's own run ("Efficient Medicinal Image Transmission and Resolution Enhancement via GAN", Sharma et al.).

What it states: 256x256 images, 4 devices, Adam at 1e-4, an adaptive rate and early stopping, an L1 stage before the
GAN, several scales in the discriminator's analysis, images shrunk from 512 to 128 and JPEG-coded at q 50 to 75. What it
leaves open is Real-ESRGAN's. This is the GAN stage: it starts from an L1 stage's weights (``--config.start_from``), and
its inputs are those of the `medical` degradation, whose JPEG has q 30 to 95. Rate and stopping go by validation LPIPS:
a GAN stage lowers PSNR from its first step on, and would be stopped for it (``--config.validation.best_by=psnr`` does
so). It is written for 4 devices: elsewhere set ``--config.batch`` to a multiple of yours. At full size it was not run
here: it wants GPUs. ``:equal`` is the budget of Table 1 (docs/results.md), where it makes images worse than bicubic by
PSNR and better by LPIPS; ``:tiny`` is minutes long.
"""

from __future__ import annotations

import ml_collections

from medsr_jax.training.config.schema import defaults, degradation
from medsr_jax.training.config.variants import EQUAL_MODEL, EQUAL_SECOND, varied


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """The fields of the run; any can be set with ``--config.FIELD=VALUE``."""
    c = defaults()
    c.steps = 400_000
    c.batch = 48
    c.validate_every = c.checkpoint_every = 2000
    c.optimizer.learning_rate = 1e-4
    c.optimizer.b2 = 0.999
    c.objective.perceptual_weight = 1.0
    c.objective.adversarial_weight = 0.1
    c.discriminator.scales = (1, 2)
    c.degradation = degradation("medical")
    c.plateau.enabled = True
    c.early_stopping.enabled = True
    c.validation.lpips = True
    c.validation.best_by = "lpips"
    c.plateau.min_delta = c.early_stopping.min_delta = 0.001
    c.card.name = "paper"
    return varied(
        c,
        variant,
        equal=EQUAL_MODEL | EQUAL_SECOND | {"discriminator.fields": {"channels": 1, "features": 24}},
        tiny={
            "model.fields": {"channels": 1, "features": 8, "blocks": 1, "growth": 4, "scale": 4},
            "discriminator.fields": {"channels": 1, "features": 4},
        },
    )
