"""Learning rates, plateaus, early stopping, guards, and the detection of collapse."""

import json
import logging
import math
import pathlib

import jax.numpy as jnp
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.training.config.schema import CollapseAlarms, EarlyStopping, Optimizer, Plateau
from medsr_jax.training.run.guards import CollapseDetector, Guard
from medsr_jax.training.run.schedules import ValidationSchedule, schedule
from medsr_jax.training.steps.metrics import StepHealth

PLATEAU = Plateau(enabled=True, factor=0.5, patience=2, min_delta=0.01, min_scale=0.1)
STOPPING = EarlyStopping(enabled=True, patience=2, min_delta=0.01)


def test_multistep_falls_at_its_milestones() -> None:
    rate = schedule(Optimizer(schedule="multistep", milestones=(10, 50), factor=0.5), 1.0, steps=100)
    assert [float(rate(step)) for step in (0, 9, 11, 49, 51, 99)] == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]


def test_a_plateau_halves_the_rate_until_the_least() -> None:
    decisions = ValidationSchedule(PLATEAU, EarlyStopping())
    scales = []
    for psnr in (30.0, 31.0, 31.005, 31.0, 30.0, 30.0, 32.0, 31.0, 31.0, 31.0, 31.0, 31.0, 31.0):
        decisions.validated(psnr)
        scales.append(decisions.rate_scale)
    expected = [1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125, 0.1, 0.1, 0.1]
    assert scales == pytest.approx(expected)


def test_early_stopping_waits_for_its_patience() -> None:
    decisions = ValidationSchedule(Plateau(), STOPPING)
    finished = []
    for psnr in (30.0, 31.0, 31.005, 31.5, 31.0, 31.0):
        decisions.validated(psnr)
        finished.append(decisions.finished)
    assert finished == [False, False, False, False, False, True]


def test_a_validation_schedule_resumes_from_its_saved_state() -> None:
    whole, first = (ValidationSchedule(PLATEAU, STOPPING) for _ in range(2))
    values = (30.0, 31.0, 30.0, 30.0, 30.5, 30.0)
    for number, psnr in enumerate(values):
        whole.validated(psnr)
        if number == 2:
            second = ValidationSchedule(PLATEAU, STOPPING)
            second.resume(json.loads(json.dumps(first.saved() if number else whole.saved())))
        (first if number < 2 else second).validated(psnr)
    assert second.saved() == whole.saved()
    fresh = ValidationSchedule(PLATEAU, STOPPING)
    fresh.resume(json.loads(json.dumps(ValidationSchedule(PLATEAU, STOPPING).saved())))
    assert fresh.best == -math.inf


def health(loss: float, discriminator: float = 0.0, *, finite: bool = False) -> StepHealth:
    return StepHealth(*(jnp.asarray(value) for value in (loss, discriminator, finite)))


def test_a_step_that_is_not_finite_stops_with_step_loss_and_checkpoint(tmp_path: pathlib.Path) -> None:
    guard = Guard("stop", most_skips=2, workdir=tmp_path)
    guard.check(health(0.1, finite=True), step=6, checkpoint=5)
    with pytest.raises(MedsrError, match=r"at step 7 loss nan.* is not finite; .*checkpoint is of step 5"):
        guard.check(health(math.nan), step=7, checkpoint=5)
    with pytest.raises(MedsrError, match=r"loss 0\.1, discriminator's loss inf.*no checkpoint"):
        guard.check(health(0.1, math.inf), step=7, checkpoint=None)


def test_a_step_that_is_not_finite_is_skipped_with_a_warning_up_to_a_limit(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("medsr_jax").propagate = True
    guard = Guard("skip", most_skips=3, workdir=tmp_path)
    for step, finite in ((6, False), (7, False), (8, True), (9, False), (10, False)):
        guard.check(health(math.nan, finite=finite), step=step, checkpoint=None)
    assert "step 7: loss nan" in caplog.text
    with pytest.raises(MedsrError, match=r"at step 11 .* as in each of the last 3 steps \(config.most_skips\)"):
        guard.check(health(math.nan), step=11, checkpoint=None)


def test_a_score_of_nan_stops(tmp_path: pathlib.Path) -> None:
    guard = Guard("skip", most_skips=3, workdir=tmp_path)
    guard.check_score(31.0, step=4, checkpoint=None)
    with pytest.raises(MedsrError, match="at step 5 the validation's score is not a number; there is no checkpoint"):
        guard.check_score(math.nan, step=5, checkpoint=None)


def test_collapse_is_reported_after_some_log_intervals_and_no_longer_than_it_lasts() -> None:
    collapse = CollapseDetector(CollapseAlarms(accuracy=0.98, deviation=0.1, patience=2))
    fine = {"accuracy": 0.7, "output_deviation": 0.2, "target_deviation": 0.2}
    assert collapse.check(1, fine | {"accuracy": 0.99}) == []
    (alarm,) = collapse.check(2, fine | {"accuracy": 1.0})
    assert "the discriminator has been right 100.0 %" in alarm
    assert collapse.check(3, fine) == []
    assert collapse.check(4, fine | {"output_deviation": 0.01}) == []
    (alarm,) = collapse.check(5, fine | {"output_deviation": 0.0})
    assert "constant" in alarm
