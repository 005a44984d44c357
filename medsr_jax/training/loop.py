"""The run of the first stage: data, step, log, validation, checkpoints, and the weights file at the end."""

from __future__ import annotations

import json
import logging
import math
import pathlib
import time
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax

from medsr_jax import zoo
from medsr_jax.data.pairs import Pairs, PairSettings, batches
from medsr_jax.errors import MedsrError, named
from medsr_jax.models import build
from medsr_jax.training import schedules, state
from medsr_jax.training.checkpoints import Checkpoints
from medsr_jax.training.losses import LOSSES
from medsr_jax.training.restoration_step import make_step
from medsr_jax.training.validation import make_validation

_log = logging.getLogger(__name__)


def train_and_evaluate(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> state.TrainState:
    """Train to ``config.steps`` updates, from the newest checkpoint of ``workdir`` if it has one.

    Writes into ``workdir``: ``config.json``, ``metrics.jsonl`` (a line per log), ``checkpoints/`` and, at each
    validation that is the best so far, ``best.safetensors`` with the averaged weights.

    Returns:
        The final state, of one device.

    Raises:
        MedsrError: the config, the data folder or the checkpoint is wrong; or the loss is not finite.
    """
    devices = jax.local_devices()
    check(config, len(devices))
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        (workdir / "config.json").write_text(config.to_json_best_effort(indent=2) + "\n")
    except OSError as error:
        raise named(workdir, f"cannot be written ({error.strerror}); name another --workdir") from error

    model = build(config.model.name, config.model.fields.to_dict())
    optimizer = make_optimizer(config)
    pairs = make_pairs(config)
    data = batches(pairs, batch=config.batch)
    checkpoints = Checkpoints(workdir / "checkpoints", keep=config.keep_checkpoints)
    if checkpoints.latest_step is None:
        single = initial_state(model, optimizer, config)
    else:
        single, position = checkpoints.restore(jax.eval_shape(lambda: initial_state(model, optimizer, config)))
        data.set_state(position)
        _log.info("goes on from step %d", int(single.step))
    _log.info("%d parameters", sum(leaf.size for leaf in jax.tree.leaves(single.params)))

    validate = make_validation(
        model,
        pathlib.Path(config.validation.folder),
        scale=config.data.pair.scale,
        quality=config.validation.quality,
        side=config.validation.side,
        count=config.validation.count,
    )
    step = make_step(model, optimizer, LOSSES[config.loss], ema_decay=config.ema_decay, devices=devices)
    run = _Run(config, workdir, checkpoints, validate)
    running = state.replicate(single, devices)
    start = int(single.step)
    del single
    try:
        for number in range(start + 1, config.steps + 1):
            batch = jax.device_put(_split(next(data), len(devices)))
            running, metrics = step(running, batch)
            if number % config.log_every == 0:
                run.log(number, metrics)
            if number % config.validate_every == 0 or number == config.steps:
                run.validate(number, state.unreplicate(running.ema_params))
            if number % config.checkpoint_every == 0 or number == config.steps:
                checkpoints.save(number, state.unreplicate(running), data.get_state())
    finally:
        checkpoints.close()
    return state.unreplicate(running)


class _Run:
    """The records of a run: its log, and the best weights so far."""

    def __init__(
        self, config: ml_collections.ConfigDict, workdir: pathlib.Path, checkpoints: Checkpoints, validate: Any
    ) -> None:
        self._config, self._workdir, self._checkpoints, self._validate = config, workdir, checkpoints, validate
        self._path = workdir / "metrics.jsonl"
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        gains = [json.loads(line).get("gain", -math.inf) for line in lines]
        self._best = max(gains, default=-math.inf)
        self._mark: tuple[int, float] | None = None

    def log(self, step: int, metrics: dict[str, jax.Array]) -> None:
        values = {name: float(value[0]) for name, value in metrics.items()}
        now = time.monotonic()
        if self._mark is not None:
            values["seconds_per_step"] = (now - self._mark[1]) / (step - self._mark[0])
        self._mark = (step, now)
        self._write(step, values)
        if not math.isfinite(values["loss"]):
            raise MedsrError(
                f"{self._workdir}: the loss is {values['loss']} at step {step}; the last checkpoint is of step"
                f" {self._checkpoints.latest_step}: lower config.optimizer.learning_rate and start again from it"
            )

    def validate(self, step: int, params: Any) -> None:
        values = self._validate(params)
        self._write(step, values)
        if values["gain"] > self._best:
            self._best = values["gain"]
            zoo.save(
                self._workdir / "best.safetensors",
                model=self._config.model.name,
                fields=self._config.model.fields.to_dict(),
                params=jax.device_get(params),
                card=card(self._config, step, values),
            )
        self._mark = None

    def _write(self, step: int, values: dict[str, float]) -> None:
        rounded = {name: float(f"{value:.5g}") for name, value in values.items()}
        _log.info("step %d %s", step, " ".join(f"{name} {value}" for name, value in rounded.items()))
        with self._path.open("a") as file:
            file.write(json.dumps({"step": step, **rounded}) + "\n")


def check(config: ml_collections.ConfigDict, devices: int) -> None:
    """Refuse a config that cannot run, before anything is loaded or compiled."""
    if config.batch % devices:
        raise MedsrError(f"config.batch: {config.batch} does not divide by the {devices} devices")
    if config.loss not in LOSSES:
        raise MedsrError(f"config.loss: {config.loss!r} is none of {', '.join(LOSSES)}")
    for folder in [*(folder for folder, _ in config.data.folders), config.validation.folder]:
        if not pathlib.Path(folder).is_dir():
            raise MedsrError(f"{folder}: no such folder; set config.data.folders and config.validation.folder")
    make_optimizer(config)


def make_optimizer(config: ml_collections.ConfigDict) -> optax.GradientTransformation:
    """Adam behind a clip of the gradient's global norm."""
    c = config.optimizer
    rate = schedules.learning_rate(c.schedule, peak=c.learning_rate, steps=config.steps, warmup=c.warmup)
    return optax.chain(optax.clip_by_global_norm(c.clip_norm), optax.adam(rate, b1=c.b1, b2=c.b2))


def make_pairs(config: ml_collections.ConfigDict) -> Pairs:
    """The training pairs that the config describes."""
    folders = [(pathlib.Path(folder), share) for folder, share in config.data.folders]
    return Pairs(folders, settings=PairSettings(**config.data.pair.to_dict()), seed=config.seed)


def initial_state(
    model: nn.Module, optimizer: optax.GradientTransformation, config: ml_collections.ConfigDict
) -> state.TrainState:
    """Fresh weights, or those of ``config.start_from``."""
    if config.start_from:
        params = zoo.load(config.start_from).params
    else:
        x = jnp.zeros((1, config.data.pair.patch, config.data.pair.patch, 1))
        # XLA takes a minute to compile the default generator for every parameter on a CPU, and seconds for this one.
        key = jax.random.key(config.seed, impl="rbg")
        params = jax.jit(model.init)(key, x, jnp.zeros((1,)))["params"]
    return state.create(params, optimizer)


def card(config: ml_collections.ConfigDict, step: int, values: dict[str, float]) -> dict[str, str]:
    """What the weights file says of itself: data, licence, degradation, steps, quality measured."""
    pair = config.data.pair
    return {
        **{key: str(value) for key, value in config.card.items()},
        "degradation": (
            f"{pair.kernel} downscaling by {pair.scale}, JPEG q {pair.quality[0]}..{pair.quality[1]}"
            f" (the sender's own code); targets shrunk by up to {pair.zoom}"
        ),
        "steps": f"{step} of {config.batch} patches of {pair.patch}x{pair.patch}, loss {config.loss}",
        "validation": (
            f"PSNR {values['psnr']:.2f} dB, bicubic {values['psnr_bicubic']:.2f} dB at q {config.validation.quality}"
        ),
    }


def _split(batch: dict[str, np.ndarray], devices: int) -> dict[str, np.ndarray]:
    """Give every array a leading device axis."""
    return {name: value.reshape(devices, -1, *value.shape[1:]) for name, value in batch.items()}
