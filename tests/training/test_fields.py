"""The fields of a config: their ranges, what contradicts what, and the page that lists them."""

from __future__ import annotations

import math
import pathlib
import runpy
from typing import Any

import pytest
from ml_collections import ConfigDict

from medsr_jax.errors import MedsrError, UsageError
from medsr_jax.models import build
from medsr_jax.training.config.checks import check_config
from medsr_jax.training.config.fields import FIELDS, Unset
from medsr_jax.training.config.page import page

ROOT = pathlib.Path(__file__).parents[2]
CONFIGS = ROOT / "configs"

COUNT = ((1, 10**6), (0, -1))
SHARE = ((0.0, 1.0), (-0.01, 1.01, math.nan))
PART = ((1e-6, 1.0), (0.0, 1.01, math.nan))
DECAY = ((0.0, 0.99999), (-0.01, 1.0, math.nan))
WEIGHT = ((0.0, 1e6), (-1e-9, math.inf, math.nan))
RATE = ((1e-9, 1e3), (0.0, -1.0, math.inf, math.nan))
NAME = (("x",), ("",))
TEXT = (("", "x"), ())
FLAG = ((True, False), ())

# Of each field by hand: values that a run may have, and the nearest ones that it may not.
EDGES: dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]] = {
    "seed": ((0, 2**31 - 1), (-1, 2**31)),
    **dict.fromkeys(("steps", "batch", "accumulate", "log_every", "validate_every", "checkpoint_every"), COUNT),
    **dict.fromkeys(("keep_checkpoints", "most_skips"), COUNT),
    "compute_dtype": (("float32", "bfloat16"), ("float16", "")),
    "ema_decay": DECAY,
    "start_from": TEXT,
    "on_not_finite": (("stop", "skip"), ("go", "")),
    "profile": FLAG,
    "devices": ((None, 1, 8), (0, -1)),
    "model.name": (("rrdbnet", "compact_rrdbnet", "srcnn", "srvgg", "bicubic"), ("unet", "")),
    "model.fields": (({},), ()),
    "optimizer.learning_rate": RATE,
    "optimizer.schedule": (("constant", "cosine", "multistep"), ("linear", "")),
    "optimizer.warmup": ((0, 10**6), (-1,)),
    "optimizer.final": WEIGHT,
    "optimizer.milestones": (((), (1, 2)), ((2, 1), (1, 1), (0, 1), ("a",), (1.5,))),
    "optimizer.factor": PART,
    "optimizer.b1": DECAY,
    "optimizer.b2": DECAY,
    "optimizer.clip_norm": WEIGHT,
    "objective.pixel": (("l1", "mse", "charbonnier", "log_mse"), ("l2", "")),
    **dict.fromkeys(("objective.pixel_weight", "objective.perceptual_weight"), WEIGHT),
    **dict.fromkeys(("objective.adversarial_weight", "objective.r1_weight"), WEIGHT),
    "objective.features": NAME,
    "objective.layers": (((("conv1_2", 0.1),),), ((), ("conv1_2", 0.1), (("conv1_2", 0.0),), (("", 1.0),))),
    "objective.adversarial": (("vanilla", "relativistic", "hinge"), ("wgan", "")),
    "discriminator.name": (("unet", "vgg"), ("rrdbnet", "")),
    "discriminator.fields": (({},), ()),
    "discriminator.scales": (((1,), (2, 1)), ((), (1, 1), (0,), (0.5,))),
    "discriminator.learning_rate": RATE,
    "data.source": (("pairs", "folders", "prepared", "tfds", "paired"), ("web", "")),
    "data.folders": (((("a", 1.0), ("b", 1e-3)),), ((), ("a", "b"), (("a", 0.0),), (("a", 1.0, 2.0),), (("a", "b"),))),
    "data.side": COUNT,
    "data.flip": FLAG,
    "data.window": (("random", "full"), ("bone", "")),
    **dict.fromkeys(("data.prepared", "data.tfds", "data.data_dir", "data.lr_folder", "data.hr_folder"), TEXT),
    **dict.fromkeys(("data.image_key", "data.split", "validation.folder", "validation.split"), NAME),
    "data.cache_gib": RATE,
    "data.threads": ((0, 64), (-1,)),
    "data.pair.patch": COUNT,
    "data.pair.scale": COUNT,
    "data.pair.kernel": (("area", "bicubic", "lanczos"), ("box", "")),
    "data.pair.quality": (((1, 100), (60, 60)), ((75, 50), (0, 50), (50, 101), (50,))),
    "data.pair.uncoded": SHARE,
    "data.pair.zoom": PART,
    "data.pair.zoomed": SHARE,
    "data.pair.contrast": (((0.0, 1000.0), (1.0, 1.0)), ((1.1, 0.7), (-0.1, 1.0), (0.0, 1001.0))),
    **dict.fromkeys(("plateau.enabled", "early_stopping.enabled", "validation.lpips"), FLAG),
    "plateau.factor": PART,
    **dict.fromkeys(("plateau.patience", "early_stopping.patience", "alarms.patience"), COUNT),
    **dict.fromkeys(("plateau.min_delta", "early_stopping.min_delta", "alarms.deviation"), WEIGHT),
    "plateau.min_scale": SHARE,
    "alarms.accuracy": ((0.5, 1.0), (0.49, 1.01)),
    "validation.inputs": (("packets", "degraded"), ("none", "")),
    "validation.quality": ((1, 100), (0, 101)),
    "validation.side": COUNT,
    "validation.count": ((None, 1), (0,)),
    "validation.best_by": (("psnr", "lpips"), ("ssim", "")),
    "validation.pictures": ((0, 100), (-1,)),
    **dict.fromkeys(("card.name", "card.licence", "card.data", "card.note"), TEXT),
}


