"""Every config: its full version is valid, and its tiny one trains, validates and saves a model."""

import json
import math
import pathlib
import runpy
import subprocess
import sys

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from medsr_jax import Restorer, compress
from medsr_jax.errors import MedsrError
from medsr_jax.imaging import Image as Picture
from medsr_jax.models import build
from medsr_jax.training.config.checking import checked
from medsr_jax.training.data.inputs import describe_source, scales_in_words
from medsr_jax.training.run.loop import train_and_evaluate
from medsr_jax.training.run.records import card
from medsr_jax.training.run.setup import build_setup, initial_params
from medsr_jax.weights import save
from medsr_jax.weights.importing.generator import converted
from tests.weights import ncnn_networks as networks

CONFIGS = {path.stem: path for path in sorted((pathlib.Path(__file__).parents[2] / "configs").glob("*.py"))}
# test_training.py trains the first; the second has the network and loss of realesrnet_xray, and a test of its start.
TRAINED_ELSEWHERE = {"xray_x4", "finetune_x4plus"}
ADVERSARIAL = {"realesrgan_xray", "esrgan_xray", "paper"}
SLOW = {"esrgan_xray", "paper", "realesrnet_xray"}


def get(name: str, variant: str = "") -> ConfigDict:
    return runpy.run_path(str(CONFIGS[name]))["get_config"](variant)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_full_version_is_valid(name: str) -> None:
    config = get(name)
    setup = build_setup(checked(config))
    single = setup.state_shapes()
    assert (single.discriminator is not None) == (name in ADVERSARIAL)
    if name == "realesrgan_xray":
        sizes = [sum(leaf.size for leaf in jax.tree.leaves(tree)) for tree in (single.generator.params,)]
        assert sizes == [16_697_987 - 2 * (64 * 9 * 2) - 2]  # of 3 channels, less what grey saves at both ends
    assert config.card.name


def test_an_unknown_variant_is_one_line_of_the_command(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-m", "medsr_jax.training", f"--config={CONFIGS['srcnn']}:large"]
    done = subprocess.run([*command, f"--workdir={tmp_path / 'run'}"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "config: has no variant 'large'; its variants are equal, tiny\n"
    assert not (tmp_path / "run").exists()


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(MedsrError, match="config: has no variant 'large'; its variants are equal, tiny"):
        get("srcnn", "large")


# Of the configs with a discriminator realesrgan_xray stands for the others, which compile for a minute each, and for
# the first stage on the same network and degradation.
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in SLOW else ())
        for name in sorted(CONFIGS.keys() - TRAINED_ELSEWHERE)
    ],
)
def test_the_tiny_version_trains(name: str, tmp_path: pathlib.Path, radiograph: np.ndarray) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(np.tile(radiograph, (2, 2))).save(folder / "a.png")
    config = get(name, "tiny")
    config.data.folders = ((str(folder), 1.0),)
    config.validation.folder = str(folder)
    config.validation.side = 64
    config.data.side, config.data.sender.patch, config.data.link.side = 32, 8, 32
    if name == "esrgan_xray":
        config.discriminator.fields.side = 32
    config.steps, config.log_every, config.validate_every, config.checkpoint_every = 2, 1, 2, 2
    config.devices = 1
    state = train_and_evaluate(config, tmp_path / "run")
    assert int(state.step) == 2
    assert int(state.skipped) == 0
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert all(math.isfinite(value) for line in lines for value in line.values())
    assert ("accuracy" in lines[0]) == ("perceptual" in lines[0]) == (name in ADVERSARIAL)
    assert ("lpips" in lines[-1]) == config.validation.lpips
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    picture = Picture(pixels=radiograph[None, :64, :64], value_range=(0, 255), kind="png")
    restored = Restorer(str(tmp_path / "run" / "best.safetensors"))(compress(picture))
    assert restored.pixels.shape == (1, 64, 64)


def test_card_of_a_family_states_its_scales_and_codecs() -> None:
    config = checked(get("link"))
    values = {"psnr": 37.16, "psnr_bicubic": 37.11}
    found = card(config, 9, values, degradation=describe_source(config))
    scales = "scale 1 (2 of 3 batches), scale 2 (1 of 3 batches)"
    assert found["validation"] == f"PSNR 37.16 dB, bicubic 37.11 dB as AVIF, the mean of {scales}"
    assert found["degradation"].startswith(
        f"area downscaling, {scales}; avif, jpeg, jpeg2000; q 30..90, AVIF's own 1..60"
    )
    assert scales_in_words((4, 1, 2)) == "scale 1, 2, 4"


def test_family_of_fewer_scales_is_a_start_for_more(tmp_path: pathlib.Path) -> None:
    config = get("link", "tiny")
    fields = {**config.model.fields, "scales": (1, 2)}
    shapes = jax.eval_shape(build("conditional_rrdbnet", fields).init, jax.random.key(0), np.zeros((1, 8, 8, 1)))
    params = jax.tree.map(lambda leaf: np.full(leaf.shape, 0.5, np.float32), shapes["params"])
    save(tmp_path / "two.safetensors", model="conditional_rrdbnet", fields=fields, params=params, card={})
    config.start_from = str(tmp_path / "two.safetensors")
    state = build_setup(checked(config)).initial_state()
    kernels = {name: np.asarray(layer["kernel"]) for name, layer in state.generator.params.items() if name != "body"}
    assert {name for name, kernel in kernels.items() if (kernel == 0.5).all()} == {
        "first_x1", "first_x2", "last_x1", "last_x2", "conv_body",
    }  # fmt: skip
    assert kernels.keys() > {"first_x4", "last_x4"}
    config.model.fields.scales, config.data.link.scales = (1,), (1,)
    with pytest.raises(MedsrError, match="two.safetensors: has conditional_rrdbnet"):
        initial_params(checked(config))


def test_fine_tuning_starts_from_a_colour_model_folded_to_grey(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "colour.safetensors"
    tensors = networks.rrdbnet(features=8, growth=4, blocks=1).tensors
    model, fields, params = converted(tensors, path)
    save(path, model=model, fields=fields, params=params, card={})
    config = get("finetune_x4plus", "tiny")
    config.start_from = str(path)
    first = initial_params(checked(config))["conv_first"]["kernel"]
    summed = tensors["conv_first.weight"].sum(1, keepdims=True).transpose(2, 3, 1, 0)
    np.testing.assert_allclose(first, summed, atol=1e-6)
