"""A run of either stage: data, steps, log, validation, checkpoints, and weights files."""

from __future__ import annotations

import dataclasses
import functools
import logging
import pathlib
import time
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from medsr_jax.data.validation import validation_images
from medsr_jax.evaluation.lpips import load_lpips, lpips
from medsr_jax.files import make_folder
from medsr_jax.training.config.checking import checked
from medsr_jax.training.config.schema import Config
from medsr_jax.training.data.feed import Feed
from medsr_jax.training.data.inputs import describe_source, training_batches
from medsr_jax.training.run.checkpoints import Checkpoints
from medsr_jax.training.run.distributed import from_first_process
from medsr_jax.training.run.guards import CollapseDetector, Guard
from medsr_jax.training.run.lock import locked
from medsr_jax.training.run.records import Records
from medsr_jax.training.run.schedules import ValidationSchedule
from medsr_jax.training.run.setup import Setup, build_setup
from medsr_jax.training.run.validation import degraded_cases, link_cases, make_validation, packet_cases
from medsr_jax.training.steps import state
from medsr_jax.training.steps.metrics import StepHealth, computed, totals_for

_log = logging.getLogger(__name__)


def train_and_evaluate(config: ConfigDict, workdir: pathlib.Path) -> state.TrainState:
    """Train to ``config.steps`` batches, from the newest checkpoint of ``workdir`` if it has one.

    Writes into ``workdir``: ``config.json`` and ``config.py``, ``metrics.jsonl`` (a line per log),
    ``tensorboard/``, ``checkpoints/`` and, at each validation that is the best so far, ``best.safetensors`` with the
    averaged weights; at the end ``last.safetensors`` has the last. Each of several processes calls this.

    Returns:
        The final state of one device, NumPy arrays.

    Raises:
        ConfigError: the config is invalid; before any array is made.
        MedsrError: an image or a checkpoint can't be used; or the run stops at a loss that is not finite.
    """
    valid = checked(config, files=True)
    make_folder(workdir)
    with locked(workdir):
        return _run(valid, workdir)


def _run(config: Config, workdir: pathlib.Path) -> state.TrainState:
    setup = build_setup(config)
    schedule = ValidationSchedule(config.plateau, config.early_stopping)
    checkpoints = Checkpoints(workdir / "checkpoints", keep_checkpoints=config.keep_checkpoints)
    try:
        # Before the images are read, which takes minutes for many.
        position = None
        if checkpoints.latest_step is None:
            single = jax.device_get(setup.initial_state())
        else:
            single, position, saved = checkpoints.restore(setup.state_shapes())
            schedule.resume(saved)
        start = int(single.step)
        batches = training_batches(
            config,
            scale=setup.scale,
            channels=setup.channels,
            shard_index=jax.process_index(),
            shard_count=jax.process_count(),
        )
        if position is not None:
            batches.set_state(position)
        validate = _validation(setup)
        records = Records(workdir, config, start=start)
        guard = Guard(config.on_not_finite, config.most_skips, workdir)
        run = _Run(setup, workdir, checkpoints, records, schedule, validate, guard)
        try:
            records.describe(_networks(single))
            if config.card.note:
                _log.info("%s", config.card.note)
            if start:
                _log.info("resumes from step %d of %d", start, config.steps)
            _log.info(
                "%d device(s) of %d process(es), %d samples a step",
                len(setup.devices),
                jax.process_count(),
                config.batch,
            )
            return run.train(single, Feed(batches, setup.devices), start=start)
        finally:
            records.close()
    finally:
        checkpoints.close()


