"""Real-ESRGAN's published generator, fine-tuned for the link: L1 on the `transmission` degradation, grey.

    medsr import realesrgan-x4plus -o x4plus.safetensors
    python -m medsr_jax.training --config=configs/finetune_x4plus.py --workdir=runs/x4plus \\
        --config.start_from=x4plus.safetensors

Photographs taught the published weights to draw textures; here they unlearn what no radiograph has and learn what the
sender's JPEG does. The three-channel model is folded to grey at the start, so that a step costs what grey costs.
Weights that come of it are derived from the published ones, whose licence goes with them. 1800 steps of batch 32 on one
H100 gained 2.00 dB over bicubic on 16 images of val and 0.70 dB on 16 of another hospital; 50,000 steps were not run
here. ``:small`` is what two CPU cores can do in under an hour (docs/measurements.md). ``:tiny`` is minutes long, of a
network of its own size that starts from nothing.
"""

from __future__ import annotations

import ml_collections

from medsr_jax.training.config.schema import defaults, degradation
from medsr_jax.training.config.variants import varied


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """The fields of the run; any can be set with ``--config.FIELD=VALUE``."""
    c = defaults()
    c.steps = 50_000
    c.batch = 16
    c.optimizer.learning_rate = 1e-4
    c.optimizer.schedule = "cosine"
    c.optimizer.warmup = 100
    c.optimizer.clip_norm = 1.0
    c.degradation = degradation("transmission")
    c.log_every, c.validate_every, c.checkpoint_every = 100, 1000, 1000
    c.card.name = "x4plus-xray"
    c.card.licence = "BSD-3-Clause, of the weights it was started from"
    return varied(
        c,
        variant,
        # Few steps: the average over a thousand of them would be of the weights it started from.
        small={
            "steps": 500,
            "batch": 4,
            "ema_decay": 0.98,
            "optimizer.warmup": 20,
            "data.side": 128,
            "log_every": 10,
            "validate_every": 100,
            "checkpoint_every": 50,
            "keep_checkpoints": 1,
            "validation.side": 256,
            "validation.count": 6,
        },
        tiny={"model.fields": {"channels": 1, "features": 8, "blocks": 1, "growth": 4, "scale": 4}},
    )
