"""The schema of a config: every field's range at its edges, rules for several fields, all faults together, its page."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
import runpy
from typing import Any

import pytest
from ml_collections import ConfigDict

from medsr_jax.errors import MedsrError
from medsr_jax.fields import described, faults
from medsr_jax.models import build
from medsr_jax.training.config.checking import ConfigError, checked
from medsr_jax.training.config.page import page
from medsr_jax.training.config.schema import Config, defaults
from medsr_jax.training.run.records import as_module

ROOT = pathlib.Path(__file__).parents[2]
CONFIGS = ROOT / "configs"

# Of each field: the outermost values that it accepts, and the innermost that it refuses.
POSITIVE_INTEGER = ([1, 10**9], [0, -1, 1.0, True, "1"])
NATURAL = ([0, 10**9], [-1, 0.5, True])
POSITIVE = ([1e-12, 1, 1e12], [0.0, -1e-12, math.inf, math.nan, "1", True])
NOT_NEGATIVE = ([0.0, 1e12], [-1e-12, math.inf, math.nan])
SHARE = ([0.0, 1.0], [-1e-9, 1.0 + 1e-9, math.nan])
DECAY = ([0.0, 1.0 - 1e-9], [-1e-9, 1.0, math.nan])
PART = ([1e-9, 1.0], [0.0, 1.0 + 1e-9, math.nan])
SWITCH = ([True, False], [0, 1, "yes", None])
TEXT = (["", "any"], [3, None])
NAME = (["any"], ["", 3, None])
FIELDS_OF_NETWORK: tuple[list[Any], list[Any]] = ([{}, {"features": 8}], [3, None, "features"])


def weighted(name: str) -> tuple[list[Any], list[Any]]:
    accepted = [((name, 1e-9),), ((name, 1.0), (name, 2))]
    refused = [(), (name, 1.0), ((name, 0.0),), ((name, math.inf),), ((name, 1.0, 2.0),), ((name, "1"),), (("", 1.0),)]
    return accepted, refused


EDGES: dict[str, tuple[list[Any], list[Any]]] = {
    "seed": ([0, 2**31 - 1], [-1, 2**31, 1.0]),
    "steps": POSITIVE_INTEGER,
    "batch": POSITIVE_INTEGER,
    "accumulate": POSITIVE_INTEGER,
    "compute_dtype": (["float32", "bfloat16"], ["float16", "", 32]),
    "ema_decay": DECAY,
    "start_from": TEXT,
    "on_not_finite": (["stop", "skip"], ["ignore", ""]),
    "most_skips": POSITIVE_INTEGER,
    "log_every": POSITIVE_INTEGER,
    "validate_every": POSITIVE_INTEGER,
    "checkpoint_every": POSITIVE_INTEGER,
    "keep_checkpoints": POSITIVE_INTEGER,
    "profile": SWITCH,
    "devices": ([None, 1, 10**9], [0, -1, 1.0]),
    "model.name": TEXT,
    "model.fields": FIELDS_OF_NETWORK,
    "optimizer.learning_rate": POSITIVE,
    "optimizer.schedule": (["constant", "cosine", "multistep"], ["step", ""]),
    "optimizer.warmup": NATURAL,
    "optimizer.final": NOT_NEGATIVE,
    "optimizer.milestones": ([(), (1,), (1, 2, 10**9), [1, 2]], [(0,), (1, 1), (2, 1), ("a",), (1.0,), 1]),
    "optimizer.factor": PART,
    "optimizer.b1": DECAY,
    "optimizer.b2": DECAY,
    "optimizer.clip_norm": NOT_NEGATIVE,
    "objective.pixel": (["l1", "mse", "charbonnier", "log_mse"], ["huber", ""]),
    "objective.pixel_weight": NOT_NEGATIVE,
    "objective.perceptual_weight": NOT_NEGATIVE,
    "objective.features": NAME,
    "objective.layers": weighted("conv1_2"),
    "objective.adversarial": (["vanilla", "relativistic", "hinge"], ["wasserstein", ""]),
    "objective.adversarial_weight": NOT_NEGATIVE,
    "objective.r1_weight": NOT_NEGATIVE,
    "discriminator.name": TEXT,
    "discriminator.fields": FIELDS_OF_NETWORK,
    "discriminator.scales": ([(1,), (2, 1), [1, 10**9]], [(), (0,), (1, 1), (0.5,), 1]),
    "discriminator.learning_rate": POSITIVE,
    "data.source": (["sender", "link", "folders", "prepared", "tfds", "pair_folders"], ["web", ""]),
    "data.folders": weighted("images"),
    "data.side": POSITIVE_INTEGER,
    "data.flip": SWITCH,
    "data.window": (["random", "full"], ["auto", ""]),
    "data.prepared": TEXT,
    "data.tfds": TEXT,
    "data.data_dir": TEXT,
    "data.image_key": NAME,
    "data.split": NAME,
    "data.cache_gib": POSITIVE,
    "data.lr_folder": TEXT,
    "data.hr_folder": TEXT,
    "data.threads": NATURAL,
    "data.sender.patch": ([8, 16, 2**20], [0, -8, 7, 12, 8.0]),
    "data.sender.scale": ([1, 8], [0, 9, 4.0]),
    "data.sender.kernel": (["area", "bicubic", "lanczos"], ["box", ""]),
    "data.sender.quality": ([(1, 100), (60, 60), [50, 75]], [(0, 50), (50, 101), (75, 50), (50,), (50.0, 75), 50]),
    "data.sender.uncoded": SHARE,
    "data.sender.zoom": PART,
    "data.sender.zoomed": SHARE,
    "data.sender.contrast": ([(0, 10), (1.0, 1.0)], [(-1e-9, 1), (1, 10.1), (1.1, 0.7), (1.0,), (0, math.nan)]),
    "data.sender.lesions": SHARE,
    "data.link.side": ([32, 160, 2**20], [0, -32, 48, 32.0]),
    "data.link.scales": ([(1,), (1, 1, 2), [4, 1]], [(), (0,), (0.5,), 1]),
    "data.link.codecs": weighted("avif"),
    "data.link.uncoded": SHARE,
    "data.link.quality": ([(1, 100), (60, 60)], [(0, 50), (50, 101), (75, 50), (50,), 50]),
    "data.link.avif": ([(1, 100), (60, 60)], [(0, 50), (50, 101), (75, 50), (50,), 50]),
    "data.link.zoom": PART,
    "data.link.zoomed": SHARE,
    "data.link.contrast": ([(0, 10), (1.0, 1.0)], [(-1e-9, 1), (1, 10.1), (1.1, 0.7), (1.0,), (0, math.nan)]),
    "data.link.lesions": SHARE,
    "degradation": ([{}, {"preset": "bicubic"}], [3, None, "bicubic"]),
    "plateau.enabled": SWITCH,
    "plateau.factor": ([1e-9, 1.0 - 1e-9], [0.0, 1.0, math.nan]),
    "plateau.patience": POSITIVE_INTEGER,
    "plateau.min_delta": POSITIVE,
    "plateau.min_scale": SHARE,
    "early_stopping.enabled": SWITCH,
    "early_stopping.patience": POSITIVE_INTEGER,
    "early_stopping.min_delta": NOT_NEGATIVE,
    "alarms.accuracy": ([0.5, 1.0], [0.5 - 1e-9, 1.0 + 1e-9, math.nan]),
    "alarms.deviation": NOT_NEGATIVE,
    "alarms.patience": POSITIVE_INTEGER,
    "validation.folder": NAME,
    "validation.split": NAME,
    "validation.inputs": (["packets", "degraded"], ["images", ""]),
    "validation.quality": ([1, 100], [0, 101, 60.0]),
    "validation.side": POSITIVE_INTEGER,
    "validation.count": ([None, 1, 10**9], [0, -1, 1.0]),
    "validation.lpips": SWITCH,
    "validation.best_by": (["psnr", "lpips"], ["ssim", ""]),
    "validation.pictures": NATURAL,
    "card.name": TEXT,
    "card.licence": TEXT,
    "card.data": TEXT,
    "card.note": TEXT,
}


def values_with(name: str, value: object) -> dict[str, Any]:
    """The defaults with one field changed, as plain values."""
    values: dict[str, Any] = dataclasses.asdict(Config())
    *groups, last = name.split(".")
    group = values
    for part in groups:
        group = group[part]
    group[last] = value
    return values


def config_of(name: str = "xray_x4", /, **changes: Any) -> ConfigDict:
    """The tiny version of a config, with changes by the fields' full names."""
    config: ConfigDict = runpy.run_path(str(CONFIGS / f"{name}.py"))["get_config"]("tiny")
    config.update_from_flattened_dict(changes)
    return config


