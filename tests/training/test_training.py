import json
import pathlib
import re
import subprocess
import sys

import jax
import numpy as np
import pytest
from PIL import Image

from medsr_jax.data.pairs import Pairs, PairSettings, batches
from medsr_jax.data.validation import validation_images
from medsr_jax.errors import MedsrError
from medsr_jax.training.run import schedules
from medsr_jax.training.run.loop import train_and_evaluate
from medsr_jax.training.run.setup import build_setup
from medsr_jax.training.steps import losses
from medsr_jax.transmission.codecs import decode_jpeg, encode_jpeg
from medsr_jax.transmission.downscaling import downscale
from medsr_jax.weights import model_file
from tests.conftest import TINY

CONFIG = pathlib.Path(__file__).parents[2] / "configs" / "xray_x4.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory, radiograph):
    """Two 8-bit pictures and one of 16 bits."""
    folder = tmp_path_factory.mktemp("images")
    large = np.tile(radiograph, (2, 2))
    Image.fromarray(large).save(folder / "a.png")
    Image.fromarray(large[::-1].copy()).save(folder / "b.png")
    (folder / "deep").mkdir()
    Image.fromarray(large.astype(np.uint16) * 100).save(folder / "deep" / "c.png")
    return folder


@pytest.fixture(scope="module")
def eight_bit(tmp_path_factory, radiograph):
    folder = tmp_path_factory.mktemp("eight")
    Image.fromarray(np.tile(radiograph, (2, 2))).save(folder / "a.png")
    return folder


def configuration(folder, eight_bit, **changes):
    import runpy

    config = runpy.run_path(str(CONFIG))["get_config"]("tiny")
    config.data.folders = ((str(folder), 1.0),)
    config.validation.folder = str(eight_bit)
    config.validation.side = 64
    config.model.fields = TINY
    config.optimizer.warmup = 2
    config.steps, config.log_every, config.validate_every, config.checkpoint_every = 8, 2, 4, 4
    config.update_from_flattened_dict(changes)
    return config


def test_a_pair_is_what_the_sender_does_to_its_target(folder):
    pairs = Pairs([(folder, 1.0)], settings=PairSettings(patch=16, quality=(60, 60), uncoded=0.0), seed=3)
    for index in range(20):
        pair = pairs[index]
        small = np.rint(downscale(pair["hr"][..., 0], scale=4)).astype(np.uint8)
        np.testing.assert_array_equal(pair["lr"][..., 0], decode_jpeg(encode_jpeg(small, 60)))
        assert pair["strength"] > 0
        assert pair["hr"].shape == (64, 64, 1)


def test_a_pair_depends_on_seed_and_index_alone(folder):
    pairs, same, other = (Pairs([(folder, 1.0)], settings=PairSettings(patch=16), seed=s) for s in (3, 3, 4))
    np.testing.assert_array_equal(pairs[7]["hr"], same[7]["hr"])
    assert not np.array_equal(pairs[7]["hr"], other[7]["hr"])
    assert not np.array_equal(pairs[7]["hr"], pairs[8]["hr"])


def test_the_iterator_goes_on_where_its_state_was_taken(folder):
    pairs = Pairs([(folder, 1.0)], settings=PairSettings(patch=16), seed=3)
    data = batches(pairs, batch=2)
    next(data)
    position = data.get_state()
    expected = next(data)
    later = batches(pairs, batch=2)
    later.set_state(position)
    np.testing.assert_array_equal(next(later)["hr"], expected["hr"])