def config(name: str = "xray_x4", **changes: Any) -> ConfigDict:
    """The tiny version of a config of the repository, changed."""
    made: ConfigDict = runpy.run_path(str(CONFIGS / f"{name}.py"))["get_config"]("tiny")
    made.update_from_flattened_dict(changes)
    return made


def test_each_field_has_its_edges_here() -> None:
    assert set(EDGES) == {field.name for field in FIELDS}
    assert len(FIELDS) == len({field.name for field in FIELDS})


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_a_field_takes_the_values_inside_of_its_range_and_refuses_those_outside(field: Any) -> None:
    inside, outside = EDGES[field.name]
    default = None if isinstance(field.default, Unset) else field.default
    assert default is None or field.range.allows(default)
    for value in inside:
        assert value is None or field.range.allows(value), value
    for value in outside:
        assert not field.range.allows(value), value


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.py")), ids=lambda path: path.stem)
def test_every_config_passes(path: pathlib.Path) -> None:
    check_config(config(path.stem), data=False)


def test_the_page_of_the_docs_is_current() -> None:
    assert (ROOT / "docs" / "config.md").read_text() == page(), "python -m medsr_jax.training.config > docs/config.md"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": -1}, "config.seed must be from 0 to 2147483647, not -1$"),
        ({"optimizer.b1": 1.0}, "config.optimizer.b1 must be at least 0 and below 1, not 1.0$"),
        ({"objective.pixel_weight": 0.0}, "config.objective: all weights are 0"),
        ({"optimizer.warmup": 200}, "config.optimizer.warmup: 200 updates do not fit into config.steps, 200$"),
        ({"optimizer.schedule": "multistep"}, r"config.optimizer.milestones: \(\) must rise"),
        (
            {"optimizer.schedule": "multistep", "optimizer.warmup": 5, "optimizer.milestones": (5, 9)},
            r"config.optimizer.milestones: \(5, 9\) must rise from the warm-up's end, 5$",
        ),
        ({"plateau.enabled": True, "plateau.factor": 1.0}, "config.plateau: factor must be below 1"),
        ({"validation.best_by": "lpips"}, "config.validation.best_by: lpips is not measured"),
        ({"start_from": "absent.safetensors"}, "config.start_from: absent.safetensors"),
        ({"devices": 4096}, "config.devices: 4096 of "),
        ({"devices": 1, "batch": 3, "accumulate": 2}, "config.accumulate: 2 does not divide a device's 3 samples$"),
        ({"data.pair.patch": 12}, "config.data.pair.patch: 12 is not a multiple of 8, JPEG's block"),
        ({"data.pair.scale": 2}, "config.data.pair.scale: 2, but the model enlarges by 4$"),
        ({"validation.side": 100}, "config.validation.side: 100 is not a multiple of "),
        ({"validation.inputs": "degraded"}, "config.validation.inputs: nothing is degraded"),
        ({"data.source": "folders", "data.side": 30}, "config.data.side: 30 is not a multiple of "),
        ({"data.source": "folders", "degradation.scale": 2}, "config.degradation"),
        ({"data.source": "prepared"}, "config.data.prepared: required by the source 'prepared'$"),
        ({"data.source": "paired", "data.lr_folder": "x"}, "config.data.hr_folder: required by the source 'paired'$"),
        ({"objective.perceptual_weight": 1.0, "objective.layers": (("conv9_9", 1.0),)}, "config.objective.layers: VGG"),
    ],
)
def test_a_fault_is_named_with_its_field(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=rf"^{message}"):
        check_config(config(**changes), data=False)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(UsageError, match=r"config\.seed must .*; config\.batch must .*; config\.data\.window must "):
        check_config(config(seed=-1, batch=0, **{"data.window": "bone"}))
    several = {"validation.best_by": "lpips", "data.pair.patch": 12, "validation.folder": "absent"}
    with pytest.raises(UsageError, match=r"best_by: .*; config\.data\.pair\.patch: .*; absent: no such folder"):
        check_config(config(**several))


def test_folders_must_be_there() -> None:
    with pytest.raises(UsageError, match="^data/train/chest: no such folder; set config.data"):
        check_config(config())


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


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("realesrgan_xray", {"channels": 3, "features": 4}, "channels is 3, but the generator's images have 1"),
        ("esrgan_xray", {"channels": 1, "features": 4, "side": 96}, "side is 96, but the images have"),
    ],
)
def test_a_discriminator_of_other_images_is_refused(name: str, fields: dict[str, object], message: str) -> None:
    made = config(name)
    made.objective.perceptual_weight = 0.0
    made.discriminator.fields = fields
    with pytest.raises(MedsrError, match=rf"config\.discriminator\.fields: {message}"):
        check_config(made, data=False)
