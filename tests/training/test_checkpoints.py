"""Checkpoints, logs and weights in the folder of a run."""

import json
import logging
import math
import pathlib
import runpy
import shutil
import sys
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from medsr_jax.errors import MedsrError
from medsr_jax.training.config.checking import checked
from medsr_jax.training.run.checkpoints import Checkpoints
from medsr_jax.training.run.loop import train_and_evaluate
from medsr_jax.training.run.records import Records
from medsr_jax.training.steps.state import TrainState
from tests.conftest import TINY

CONFIG = pathlib.Path(__file__).parents[2] / "configs" / "xray_x4.py"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory, radiograph: np.ndarray) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("images")
    Image.fromarray(np.tile(radiograph, (2, 2))).save(folder / "a.png")
    return folder


def configuration(images: pathlib.Path, **changes: object) -> ConfigDict:
    config = runpy.run_path(str(CONFIG))["get_config"]("tiny")
    config.data.folders = ((str(images), 1.0),)
    config.validation.folder = str(images)
    config.validation.side = 64
    config.model.fields = TINY
    config.steps, config.log_every, config.validate_every, config.checkpoint_every = 6, 2, 3, 2
    config.update_from_flattened_dict(changes)
    return config


@pytest.fixture(scope="module")
def finished(images: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, TrainState]:
    workdir = tmp_path_factory.mktemp("finished")
    return workdir, train_and_evaluate(configuration(images), workdir)


@pytest.fixture
def workdir(finished: Any, tmp_path: pathlib.Path) -> pathlib.Path:
    return pathlib.Path(shutil.copytree(finished[0], tmp_path / "run"))


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    logging.getLogger("medsr_jax").propagate = True
    caplog.set_level(logging.INFO, "medsr_jax")
    return caplog


def steps(workdir: pathlib.Path) -> list[int]:
    return sorted(int(folder.name) for folder in (workdir / "checkpoints").glob("[0-9]*"))