def test_the_table_of_edges_has_every_field() -> None:
    assert set(EDGES) == {entry.name for entry in described(Config) if not entry.is_group}


@pytest.mark.parametrize("name", EDGES)
def test_a_field_accepts_its_outermost_values_and_refuses_the_next(name: str) -> None:
    accepted, refused = EDGES[name]
    for value in accepted:
        assert faults(Config, values_with(name, value)) == {}, value
    for value in refused:
        found = faults(Config, values_with(name, value))
        assert list(found) == [name], value
        assert found[name].startswith("must be ") and found[name].endswith(f", not {value!r}")


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.py")), ids=lambda path: path.stem)
def test_every_config_is_valid(path: pathlib.Path) -> None:
    checked(config_of(path.stem))


RULES: dict[str, tuple[dict[str, Any], str]] = {
    "devices": ({"devices": 9, "batch": 9}, "devices: must be at most 4, the local devices, not 9"),
    "batch": ({"batch": 3}, "batch: must be a multiple of the 4 devices, not 3"),
    "accumulate": ({"accumulate": 2}, "accumulate: must divide the 1 samples of a device, not 2"),
    "warmup": ({"optimizer.warmup": 200}, "optimizer.warmup: must be below config.steps, 200, not 200"),
    "no milestones": (
        {"optimizer.schedule": "multistep"},
        "optimizer.milestones: must be steps after the warm-up of 0, not ()",
    ),
    "milestones in the warm-up": (
        {"optimizer.schedule": "multistep", "optimizer.warmup": 10, "optimizer.milestones": (10, 20)},
        "optimizer.milestones: must be steps after the warm-up of 10, not (10, 20)",
    ),
    "weights": (
        {"objective.pixel_weight": 0.0},
        "objective: one of pixel_weight, perceptual_weight and adversarial_weight must be above 0",
    ),
    "layers": (
        {"objective.perceptual_weight": 1.0, "objective.layers": (("conv3_4", 1.0),)},
        "objective.layers: 'conv3_4' is no layer of VGG16, which has conv1_1,",
    ),
    "last layer": (
        {"objective.perceptual_weight": 1.0, "objective.layers": (("conv6_last", 1.0),)},
        "objective.layers: 'conv6_last' is no layer of VGG16",
    ),
    "model": ({"model.name": "unet"}, "model: model 'unet' is none of"),
    "model's field": (
        {"model.fields": {"feature": 8}},
        "model: model 'compact_rrdbnet' has no field 'feature'; it has blind,",
    ),
    "degradation": (
        {"degradation.steps": {"jpeg": {"kind": "Jpegs"}}},
        "degradation: degradation.steps.jpeg.kind: 'Jpegs'",
    ),
    "degradation's scale": (
        {"data.source": "folders", "degradation.scale": 2},
        "degradation.scale: must be 4, the model's, not 2",
    ),
    "side": ({"data.source": "folders", "data.side": 60}, "data.side: must be a multiple of 32 for this model, not 60"),
    "patch": (
        {"model.fields": {"scale": 4, "fold": 16, "context": 0}, "data.sender.patch": 24},
        "data.sender.patch: must be a multiple of 16 for this model, not 24",
    ),
    "sender's scale": ({"data.sender.scale": 2}, "data.sender.scale: must be 4, the model's, not 2"),
    "link with a model of one scale": (
        {"data.source": "link"},
        "model.name: must be a model of several scales with config.data.source=link, not compact_rrdbnet",
    ),
    "link's scales": (
        {
            "data.source": "link",
            "model.name": "conditional_rrdbnet",
            "model.fields": {"scales": (1, 2), "scale": 1},
            "data.link.scales": (1, 4),
        },
        "data.link.scales: must be among (1, 2), the model's, not 4",
    ),
    "link's side": (
        {
            "data.source": "link",
            "model.name": "conditional_rrdbnet",
            "model.fields": {"scales": (1, 2), "scale": 1, "grid": 12},
            "data.link.scales": (1,),
            "validation.side": 48,
        },
        "data.link.side: must be a multiple of the model's grid, 12, not 64",
    ),
    "link's codecs": (
        {
            "data.source": "link",
            "model.name": "conditional_rrdbnet",
            "model.fields": {},
            "data.link.codecs": (("heif", 1.0),),
        },
        "data.link.codecs: 'heif' is none of jpeg, jpeg2000, avif",
    ),
    "discriminator": (
        {"objective.adversarial_weight": 0.1, "discriminator.name": "vgg19"},
        "discriminator: discriminator 'vgg19' is none of",
    ),
    "discriminator's channels": (
        {"objective.adversarial_weight": 0.1, "discriminator.fields": {"channels": 3, "features": 4}},
        "discriminator.fields.channels: must be 1, the generator's, not 3",
    ),
    "discriminator's side": (
        {
            "objective.adversarial_weight": 0.1,
            "discriminator.name": "vgg",
            "discriminator.fields": {"channels": 1, "features": 4, "side": 96},
        },
        "discriminator.fields.side: must be 64, the side of its images, not 96",
    ),
    "scales": (
        {"objective.adversarial_weight": 0.1, "discriminator.scales": (1, 16)},
        "discriminator.scales: targets of 64 pixels shrunk by 16 have no side of a multiple of 8",
    ),
    "prepared": ({"data.source": "prepared"}, "data.prepared: required by config.data.source=prepared"),
    "tfds": ({"data.source": "tfds"}, "data.tfds: required by config.data.source=tfds"),
    "pair folders": (
        {"data.source": "pair_folders", "data.lr_folder": "a"},
        "data.hr_folder: required by config.data.source=pair_folders",
    ),
    "validation's side": (
        {"validation.side": 60},
        "validation.side: must be a multiple of 32 for this model, not 60",
    ),
    "validation's inputs": (
        {"validation.inputs": "degraded"},
        "validation.inputs: must be packets with config.data.source=sender, not degraded",
    ),
    "best by": ({"validation.best_by": "lpips"}, "validation.best_by: lpips requires config.validation.lpips=True"),
}


