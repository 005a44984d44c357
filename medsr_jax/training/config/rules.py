"""What the fields of a config must be together: the rules that no field can decide alone.

A rule is applied when all the fields that it reads are valid by themselves, and its docstring is its line in
docs/config.md.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterator

import flax.linen as nn
import jax

from medsr_jax.degradation import configured
from medsr_jax.errors import MedsrError
from medsr_jax.models import build
from medsr_jax.models.conditions import CONDITIONED_CODECS
from medsr_jax.models.registry import build_discriminator
from medsr_jax.models.vgg import layer_names
from medsr_jax.training.config.schema import Config
from medsr_jax.weights.importing.vgg_weights import PACKAGE

# (field, what is wrong with it)
Faults = Iterator[tuple[str, str]]


@dataclasses.dataclass(frozen=True)
class Rule:
    """A check of several fields.

    Attributes:
        reads: their full names.
        check: yields the faults of a config.
        of_files: whether it looks for folders, which are only needed to run.
    """

    reads: tuple[str, ...]
    check: Callable[[Config], Faults]
    of_files: bool


RULES: list[Rule] = []
_MODEL = ("model.name", "model.fields")
_SIDE = ("data.source", "data.side", "data.sender.patch", "data.sender.scale")
_DISCRIMINATOR = ("objective.adversarial_weight", "discriminator.name", "discriminator.fields")


def _rule(*reads: str, of_files: bool = False) -> Callable[[Callable[[Config], Faults]], Callable[[Config], Faults]]:
    def register(check: Callable[[Config], Faults]) -> Callable[[Config], Faults]:
        RULES.append(Rule(reads, check, of_files))
        return check

    return register


@_rule("devices")
def _devices(config: Config) -> Faults:
    """`devices` is at most the number of local devices, and unset in a run of several processes."""
    if config.devices is None:
        return
    if jax.process_count() > 1:
        yield "devices", f"must be unset in a run of {jax.process_count()} processes, not {config.devices}"
    elif config.devices > jax.local_device_count():
        yield "devices", f"must be at most {jax.local_device_count()}, the local devices, not {config.devices}"


@_rule("batch", "accumulate", "devices")
def _batch(config: Config) -> Faults:
    """`batch` is a multiple of the devices, and each device's part of it a multiple of `accumulate`."""
    devices = config.devices or jax.device_count()
    if config.batch % devices:
        yield "batch", f"must be a multiple of the {devices} devices, not {config.batch}"
    elif (part := config.batch // devices) % config.accumulate:
        yield "accumulate", f"must divide the {part} samples of a device, not {config.accumulate}"


@_rule("steps", "optimizer.warmup")
def _warmup(config: Config) -> Faults:
    """`optimizer.warmup` is shorter than `steps`."""
    if config.optimizer.warmup >= config.steps:
        yield "optimizer.warmup", f"must be below config.steps, {config.steps}, not {config.optimizer.warmup}"


@_rule("optimizer.schedule", "optimizer.milestones", "optimizer.warmup")
def _milestones(config: Config) -> Faults:
    """With `optimizer.schedule` multistep, `optimizer.milestones` has steps, all after the warm-up."""
    c = config.optimizer
    if c.schedule == "multistep" and not (c.milestones and c.milestones[0] > c.warmup):
        yield "optimizer.milestones", f"must be steps after the warm-up of {c.warmup}, not {c.milestones}"


@_rule("objective.pixel_weight", "objective.perceptual_weight", "objective.adversarial_weight")
def _weights(config: Config) -> Faults:
    """One of the weights in `objective` is above 0."""
    c = config.objective
    if not any((c.pixel_weight, c.perceptual_weight, c.adversarial_weight)):
        yield "objective", "one of pixel_weight, perceptual_weight and adversarial_weight must be above 0"


@_rule("objective.perceptual_weight", "objective.features", "objective.layers")
def _layers(config: Config) -> Faults:
    """With a perceptual loss, `objective.layers` are layers of its network."""
    c = config.objective
    depth = 16 if c.features == PACKAGE else 19
    unknown = [layer for layer, _ in c.layers if vgg_layer(layer, depth=depth) is None]
    if c.perceptual_weight and unknown:
        yield "objective.layers", f"{unknown[0]!r} is no layer of VGG{depth}, which has {', '.join(layer_names(depth))}"


@_rule(*_MODEL)
def _model(config: Config) -> Faults:
    """`model.name` is a generator, and `model.fields` are fields of it."""
    try:
        build(config.model.name, config.model.fields)
    except MedsrError as error:
        yield "model", str(error)


@_rule("degradation", "data.source", *_MODEL)
def _degradation(config: Config) -> Faults:
    """`degradation` is a degradation; where it makes the inputs, its scale is the model's."""
    try:
        scale = configured(config.degradation).scale
    except MedsrError as error:
        yield "degradation", str(error)
        return
    model = _built(config)
    if model is not None and not config.data.brings_inputs and scale != scale_of(model):
        yield "degradation.scale", f"must be {scale_of(model)}, the model's, not {scale}"


@_rule(*_SIDE, *_MODEL)
def _side(config: Config) -> Faults:
    """Targets, and patches of source sender, have sides that the model accepts, and the model's scale."""
    model = _built(config)
    if model is None:
        return
    scale, step, sender = scale_of(model), side_step(model), config.data.sender
    if config.data.source == "link":
        return
    if config.data.source != "sender":
        if config.data.side % step:
            yield "data.side", f"must be a multiple of {step} for this model, not {config.data.side}"
        return
    if sender.scale != scale:
        yield "data.sender.scale", f"must be {scale}, the model's, not {sender.scale}"
    if sender.patch % (step // scale):
        yield "data.sender.patch", f"must be a multiple of {step // scale} for this model, not {sender.patch}"


@_rule("data.source", "data.link.side", "data.link.scales", "data.link.codecs", *_MODEL)
def _link(config: Config) -> Faults:
    """Source link requires a model of a family, which has `data.link.scales`, and known codecs."""
    model, link = _built(config), config.data.link
    if model is None or config.data.source != "link":
        return
    scales = getattr(model, "scales", None)
    if scales is None:
        yield "model.name", f"must be a model of several scales with config.data.source=link, not {config.model.name}"
    elif missing := [scale for scale in link.scales if scale not in scales]:
        yield "data.link.scales", f"must be among {tuple(scales)}, the model's, not {missing[0]}"
    elif link.side % model.grid:  # type: ignore[attr-defined]
        yield "data.link.side", f"must be a multiple of the model's grid, {model.grid}, not {link.side}"
    if unknown := [name for name, _ in link.codecs if name not in CONDITIONED_CODECS]:
        yield "data.link.codecs", f"{unknown[0]!r} is none of {', '.join(CONDITIONED_CODECS)}"


@_rule(*_DISCRIMINATOR, *_MODEL)
def _discriminator(config: Config) -> Faults:
    """With an adversarial loss, `discriminator.name` is a discriminator, of images with the generator's channels."""
    if not config.objective.adversarial_weight:
        return
    c, model = config.discriminator, _built(config)
    try:
        opponent = build_discriminator(c.name, c.fields)
    except MedsrError as error:
        yield "discriminator", str(error)
        return
    theirs = getattr(opponent, "channels", None)
    if model is not None and theirs not in (None, channels_of(model)):
        yield "discriminator.fields.channels", f"must be {channels_of(model)}, the generator's, not {theirs}"


@_rule(*_DISCRIMINATOR, "discriminator.scales", *_SIDE)
def _scales(config: Config) -> Faults:
    """With an adversarial loss, targets shrunk by each of `discriminator.scales` have a side that is a multiple of 8
    and equals the discriminator's if that is fixed."""
    if not config.objective.adversarial_weight:
        return
    c, side = config.discriminator, config.target_side
    if wrong := [scale for scale in c.scales if side % (8 * scale)]:
        yield "discriminator.scales", f"targets of {side} pixels shrunk by {wrong[0]} have no side of a multiple of 8"
        return
    try:
        fixed = getattr(build_discriminator(c.name, c.fields), "side", None)
    except MedsrError:  # reported by another rule
        return
    if fixed is not None and (wrong := [side // scale for scale in c.scales if side // scale != fixed]):
        yield "discriminator.fields.side", f"must be {wrong[0]}, the side of its images, not {fixed}"


@_rule("data.source", "data.prepared", "data.tfds", "data.lr_folder", "data.hr_folder")
def _source(config: Config) -> Faults:
    """Source prepared requires `data.prepared`, tfds `data.tfds`, pair_folders `data.lr_folder`, `data.hr_folder`."""
    required = {"prepared": ("prepared",), "tfds": ("tfds",), "pair_folders": ("lr_folder", "hr_folder")}
    for name in required.get(config.data.source, ()):
        if not getattr(config.data, name):
            yield f"data.{name}", f"required by config.data.source={config.data.source}"


@_rule("validation.side", *_MODEL)
def _validation_side(config: Config) -> Faults:
    """`validation.side` is a side that the model accepts."""
    model = _built(config)
    if model is not None and config.validation.side % side_step(model):
        step = side_step(model)
        yield "validation.side", f"must be a multiple of {step} for this model, not {config.validation.side}"


@_rule("validation.inputs", "data.source")
def _validation_inputs(config: Config) -> Faults:
    """`validation.inputs` degraded requires a source without inputs of its own."""
    if config.validation.inputs == "degraded" and config.data.brings_inputs:
        yield "validation.inputs", f"must be packets with config.data.source={config.data.source}, not degraded"


@_rule("validation.best_by", "validation.lpips")
def _best_by(config: Config) -> Faults:
    """`validation.best_by` lpips requires `validation.lpips`."""
    if config.validation.best_by == "lpips" and not config.validation.lpips:
        yield "validation.best_by", "lpips requires config.validation.lpips=True"


@_rule(
    "validation.folder", "data.source", "data.folders", "data.prepared", "data.lr_folder", "data.hr_folder",
    of_files=True,
)  # fmt: skip
def _folders(config: Config) -> Faults:
    """The folders of the source and of the validation exist."""
    data = config.data
    used: dict[str, list[tuple[str, str]]] = {
        "prepared": [("prepared", data.prepared)],
        "tfds": [],
        "pair_folders": [("lr_folder", data.lr_folder), ("hr_folder", data.hr_folder)],
    }
    listed = [("folders", folder) for folder, _ in data.folders]
    for name, folder in used.get(data.source, listed):
        if folder and not pathlib.Path(folder).is_dir():
            yield f"data.{name}", f"{folder}: no such folder"
    if not pathlib.Path(config.validation.folder).is_dir():
        yield "validation.folder", f"{config.validation.folder}: no such folder"


def vgg_layer(layer: str, *, depth: int) -> str | None:
    """The name in VGG of a layer in ``objective.layers``, such as conv3_4 for conv3_last; None if there is none."""
    known = layer_names(depth)
    if layer.endswith("_last"):
        layer = max((name for name in known if name[:6] == layer[:6]), default="")
    return layer if layer in known else None


def scale_of(model: nn.Module) -> int:
    """How much a generator enlarges."""
    return getattr(model, "scale", 1)


def channels_of(model: nn.Module) -> int:
    """Channels of a generator's images."""
    return getattr(model, "channels", 1)


def side_step(model: nn.Module) -> int:
    """The side of a generator's output must be a multiple of this."""
    return scale_of(model) * getattr(model, "multiple", 1)


def _built(config: Config) -> nn.Module | None:
    """The generator, or None where its own rule reports a fault."""
    try:
        return build(config.model.name, config.model.fields)
    except MedsrError:
        return None