def test_the_best_is_saved_between_two_checkpoints_too(
    images: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter((30.0, 31.0, 29.0, 28.0))
    monkeypatch.setattr(
        "medsr_jax.training.run.loop.make_validation", lambda *_, **__: lambda _: (next_of(scores), None)
    )
    train_and_evaluate(
        configuration(images, validate_every=1, steps=4, keep_checkpoints=1, checkpoint_every=4), tmp_path
    )
    assert steps(tmp_path) == [2, 4]


def next_of(scores: Any) -> dict[str, float]:
    return {"psnr": next(scores), "psnr_bicubic": 30.0}


def every_file(folder: pathlib.Path) -> list[pathlib.Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def cut(folder: pathlib.Path) -> None:
    for path in every_file(folder / "state"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def overwritten(folder: pathlib.Path) -> None:
    for path in every_file(folder):
        path.write_bytes(bytes(path.stat().st_size))


def without_state(folder: pathlib.Path) -> None:
    shutil.rmtree(folder / "state")


def without_position(folder: pathlib.Path) -> None:
    for path in every_file(folder / "data"):
        path.unlink()


@pytest.mark.parametrize("damage", [cut, overwritten, without_state, without_position])
def test_a_damaged_checkpoint_is_replaced_by_the_one_before(
    finished: Any,
    images: pathlib.Path,
    workdir: pathlib.Path,
    lines: pytest.LogCaptureFixture,
    damage: Callable[[pathlib.Path], None],
) -> None:
    damage(workdir / "checkpoints" / "6")
    again = train_and_evaluate(configuration(images), workdir)
    assert "6: the checkpoint is damaged; it is removed" in lines.text
    assert "resumes from step 4 of 6" in lines.text
    for name, leaf in flat(finished[1]).items():
        np.testing.assert_array_equal(flat(again)[name], leaf)
    lines.clear()
    train_and_evaluate(configuration(images), workdir)
    assert "resumes from step 6 of 6" in lines.text


def flat(state: Any) -> dict[str, np.ndarray]:

    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(state)}


def test_nothing_is_removed_if_no_checkpoint_can_be_read(images: pathlib.Path, workdir: pathlib.Path) -> None:
    before = steps(workdir)
    for folder in (workdir / "checkpoints").glob("[0-9]*"):
        overwritten(folder)
    with pytest.raises(MedsrError, match="checkpoints: no checkpoint can be read"):
        train_and_evaluate(configuration(images), workdir)
    assert steps(workdir) == before


def test_a_run_resumes_without_its_initial_weights(
    images: pathlib.Path, tmp_path: pathlib.Path, tiny_weights: pathlib.Path
) -> None:
    start = shutil.copy(tiny_weights, tmp_path / "start.safetensors")
    workdir = tmp_path / "run"
    train_and_evaluate(configuration(images, start_from=str(start), steps=2), workdir)
    pathlib.Path(start).unlink()
    assert int(train_and_evaluate(configuration(images, start_from=str(start), steps=4), workdir).step) == 4


def test_missing_initial_weights_are_reported_before_images_are_read(
    images: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "medsr_jax.training.run.loop.training_batches", lambda *_, **__: pytest.fail("images were read")
    )
    with pytest.raises(MedsrError, match=r"absent\.safetensors"):
        train_and_evaluate(configuration(images, start_from=str(tmp_path / "absent.safetensors")), tmp_path)


def test_changes_of_a_config_are_logged_and_the_former_is_kept(
    images: pathlib.Path, workdir: pathlib.Path, lines: pytest.LogCaptureFixture
) -> None:
    former = (workdir / "config.json").read_text()
    train_and_evaluate(configuration(images, steps=8, **{"optimizer.learning_rate": 5e-5}), workdir)
    assert "config.optimizer.learning_rate: now 5e-05, before" in lines.text
    assert "config.steps: now 8, before 6" in lines.text
    assert (workdir / "config.until-6.json").read_text() == former
    assert json.loads((workdir / "config.json").read_text())["steps"] == 8


def test_nan_and_infinity_are_null_in_the_log(images: pathlib.Path, tmp_path: pathlib.Path) -> None:
    records = Records(tmp_path, checked(configuration(images)), start=0)
    records.write(1, {"loss": math.nan, "psnr": math.inf, "gain": 0.5})
    records.close()
    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == {"step": 1, "loss": None, "psnr": None, "gain": 0.5}


def test_a_run_without_tensorflow_warns_and_keeps_its_log(
    images: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with caplog.at_level(logging.WARNING):
        records = Records(tmp_path, checked(configuration(images)), start=0)
    assert "no TensorBoard: tensorflow is not installed" in caplog.text
    records.write(1, {"loss": 0.5}, strips=np.zeros((1, 8, 32, 1), np.uint8))
    records.close()
    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == {"step": 1, "loss": 0.5}
    assert not (tmp_path / "tensorboard").exists()


def test_a_validation_score_of_nan_stops_the_run(
    images: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(*_: object, **__: object) -> Any:
        return lambda _: ({"psnr": math.nan, "psnr_bicubic": 30.0}, None)

    monkeypatch.setattr("medsr_jax.training.run.loop.make_validation", spoilt)
    with pytest.raises(MedsrError, match="at step 3 the validation's score is not a number"):
        train_and_evaluate(configuration(images), tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))
    assert steps(tmp_path) == [2]


def test_the_best_checkpoint_is_kept_after_a_resume(tmp_path: pathlib.Path) -> None:
    for scores in ({1: 5.0, 2: 7.0, 3: None}, {4: 6.0, 5: None}):
        checkpoints = Checkpoints(tmp_path / "checkpoints", keep_checkpoints=1)
        for step, score in scores.items():
            checkpoints.save(step, {"a": np.zeros(2)}, data={}, schedule={}, score=score)
        checkpoints.close()
    assert steps(tmp_path) == [2, 5]


def test_tensorboard_charts_are_grouped(images: pathlib.Path, tmp_path: pathlib.Path) -> None:
    tf = pytest.importorskip("tensorflow")
    records = Records(tmp_path, checked(configuration(images)), start=0)
    records.write(1, {"loss": 0.5, "seconds_per_step": 2.0, "accuracy": 0.7, "gradient_norm": 1.0})
    records.write(1, {"psnr": 30.0, "gain": 0.5}, strips=np.zeros((1, 8, 32, 1), np.float32))
    records.close()
    (events,) = (tmp_path / "tensorboard").iterdir()
    found = {value.tag for event in tf.compat.v1.train.summary_iterator(str(events)) for value in event.summary.value}
    expected = {"train/loss", "speed/seconds_per_step", "discriminator/accuracy", "norms/gradient_norm"}
    expected |= {"validation/psnr", "validation/gain"}
    assert expected <= found
    assert any(tag.startswith("validation/lr_bicubic_sr_hr") for tag in found)