def test_an_empty_or_missing_folder_is_refused_by_name(tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(MedsrError, match=folder.name):
            Pairs([(folder, 1.0)], settings=PairSettings(patch=16), seed=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config=nowhere.py"], "--config: cannot be read"),
        (["--config=nowhere.py", "--config.steps=1"], "--config: cannot be read .nowhere.py: No such file"),
        (["--config=broken.py"], "--config: .*broken.py, line 2: ZeroDivisionError"),
        ([], "^--config: required"),
        ([f"--config={CONFIG}", "--config.no_field=3"], "--config: no such field: .*no_field"),
        ([f"--config={CONFIG}", "--config.steps=many"], "invalid literal"),
        ([f"--config={CONFIG}"], "data/val/chest: no such folder"),
        ([f"--config={CONFIG}", "--workdir="], "--workdir: is empty"),
    ],
)
def test_a_wrong_command_line_is_no_traceback(tmp_path, arguments, message):
    (tmp_path / "broken.py").write_text("def get_config():\n    return 1 / 0\n")
    command = [sys.executable, "-m", "medsr_jax.training", f"--workdir={tmp_path / 'run'}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert re.search(message, done.stderr)
    assert "Traceback" not in done.stderr


def test_validation_takes_central_crops_and_names_what_is_too_small(eight_bit):
    (crop,) = validation_images(eight_bit, side=100)
    assert crop.shape == (100, 100)
    with pytest.raises(MedsrError, match=r"a\.png"):
        list(validation_images(eight_bit, side=1000))


def test_losses_are_their_formulas():
    a, b = np.zeros((2, 2, 2, 1), np.float32), np.zeros((2, 2, 2, 1), np.float32)
    b[0] += 0.1
    b[1] += 0.2
    assert float(losses.l1(a, b)) == pytest.approx(0.15)
    assert float(losses.mse(a, b)) == pytest.approx(0.025)
    assert float(losses.charbonnier(a, b, epsilon=0.1)) == pytest.approx((0.1 * 2**0.5 + 0.05**0.5) / 2 - 0.1)
    assert float(losses.log_mse(a, b, floor=0.0)) == pytest.approx((np.log(0.01) + np.log(0.04)) / 2, rel=1e-5)


def test_the_cosine_rises_falls_and_ends():
    rate = schedules.learning_rate("cosine", peak=1.0, steps=100, warmup=10)
    assert float(rate(5)) == pytest.approx(0.5)
    assert float(rate(10)) == pytest.approx(1.0)
    assert float(rate(55)) == pytest.approx(0.5)
    assert float(rate(100)) == pytest.approx(0.0, abs=1e-6)


@pytest.fixture(scope="module")
def whole_run(folder, eight_bit, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole")
    return workdir, train_and_evaluate(configuration(folder, eight_bit), workdir)


def test_a_run_leaves_its_config_its_log_and_its_best_weights(whole_run):
    workdir, state = whole_run
    assert int(state.step) == 8
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [2, 4, 6, 8]
    assert [line["step"] for line in lines if "gain" in line] == [4, 8]
    assert json.loads((workdir / "config.json").read_text())["batch"] == 4
    weights = model_file.load(workdir / "best.safetensors")
    assert weights.card["name"] == "xray-x4"
    assert weights.model == "compact_rrdbnet"


def test_a_run_that_stopped_goes_on_to_the_same_weights(whole_run, folder, eight_bit, tmp_path):
    _, expected = whole_run
    interrupted = configuration(folder, eight_bit)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("medsr_jax.training.run.records.Records.write", stop_at(6))
        with pytest.raises(KeyboardInterrupt):
            train_and_evaluate(interrupted, tmp_path)
    resumed = train_and_evaluate(configuration(folder, eight_bit), tmp_path)
    for a, b in zip(jax.tree.leaves(resumed), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def stop_at(step):
    def write(self, number, values, *, strips=None):
        if number == step:
            raise KeyboardInterrupt

    return write


def test_four_devices_learn_what_one_does(folder, eight_bit, tmp_path, whole_run):
    _, on_four = whole_run
    assert len(jax.local_devices()) == 4
    on_one = train_and_evaluate(configuration(folder, eight_bit, devices=1), tmp_path)
    for a, b in zip(jax.tree.leaves(on_one.generator.params), jax.tree.leaves(on_four.generator.params), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=2e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch": 3}, "config.batch: 3 does not divide by the 4 devices"),
        ({"objective.pixel": "huber"}, "config.objective.pixel: 'huber'"),
        ({"optimizer.schedule": "step"}, "config.optimizer.schedule: 'step'"),
        ({"optimizer.warmup": 99}, "config.optimizer.warmup"),
        ({"validation.folder": "nowhere"}, "nowhere: no such folder"),
        ({"model.name": "unet"}, "'unet' is none of"),
        ({"accumulate": 2}, "config.accumulate: a device's 1 samples"),
        ({"steps": 0}, "config.steps: 0 is not 1 or more"),
        ({"devices": 9}, "config.devices: 9"),
        ({"compute_dtype": "float16"}, "config.compute_dtype: 'float16'"),
        ({"on_not_finite": "ignore"}, "config.on_not_finite: 'ignore'"),
        ({"data.source": "web"}, "config.data.source: 'web'"),
        ({"data.source": "folders", "degradation.scale": 2}, "config.degradation.scale: 2"),
        ({"data.source": "folders", "data.side": 60}, "config.data.side: 60 is no multiple of 32"),
        ({"data.source": "prepared", "data.prepared": "nowhere"}, "nowhere: no such folder"),
        ({"data.source": "prepared"}, "config.data.prepared: not set"),
        ({"data.source": "paired", "data.lr_folder": "a"}, "config.data.hr_folder: not set"),
        ({"validation.side": 60}, "config.validation.side: 60 is no multiple of 32"),
        ({"validation.best_by": "ssim"}, "config.validation.best_by: 'ssim'"),
        ({"validation.best_by": "lpips"}, "config.validation.best_by: lpips is not measured"),
        ({"validation.inputs": "degraded"}, "config.validation.inputs: nothing is degraded"),
        ({"early_stopping.enabled": True, "early_stopping.patience": 0}, "config.early_stopping.patience: 0"),
        ({"plateau.enabled": True, "plateau.factor": 2.0}, "config.plateau"),
        ({"optimizer.schedule": "multistep"}, "config.optimizer.milestones"),
        ({"objective.adversarial_weight": 0.1, "discriminator.name": "vgg19"}, "discriminator 'vgg19' is none of"),
        ({"objective.adversarial_weight": 0.1, "discriminator.scales": (1, 16)}, "config.discriminator.scales"),
        ({"objective.adversarial_weight": 0.1, "objective.adversarial": "wasserstein"}, "config.objective.adversarial"),
        ({"objective.perceptual_weight": 1.0, "objective.features": "nowhere.pth"}, "nowhere.pth"),
        ({"data.pair.patch": 12}, "config.data.pair.patch: 12"),
    ],
)
def test_a_bad_config_is_refused_before_anything_is_compiled(folder, eight_bit, tmp_path, change, message):
    with pytest.raises(MedsrError, match=message):
        train_and_evaluate(configuration(folder, eight_bit, **change), tmp_path)


def test_a_run_starts_from_a_weights_file_of_its_model(folder, eight_bit, tiny_weights):
    config = configuration(folder, eight_bit, start_from=str(tiny_weights))
    params = build_setup(config).initial_state().generator.params
    expected = model_file.load(tiny_weights).params
    jax.tree.map(np.testing.assert_array_equal, params, expected)
    config.model.fields.features = 12
    with pytest.raises(MedsrError, match=r"tiny\.safetensors: holds compact_rrdbnet .* set config\.model"):
        build_setup(config).initial_state()


def test_a_checkpoint_of_another_model_is_refused(whole_run, folder, eight_bit):
    workdir, _ = whole_run
    fields = {"model.fields.features": 12}
    with pytest.raises(MedsrError, match="does not fit this config"):
        train_and_evaluate(configuration(folder, eight_bit, **fields), workdir)
