"""Real-ESRGAN on radiographs: its second stage (arXiv 2107.10833, sections 3.3 and 4.1, and its configuration).

L1, perceptual loss before the ReLU and a vanilla GAN of weight .1 with a spectrally normalised U-Net; 1e-4 for both
networks, 400,000 steps, starting from the first stage's averaged weights: give them as ``--config.start_from``. The
features are VGG16's unless ``--config.objective.features`` names torchvision's VGG19. All its steps were not run here;
1600 of batch 16 of ``:transmission`` (the same on the sender's inputs) from a fine-tuned x4plus, on one H100, lowered
LPIPS on val from .370 to .237 and cost 1.0 dB. ``:small`` is what two CPU cores can do in an hour
(docs/measurements.md). ``:equal`` is the budget of Table 1 (docs/results.md). ``:tiny`` is minutes long.
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
    c.log_every, c.validate_every, c.checkpoint_every = 100, 5000, 5000
    c.optimizer.learning_rate = 1e-4
    c.discriminator.learning_rate = 1e-4
    c.objective.perceptual_weight = 1.0
    c.objective.adversarial = "vanilla"
    c.objective.adversarial_weight = 0.1
    c.validation.lpips = True
    c.validation.best_by = "lpips"
    c.card.name = "realesrgan-xray"
    if variant in ("small", "transmission"):
        c.degradation = degradation("transmission")
    return varied(
        c,
        variant,
        transmission={},
        equal=EQUAL_MODEL | EQUAL_SECOND | {"discriminator.fields": {"channels": 1, "features": 24}},
        small={
            "steps": 500,
            "batch": 4,
            "log_every": 20,
            "validate_every": 100,
            "checkpoint_every": 50,
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
            "discriminator.fields": {"channels": 1, "features": 24},
            "data.side": 128,
            "validation.side": 256,
            "validation.count": 12,
        },
        tiny={
            "model.fields": {"channels": 1, "features": 8, "blocks": 1, "growth": 4, "scale": 4},
            "discriminator.fields": {"channels": 1, "features": 4},
        },
    )
