import math
import pathlib
import runpy

import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.models import build
from medsr_jax.training.config.ranges import RANGES, check_ranges
from medsr_jax.training.run.setup import build_setup

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"


def config(name="xray_x4", **changes):
    made = runpy.run_path(str(CONFIGS / f"{name}.py"))["get_config"]("tiny")
    made.update_from_flattened_dict(changes)
    return made


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.py")), ids=lambda path: path.stem)
def test_every_config_is_within_its_ranges(path):
    check_ranges(config(path.stem))


def test_every_range_is_of_a_field_and_keeps_something_out():
    made = config()
    for name, allowed in RANGES.items():
        *groups, field = name.split(".")
        group = made
        for part in groups:
            group = group[part]
        assert field in group, name
        for bad in (-1, 1e9 + 0.5, "", math.nan):
            try:
                kept_out = not allowed.allows(bad)
            except (TypeError, ValueError):
                kept_out = True
            if kept_out:
                break
        else:
            pytest.fail(f"{name} may be anything")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("seed", -1, "config.seed: -1 is not between 0 and"),
        ("ema_decay", 1.0, "config.ema_decay: 1.0 is not 0 or more and below 1"),
        ("optimizer.learning_rate", 0.0, "config.optimizer.learning_rate: 0.0 is not above 0"),
        ("optimizer.learning_rate", math.nan, "config.optimizer.learning_rate: nan is not above 0"),
        ("discriminator.learning_rate", math.inf, "config.discriminator.learning_rate: inf is not above 0"),
        ("optimizer.b1", -0.1, "config.optimizer.b1: -0.1"),
        ("optimizer.b2", 1.5, "config.optimizer.b2: 1.5"),
        ("optimizer.clip_norm", -1.0, "config.optimizer.clip_norm: -1.0 is not 0 or more"),
        ("objective.pixel_weight", math.inf, "config.objective.pixel_weight: inf is not 0 or more"),
        ("objective.pixel_weight", 0.0, "config.objective: all weights are 0"),
        ("data.threads", -1, "config.data.threads: -1 is not 0 or more"),
        ("data.window", "bone", "config.data.window: 'bone' is not one of random, full"),
        ("data.pair.kernel", "box", "config.data.pair.kernel: 'box' is not one of area"),
        ("data.pair.quality", (75, 50), r"config.data.pair.quality: \(75, 50\) is not two rising numbers"),
        ("data.pair.quality", (0, 50), "config.data.pair.quality"),
        ("data.pair.quality", (50,), "config.data.pair.quality"),
        ("data.pair.zoom", 0.0, "config.data.pair.zoom: 0.0 is not above 0"),
        ("validation.count", 0, "config.validation.count: 0 is not 1 or more"),
        ("validation.quality", 101, "config.validation.quality: 101 is not between 1 and 100"),
        ("validation.folder", "", "config.validation.folder: '' is not the name of a folder"),
        ("alarms.patience", 0, "config.alarms.patience: 0"),
        ("data.folders", (), r"config.data.folders: \(\) is not folders with their shares"),
        ("data.folders", ("a", "b"), "config.data.folders"),
        ("data.folders", (("a", 0.0),), "config.data.folders"),
        ("data.folders", (("a", 1.0, 2.0),), "config.data.folders"),
        ("data.folders", (("a", "b"),), "config.data.folders"),
        ("objective.layers", (), "config.objective.layers"),
        ("objective.layers", ("conv1_2", 0.1), "config.objective.layers"),
        ("optimizer.milestones", (20, 10), r"config.optimizer.milestones: \(20, 10\) is not rising"),
        ("optimizer.milestones", ("a",), "config.optimizer.milestones"),
        ("discriminator.scales", (), r"config.discriminator.scales: \(\) is not different whole numbers"),
        ("discriminator.scales", (1, 1), "config.discriminator.scales"),
        ("discriminator.scales", (0.5,), "config.discriminator.scales"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field, value, message):
    with pytest.raises(MedsrError, match=message):
        check_ranges(config(**{field: value}))


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
def test_fields_of_networks_have_their_types(fields, message):
    with pytest.raises(MedsrError, match=message):
        build("compact_rrdbnet", fields)


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("realesrgan_xray", {"channels": 3, "features": 4}, "channels is 3, but the generator's images have 1"),
        ("esrgan_xray", {"channels": 1, "features": 4, "side": 96}, "side is 96, but the images have"),
    ],
)
def test_a_discriminator_of_other_images_is_refused(name, fields, message):
    made = config(name)
    made.objective.perceptual_weight = 0.0
    made.discriminator.fields = fields
    with pytest.raises(MedsrError, match=rf"config\.discriminator\.fields: {message}"):
        build_setup(made)
