"""The packaged default, `xray-x4`: a compact RRDB trained on the sender's own degradation.

Result at scale 4, q 60, central 512x512 crops: +0.96 dB and +0.017 SSIM over bicubic of the same packets on 48
validation chest radiographs, +0.53 dB and +0.012 on 27 of another hospital. The run behind the packaged weights took
its first 3000 steps with `steps` at 8000 and the rest with 6500, on two virtual CPU devices from there on, at 0.4 to
1.2 s a step.
"""

from __future__ import annotations

import ml_collections
from ml_collections import config_dict


def get_config() -> ml_collections.ConfigDict:
    """The fields of the run; any can be set with ``--config.FIELD=VALUE``."""
    c = ml_collections.ConfigDict()
    c.seed = 1
    c.steps = 6_500
    c.batch = 8  # over all devices
    c.loss = "log_mse"  # training/losses.py
    c.ema_decay = 0.999
    c.start_from = ""  # a weights file to begin with in place of random weights
    c.log_every = 100
    c.validate_every = 500
    c.checkpoint_every = 500
    c.keep_checkpoints = 2

    c.model = ml_collections.ConfigDict()
    c.model.name = "compact_rrdbnet"
    c.model.fields = ml_collections.ConfigDict(
        {"features": 48, "blocks": 2, "growth": 24, "scale": 4, "fold": 2, "context": 128, "context_layers": 3}
    )

    c.optimizer = ml_collections.ConfigDict()
    c.optimizer.learning_rate = 1e-3
    c.optimizer.schedule = "cosine"  # training/schedules.py
    c.optimizer.warmup = 100  # updates
    c.optimizer.b1 = 0.9
    c.optimizer.b2 = 0.99
    c.optimizer.clip_norm = 1.0

    c.data = ml_collections.ConfigDict()
    # (folder, share of the pairs); the folders are walked.
    c.data.folders = (("data/train/chest", 0.9), ("data/train/ct", 0.05), ("data/train/mammo", 0.05))
    c.data.pair = ml_collections.ConfigDict()  # data/pairs.py says what each means
    c.data.pair.patch = 40
    c.data.pair.scale = 4
    c.data.pair.kernel = "area"
    c.data.pair.quality = (50, 75)
    c.data.pair.uncoded = 0.05
    c.data.pair.zoom = 0.5
    c.data.pair.zoomed = 0.5
    c.data.pair.contrast = (0.7, 1.1)

    c.validation = ml_collections.ConfigDict()
    c.validation.folder = "data/val/chest"
    c.validation.quality = 60
    c.validation.side = 512  # central crop
    c.validation.count = config_dict.placeholder(int)  # images, spread evenly; all when not set

    c.card = ml_collections.ConfigDict()  # goes into the weights file
    c.card.name = "xray-x4"
    c.card.licence = "Apache-2.0"
    c.card.data = (
        "1007 chest radiographs (NIH ChestX-ray14 and paediatric images of Kermany et al.), 67 CT slices"
        " (lung CT and TotalSegmentator samples), 4 mammograms of one patient (CBIS-DDSM)"
    )
    return c
