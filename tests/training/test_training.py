import json
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from medsr_jax.data.validation import validation_images
from medsr_jax.errors import MedsrError
from medsr_jax.training.config.checking import checked
from medsr_jax.training.config.schema import Optimizer
from medsr_jax.training.run.loop import train_and_evaluate
from medsr_jax.training.run.records import Records
from medsr_jax.training.run.schedules import schedule
from medsr_jax.training.run.setup import build_setup
from medsr_jax.training.steps import losses
from medsr_jax.training.steps.state import TrainState
from medsr_jax.weights import model_file
from tests.conftest import TINY

CONFIG = pathlib.Path(__file__).parents[2] / "configs" / "xray_x4.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, radiograph: np.ndarray) -> pathlib.Path:
    """Two 8-bit pictures and one of 16 bits."""
    folder = tmp_path_factory.mktemp("images")
    large = np.tile(radiograph, (2, 2))
    Image.fromarray(large).save(folder / "a.png")
    Image.fromarray(large[::-1].copy()).save(folder / "b.png")
    (folder / "deep").mkdir()
    Image.fromarray(large.astype(np.uint16) * 100).save(folder / "deep" / "c.png")
    return folder


@pytest.fixture(scope="module")
def eight_bit(tmp_path_factory: pytest.TempPathFactory, radiograph: np.ndarray) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("eight")
    Image.fromarray(np.tile(radiograph, (2, 2))).save(folder / "a.png")
    return folder


def configuration(folder: pathlib.Path, eight_bit: pathlib.Path, **changes: object) -> ConfigDict:
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