@pytest.mark.parametrize("rule", RULES)
def test_fields_that_contradict_each_other_are_refused_by_name(rule: str) -> None:
    changes, line = RULES[rule]
    with pytest.raises(ConfigError) as error:
        checked(config_of(**changes))
    (found,) = error.value.lines
    assert found.startswith(f"config.{line}")


def test_fields_at_the_edge_of_a_rule_are_accepted() -> None:
    checked(config_of(**{"optimizer.warmup": 199}))
    milestones = {"optimizer.schedule": "multistep", "optimizer.warmup": 10, "optimizer.milestones": (11, 20)}
    checked(config_of(**milestones))
    checked(config_of(devices=4, batch=8, accumulate=2))
    vgg19 = {"objective.features": "vgg19.pth", "objective.layers": (("conv3_4", 1.0), ("conv5_last", 1.0))}
    checked(config_of(**{"objective.perceptual_weight": 1.0}, **vgg19))


def test_all_faults_are_reported_together_each_by_name(tmp_path: pathlib.Path) -> None:
    wrong = {"seed": -1, "steps": 0, "batch": 3, "data.sender.quality": (75, 50), "objective.pixel": "huber"}
    config = config_of(**wrong, **{"optimizer.warmup": 5000, "validation.side": 60, "model.fields.scale": 2})
    config.data.folders = ((str(tmp_path), 1.0), ("nowhere", 1.0), ("neither", 1.0))
    with pytest.raises(ConfigError) as error:
        checked(config, files=True)
    names = [line.split(": ")[0].removeprefix("config.") for line in error.value.lines]
    # The warm-up can't be compared with a number of steps that is invalid itself.
    expected = ["seed", "steps", "batch", "data.sender.quality", "objective.pixel", "data.sender.scale"]
    expected += ["validation.side", "data.folders", "data.folders", "validation.folder"]
    assert sorted(names) == sorted(expected)
    assert "config.data.folders: nowhere: no such folder" in error.value.lines
    assert "; ".join(error.value.lines) == str(error.value)