@dataclasses.dataclass
class _Run:
    """A run and its records."""

    setup: Setup
    workdir: pathlib.Path
    checkpoints: Checkpoints
    records: Records
    schedule: ValidationSchedule
    validate: Any
    guard: Guard

    def train(self, single: state.TrainState, feed: Feed, *, start: int) -> state.TrainState:
        """From step ``start`` to the last, or until early stopping."""
        config, devices = self.setup.config, self.setup.devices
        step = self.setup.step()
        running = state.replicate(single, devices)
        del single
        nothing = totals_for(self.setup.objective).empty()
        totals = state.replicate(nothing, devices)
        collapse = CollapseDetector(config.alarms)
        actions = self._actions(start)
        health: StepHealth | None = None
        timer = StepTimer(start, feed)
        for number in range(start + 1, config.steps + 1):
            if self.schedule.finished:
                break
            batch = next(feed)
            first = number == start + 1
            if first:
                _log.info("compiling the training step")
                began = time.monotonic()
            with jax.transfer_guard("disallow"):
                running, totals, new_health = step(running, totals, batch)
            if first:
                # The call returns when the program is compiled and started.
                _log.info("compiled in %.0f s", time.monotonic() - began)
            # The previous step is checked while this one runs.
            self._check(health, number - 1)
            health = new_health
            for action in actions:
                action(number)
            last = number == config.steps
            if number % config.log_every == 0:
                values = computed(state.unreplicate(totals))
                values |= timer.elapsed(number, feed) | {"rate_scale": self.schedule.rate_scale}
                timer = StepTimer(number, feed)
                self.records.write(number, values)
                collapse.check(number, values)
                totals = state.replicate(nothing, devices)
            score, best = None, False
            if number % config.validate_every == 0 or last:
                score, best = self._validated(number, running, last=last)
                running = dataclasses.replace(
                    running, rate_scale=state.replicate(np.float32(self.schedule.rate_scale), devices)
                )
                timer = StepTimer(number, feed)
            if number % config.checkpoint_every == 0 or best or last or self.schedule.finished:
                self._check(health, number)
                saved = state.unreplicate(running)
                self.checkpoints.save(number, saved, data=feed.position, schedule=self.schedule.saved(), score=score)
        if self.schedule.finished:
            _log.info("validation has not improved for too long (config.early_stopping); the run ends here")
        result: state.TrainState = state.unreplicate(running)
        return result

    def _check(self, health: StepHealth | None, step: int) -> None:
        if health is not None:
            self.guard.check(state.unreplicate(health), step=step, checkpoint=self.checkpoints.latest_step)

    def _validated(self, step: int, running: state.TrainState, *, last: bool) -> tuple[float, bool]:
        """The score, and whether it is the best so far."""
        params = state.unreplicate(running.ema_params)
        values, strips = self.validate(params)
        self.records.write(step, values, strips=strips)
        # Decisions must be the same in all processes, and another kind of host may round differently.
        score = from_first_process(
            -values["lpips"] if self.setup.config.validation.best_by == "lpips" else values["psnr"]
        )
        self.guard.check_score(score, step=step, checkpoint=self.checkpoints.latest_step)
        best = self.schedule.validated(score)
        if best:
            self.records.keep("best", step, params, values, degradation=describe_source(self.setup.config))
        if last or self.schedule.finished:
            self.records.keep("last", step, params, values, degradation=describe_source(self.setup.config))
        return score, best

    def _actions(self, start: int) -> list[Any]:
        """clu's periodic actions, which need TensorFlow, as the event writer does."""
        if self.records.events is None:
            return []
        from clu import periodic_actions

        config = self.setup.config
        actions: list[Any] = [
            periodic_actions.ReportProgress(num_train_steps=config.steps, writer=self.records.events, every_secs=60.0)
        ]
        if config.profile:
            first = start + 10
            actions.append(
                periodic_actions.Profile(
                    logdir=str(self.workdir),
                    num_profile_steps=5,
                    profile_duration_ms=None,
                    first_profile=first,
                    every_steps=None,
                    every_secs=None,
                )
            )
        return actions


class StepTimer:
    """Measures time from a step of the run."""

    def __init__(self, step: int, feed: Feed) -> None:
        self._step, self._time, self._waited = step, time.monotonic(), feed.waited

    def elapsed(self, step: int, feed: Feed) -> dict[str, float]:
        """Seconds per step since then, and the share of them spent on data."""
        seconds = time.monotonic() - self._time
        return {
            "seconds_per_step": seconds / max(step - self._step, 1),
            "data_share": (feed.waited - self._waited) / max(seconds, 1e-9),
        }


def _validation(setup: Setup) -> Any:
    v = setup.config.validation
    truths = list(validation_images(v.folder, side=v.side, count=v.count, split=v.split))
    if setup.config.data.source == "link":
        cases = link_cases(truths, setup.config.data.link)
    elif v.inputs == "packets":
        cases = packet_cases(truths, scale=setup.scale, quality=v.quality)
    else:
        assert setup.degradation is not None
        cases = degraded_cases(truths, setup.degradation)
    return make_validation(
        setup.model,
        cases,
        channels=setup.channels,
        distance=functools.partial(lpips, weights=load_lpips()) if v.lpips else None,
        pictures=v.pictures,
    )


def _networks(single: state.TrainState) -> dict[str, Any]:
    networks = {"generator": single.generator.params}
    return networks if single.discriminator is None else networks | {"discriminator": single.discriminator.params}
