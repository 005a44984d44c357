"""What steers a run: rates, plateaus, early stopping, guards and alarms, and the config that it leaves."""

import json
import logging
import math
import runpy

import pytest
from ml_collections import config_dict

from medsr_jax.errors import MedsrError
from medsr_jax.training.config.defaults import defaults
from medsr_jax.training.run import schedules
from medsr_jax.training.run.guards import Alarms, Guard
from medsr_jax.training.run.records import as_module
from medsr_jax.training.run.schedules import ValidationSchedule
from medsr_jax.training.steps.metrics import StepHealth

OFF = {"enabled": False, "factor": 0.5, "patience": 2, "min_delta": 0.01, "min_scale": 0.1}


def test_multistep_falls_at_its_milestones():
    rate = schedules.learning_rate("multistep", peak=1.0, steps=100, warmup=0, milestones=(10, 50), factor=0.5)
    assert [float(rate(step)) for step in (0, 9, 11, 49, 51, 99)] == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]


def test_a_plateau_halves_the_rate_until_the_least():
    schedule = ValidationSchedule(OFF | {"enabled": True}, OFF)
    scales = []
    for psnr in (30.0, 31.0, 31.005, 31.0, 30.0, 30.0, 32.0, 31.0, 31.0, 31.0, 31.0, 31.0, 31.0):
        schedule.validated(psnr)
        scales.append(schedule.rate_scale)
    expected = [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125, 0.1, 0.1, 0.1]
    assert scales == pytest.approx(expected)


def test_early_stopping_waits_for_its_patience():
    schedule = ValidationSchedule(OFF, OFF | {"enabled": True})
    finished = []
    for psnr in (30.0, 31.0, 31.005, 31.5, 31.0, 31.0):
        schedule.validated(psnr)
        finished.append(schedule.finished)
    assert finished == [False, False, False, False, False, True]


def test_a_course_goes_on_from_what_was_saved():
    on = OFF | {"enabled": True}
    whole, first = ValidationSchedule(on, on), ValidationSchedule(on, on)
    values = (30.0, 31.0, 30.0, 30.0, 30.5, 30.0)
    for number, psnr in enumerate(values):
        whole.validated(psnr)
        if number == 2:
            second = ValidationSchedule(on, on)
            second.resume(json.loads(json.dumps(first.saved() if number else whole.saved())))
        (first if number < 2 else second).validated(psnr)
    assert second.saved() == whole.saved()
    fresh = ValidationSchedule(on, on)
    fresh.resume(json.loads(json.dumps(ValidationSchedule(on, on).saved())))
    assert fresh.best == -math.inf


def health(loss, discriminator=0.0, *, finite=False):
    return StepHealth(loss, discriminator, finite)


def test_what_is_not_finite_stops_and_names_step_loss_and_checkpoint(tmp_path):
    guard = Guard("stop", most_skips=2, workdir=tmp_path)
    guard.check(health(0.1, finite=True), step=6, checkpoint=5)
    with pytest.raises(MedsrError, match=r"at step 7 loss nan.* is not finite; .*checkpoint is of step 5"):
        guard.check(health(math.nan), step=7, checkpoint=5)
    with pytest.raises(MedsrError, match=r"loss 0\.1, discriminator's loss inf.*no checkpoint"):
        guard.check(health(0.1, math.inf), step=7, checkpoint=None)


def test_or_is_skipped_with_a_warning_but_not_for_ever(tmp_path, caplog):
    logging.getLogger("medsr_jax").propagate = True
    guard = Guard("skip", most_skips=3, workdir=tmp_path)
    for step, finite in ((6, False), (7, False), (8, True), (9, False), (10, False)):
        guard.check(health(math.nan, finite=finite), step=step, checkpoint=None)
    assert "step 7: loss nan" in caplog.text
    with pytest.raises(MedsrError, match=r"at step 11 .* as in all of the last 3 steps \(config.most_skips\)"):
        guard.check(health(math.nan), step=11, checkpoint=None)


def test_a_score_that_is_no_number_stops(tmp_path):
    guard = Guard("skip", most_skips=3, workdir=tmp_path)
    guard.check_score(31.0, step=4, checkpoint=None)
    with pytest.raises(MedsrError, match="at step 5 the validation's score is not a number; there is no checkpoint"):
        guard.check_score(math.nan, step=5, checkpoint=None)


def test_alarms_come_after_some_logs_and_end_with_their_cause():
    alarms = Alarms(accuracy=0.98, deviation=0.1, patience=2)
    fine = {"accuracy": 0.7, "output_deviation": 0.2, "target_deviation": 0.2}
    assert alarms.check(1, fine | {"accuracy": 0.99}) == []
    (alarm,) = alarms.check(2, fine | {"accuracy": 1.0})
    assert "the discriminator has been right 100.0 %" in alarm
    assert alarms.check(3, fine) == []
    assert alarms.check(4, fine | {"output_deviation": 0.01}) == []
    (alarm,) = alarms.check(5, fine | {"output_deviation": 0.0})
    assert "constant" in alarm


def test_the_config_beside_a_run_gives_the_config_again(tmp_path):
    config = defaults()
    config.steps = 77
    config.data.folders = (("a 'quoted' folder", 0.5), ("b", 0.5))
    (tmp_path / "config.py").write_text(as_module(config))
    again = runpy.run_path(str(tmp_path / "config.py"))["get_config"]()
    assert again.to_dict() == config.to_dict()
    assert isinstance(again.data.folders, tuple)
    again.validation.count = 3
    with pytest.raises(TypeError):
        again.validation.count = "three"
    assert isinstance(again, config_dict.ConfigDict)