def test_a_group_that_is_none_and_fields_that_are_unknown_or_missing_are_faults() -> None:
    values = values_with("optimizer", 3)
    values["more"] = values.pop("steps")
    found = faults(Config, values)
    assert found.keys() == {"optimizer", "more", "steps"}
    assert (found["more"], found["steps"]) == ("no such field", "missing")
    assert found["optimizer"] == "must be a group of fields, not 3"


def test_a_flag_of_another_type_is_refused_by_the_config_itself() -> None:
    config = defaults()
    config.validation.count = 3
    for group, name, value in ((config.validation, "count", "three"), (config, "steps", "many"), (config, "new", 1)):
        with pytest.raises((TypeError, KeyError, AttributeError)):
            group[name] = value


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"blocks": "two"}, "field 'blocks' of compact_rrdbnet can't be 'two'; its default is 2"),
        ({"blocks": 0}, "field 'blocks' of compact_rrdbnet can't be 0"),
        ({"features": 8.0}, "field 'features' of compact_rrdbnet can't be 8.0"),
        ({"blind": 1}, "field 'blind' of compact_rrdbnet can't be 1"),
        ({"scale": True}, "field 'scale' of compact_rrdbnet can't be True"),
    ],
)
def test_fields_of_networks_have_their_types(fields: dict[str, object], message: str) -> None:
    with pytest.raises(MedsrError, match=message):
        build("compact_rrdbnet", fields)


def test_the_config_of_a_run_gives_the_same_config_again(tmp_path: pathlib.Path) -> None:
    config = defaults()
    config.steps = 77
    config.data.folders = (("a 'quoted' folder", 0.5), ("b", 0.5))
    (tmp_path / "config.py").write_text(as_module(checked(config)))
    again = runpy.run_path(str(tmp_path / "config.py"))["get_config"]()
    assert again.to_dict() == config.to_dict()
    assert isinstance(again.data.folders, tuple)
    again.validation.count = 3
    with pytest.raises(TypeError):
        again.validation.count = "three"
    json.dumps(dataclasses.asdict(checked(config)), allow_nan=False)


def test_the_page_of_all_fields_is_current() -> None:
    assert (ROOT / "docs" / "config.md").read_text() == page(), (
        "run python -m medsr_jax.training.config > docs/config.md"
    )


def test_every_field_has_a_comment() -> None:
    assert all(entry.comment for entry in described(Config))