def test_all_faults_of_a_config_are_printed_a_line_each(tmp_path: pathlib.Path) -> None:
    flags = ["--config.steps=0", "--config.batch=3", "--config.validation.side=60"]
    command = [
        sys.executable,
        "-m",
        "medsr_jax.training",
        f"--workdir={tmp_path / 'run'}",
        f"--config={CONFIG}",
        *flags,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    names = [line.split(": ")[0] for line in done.stderr.splitlines()]
    expected = ["steps", "validation.side", *3 * ["data.folders"], "validation.folder"]
    # A batch of 3 suits any number of devices that this process may have but 2 and 4.
    assert [name for name in names if name != "config.batch"] == [f"config.{name}" for name in expected]
    assert not (tmp_path / "run").exists()


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
def test_a_wrong_command_line_is_no_traceback(tmp_path: pathlib.Path, arguments: Any, message: str) -> None:
    (tmp_path / "broken.py").write_text("def get_config():\n    return 1 / 0\n")
    command = [sys.executable, "-m", "medsr_jax.training", f"--workdir={tmp_path / 'run'}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert re.search(message, done.stderr)
    assert "Traceback" not in done.stderr


def test_validation_takes_central_crops_and_names_what_is_too_small(eight_bit: pathlib.Path) -> None:
    (crop,) = validation_images(eight_bit, side=100)
    assert crop.shape == (100, 100)
    with pytest.raises(MedsrError, match=r"a\.png"):
        list(validation_images(eight_bit, side=1000))


def test_losses_are_their_formulas() -> None:
    a = jnp.zeros((2, 2, 2, 1))
    b = a + jnp.array([0.1, 0.2]).reshape(2, 1, 1, 1)
    assert float(losses.l1(a, b)) == pytest.approx(0.15)
    assert float(losses.mse(a, b)) == pytest.approx(0.025)
    assert float(losses.charbonnier(a, b, epsilon=0.1)) == pytest.approx((0.1 * 2**0.5 + 0.05**0.5) / 2 - 0.1)
    assert float(losses.log_mse(a, b, floor=0.0)) == pytest.approx((np.log(0.01) + np.log(0.04)) / 2, rel=1e-5)


def test_the_cosine_rises_falls_and_ends() -> None:
    rate = schedule(Optimizer(schedule="cosine", warmup=10), 1.0, steps=100)
    assert float(rate(5)) == pytest.approx(0.5)
    assert float(rate(10)) == pytest.approx(1.0)
    assert float(rate(55)) == pytest.approx(0.5)
    assert float(rate(100)) == pytest.approx(0.0, abs=1e-6)


@pytest.fixture(scope="module")
def whole_run(
    folder: pathlib.Path, eight_bit: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[pathlib.Path, TrainState]:
    workdir = tmp_path_factory.mktemp("whole")
    return workdir, train_and_evaluate(configuration(folder, eight_bit), workdir)


def test_a_run_leaves_its_config_its_log_and_its_best_weights(whole_run: Any) -> None:
    workdir, state = whole_run
    assert int(state.step) == 8
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [2, 4, 6, 8]
    assert [line["step"] for line in lines if "gain" in line] == [4, 8]
    assert json.loads((workdir / "config.json").read_text())["batch"] == 4
    weights = model_file.load(workdir / "best.safetensors")
    assert weights.card["name"] == "xray-x4"
    assert weights.model == "compact_rrdbnet"


def test_a_run_that_stopped_goes_on_to_the_same_weights(
    whole_run: Any, folder: pathlib.Path, eight_bit: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    _, expected = whole_run
    interrupted = configuration(folder, eight_bit)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("medsr_jax.training.run.records.Records.write", stop_at(6))
        with pytest.raises(KeyboardInterrupt):
            train_and_evaluate(interrupted, tmp_path)
    resumed = train_and_evaluate(configuration(folder, eight_bit), tmp_path)
    for a, b in zip(jax.tree.leaves(resumed), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def stop_at(step: int) -> Callable[..., None]:
    def write(self: Records, number: int, values: dict[str, float], *, strips: Any = None) -> None:
        if number == step:
            raise KeyboardInterrupt

    return write


def test_four_devices_learn_what_one_does(
    folder: pathlib.Path, eight_bit: pathlib.Path, tmp_path: pathlib.Path, whole_run: Any
) -> None:
    _, on_four = whole_run
    assert len(jax.local_devices()) == 4
    on_one = train_and_evaluate(configuration(folder, eight_bit, devices=1), tmp_path)
    for a, b in zip(jax.tree.leaves(on_one.generator.params), jax.tree.leaves(on_four.generator.params), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=2e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"steps": 0, "batch": 3},
            "config.steps: must be at least 1, not 0; config.batch: must be a multiple of the 4",
        ),
        ({"validation.folder": "nowhere"}, "config.validation.folder: nowhere: no such folder"),
        ({"data.source": "prepared", "data.prepared": "nowhere"}, "config.data.prepared: nowhere: no such folder"),
        ({"objective.perceptual_weight": 1.0, "objective.features": "nowhere.pth"}, "nowhere.pth"),
    ],
)
def test_a_bad_config_is_refused_before_an_array_is_made_or_an_image_read(
    folder: pathlib.Path,
    eight_bit: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
    message: str,
) -> None:
    for name in ("training_batches", "validation_images", "Checkpoints"):
        monkeypatch.setattr(f"medsr_jax.training.run.loop.{name}", lambda *_, **__: pytest.fail("the run began"))
    with pytest.raises(MedsrError, match=message):
        train_and_evaluate(configuration(folder, eight_bit, **change), tmp_path)


def test_a_run_starts_from_a_weights_file_of_its_model(
    folder: pathlib.Path, eight_bit: pathlib.Path, tiny_weights: pathlib.Path
) -> None:
    config = configuration(folder, eight_bit, start_from=str(tiny_weights))
    params = build_setup(checked(config)).initial_state().generator.params
    expected = model_file.load(tiny_weights).params
    jax.tree.map(np.testing.assert_array_equal, params, expected)
    config.model.fields.features = 12
    with pytest.raises(MedsrError, match=r"tiny\.safetensors: has compact_rrdbnet .* set config\.model"):
        build_setup(checked(config)).initial_state()


def test_a_checkpoint_of_another_model_is_refused(
    whole_run: Any, folder: pathlib.Path, eight_bit: pathlib.Path
) -> None:
    workdir, _ = whole_run
    fields = {"model.fields.features": 12}
    with pytest.raises(MedsrError, match="does not fit this config"):
        train_and_evaluate(configuration(folder, eight_bit, **fields), workdir)
