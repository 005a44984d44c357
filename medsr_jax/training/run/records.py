"""The files of a run other than checkpoints: config, log, TensorBoard events, best weights."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import os
import pathlib
import pprint
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from clu import parameter_overview

from medsr_jax.errors import MedsrError
from medsr_jax.files import atomic_write
from medsr_jax.training.config.schema import Config
from medsr_jax.training.data.inputs import scales_in_words
from medsr_jax.weights import model_file

_log = logging.getLogger(__name__)

_GROUPS = {
    "validation": ("psnr", "psnr_bicubic", "gain", "worst_gain", "lpips", "lpips_bicubic"),
    "discriminator": (
        "discriminator", "accuracy", "real_logits", "fake_logits",
        "discriminator_gradient_norm", "discriminator_update_norm",
    ),
    "norms": ("gradient_norm", "update_norm", "parameter_norm"),
    "output": ("output_deviation", "target_deviation"),
    "speed": ("seconds_per_step", "data_share"),
}  # fmt: skip


class Records:
    """The log of a run, which only the first of several processes writes.

    Args:
        workdir: the run's folder.
        config: saved as ``config.json`` and, to repeat the run, ``config.py``.
        start: step that the run resumes from; later lines of the log are dropped.

    Raises:
        MedsrError: the folder can't be written.
    """

    def __init__(self, workdir: pathlib.Path, config: Config, *, start: int) -> None:
        self._workdir, self._config = workdir, config
        self._writes = jax.process_index() == 0
        self._path = workdir / "metrics.jsonl"
        self._events: Any = None
        if not self._writes:
            return
        try:
            self._save_config(start)
            _drop_later_lines(self._path, start)
        except OSError as error:
            raise MedsrError(
                f"cannot be written ({error.strerror})", path=workdir, remedy="choose another folder"
            ) from error
        self._events = event_writer(workdir / "tensorboard")

    def _save_config(self, start: int) -> None:
        """Write the config; if a resumed run has another, log what changed and keep the former."""
        path, text = self._workdir / "config.json", json.dumps(dataclasses.asdict(self._config), indent=2) + "\n"
        if start and path.is_file() and (former := path.read_text()) != text:
            kept = self._workdir / f"config.until-{start}.json"
            for change in changes(json.loads(former), json.loads(text)):
                _log.warning("%s; the former config is now %s", change, kept.name)
            atomic_write(kept, former.encode())
        atomic_write(path, text.encode())
        atomic_write(self._workdir / "config.py", as_module(self._config).encode())

    def describe(self, networks: Mapping[str, Any]) -> None:
        """Log the sizes of the networks, and write ``parameters.txt`` with all their arrays."""
        if not self._writes:
            return
        tables = []
        for name, params in networks.items():
            _log.info("%s: %s parameters", name, f"{parameter_overview.count_parameters(params):,}")
            table = parameter_overview.get_parameter_overview(params, include_stats=False)
            tables.append(f"{name}\n{table}\n")
        atomic_write(self._workdir / "parameters.txt", "\n".join(tables).encode())

    def write(self, step: int, values: Mapping[str, float], *, strips: np.ndarray | None = None) -> None:
        """Write values to the log, the terminal and TensorBoard.

        Args:
            step: of the run.
            values: by name.
            strips: (k, H, W, 1) in [0, 1], pictures of a validation, for TensorBoard.
        """
        if not self._writes:
            return
        # JSON has no NaN and no infinity.
        rounded = {name: float(f"{value:.5g}") if math.isfinite(value) else None for name, value in values.items()}
        _log.info("step %d %s", step, " ".join(f"{name} {value}" for name, value in rounded.items()))
        try:
            with self._path.open("a") as file:
                file.write(json.dumps({"step": step, **rounded}, allow_nan=False) + "\n")
        except OSError as error:
            problem = f"can't be written ({error.strerror}); the same command resumes from the last checkpoint"
            raise MedsrError(problem, path=self._path) from error
        if self._events is None:
            return
        self._events.write_scalars(step, {tag(name): value for name, value in values.items()})
        if strips is not None and len(strips):
            self._events.write_images(step, {"validation/lr_bicubic_sr_hr": strips})

    def keep(self, name: str, step: int, params: Any, values: Mapping[str, float], *, degradation: str) -> None:
        """Write ``NAME.safetensors``, with its card."""
        if not self._writes:
            return
        model_file.save(
            self._workdir / f"{name}.safetensors",
            model=self._config.model.name,
            fields=dict(self._config.model.fields),
            params=params,
            card=card(self._config, step, values, degradation=degradation),
        )

    @property
    def events(self) -> Any:
        """The writer of TensorBoard's events; None in all processes but the first, and without TensorFlow."""
        return self._events

    def close(self) -> None:
        """Wait until all is written."""
        if self._events is not None:
            self._events.close()


def _drop_later_lines(path: pathlib.Path, start: int) -> None:
    """Keep the lines of a log up to a step, and move damaged ones to a file beside it, with a warning."""
    if not path.exists():
        atomic_write(path, b"")
        return
    kept, damaged = [], []
    for line in path.read_bytes().splitlines(keepends=True):
        step = _step_of(line)
        if step is None:
            damaged.append(line if line.endswith(b"\n") else line + b"\n")
        elif step <= start:
            kept.append(line)
    if damaged:
        damaged_path = path.with_name(f"{path.name}.damaged")
        with damaged_path.open("ab") as file:
            file.writelines(damaged)
        _log.warning("%s: %d damaged line(s) were moved to %s", path, len(damaged), damaged_path.name)
    atomic_write(path, b"".join(kept))


def _step_of(line: bytes) -> int | None:
    """The step of a complete line of the log; None for any other."""
    try:
        step = json.loads(line)["step"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return step if isinstance(step, int) and not isinstance(step, bool) and line.endswith(b"\n") else None


def event_writer(folder: pathlib.Path) -> Any:
    """clu's asynchronous writer for TensorBoard; None, with a warning, without TensorFlow."""
    # TensorFlow would log to stderr and take the GPU's memory.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import tensorflow as tf
        from clu import metric_writers
    except ModuleNotFoundError as error:
        # The run itself does not need it.
        _log.warning(
            "no TensorBoard: %s is not installed; the metrics are in metrics.jsonl, without pictures", error.name
        )
        return None

    tf.config.set_visible_devices([], "GPU")
    return metric_writers.AsyncMultiWriter([metric_writers.SummaryWriter(str(folder))])


def tag(name: str) -> str:
    """A value's tag in TensorBoard: its group and its name."""
    return next((f"{group}/{name}" for group, names in _GROUPS.items() if name in names), f"train/{name}")


def card(config: Config, step: int, values: Mapping[str, float], *, degradation: str) -> dict[str, str]:
    """The card of a weights file: data, licence, degradation, steps, measured quality."""
    c = config.objective
    terms = [f"{c.pixel_weight:g} {c.pixel}"]
    if c.perceptual_weight:
        terms.append(f"{c.perceptual_weight:g} perceptual")
    if c.adversarial_weight:
        terms.append(f"{c.adversarial_weight:g} {c.adversarial} GAN")
    measured = f"PSNR {values['psnr']:.2f} dB, bicubic {values['psnr_bicubic']:.2f} dB"
    if "lpips" in values:
        measured += f", LPIPS {values['lpips']:.4f}, bicubic {values['lpips_bicubic']:.4f}"
    where = "at q " + str(config.validation.quality) if config.validation.inputs == "packets" else "as degraded"
    if config.data.source == "link":
        where = f"as AVIF, the mean of {scales_in_words(config.data.link.scales)}"
    started = {"started from": config.start_from} if config.start_from else {}
    return {
        **{key: str(value) for key, value in dataclasses.asdict(config.card).items() if value},
        **{key: pathlib.Path(value).name for key, value in started.items()},
        "degradation": degradation,
        "steps": f"{step} batches of {config.batch}, loss {' + '.join(terms)}",
        "validation": f"{measured} {where}",
        model_file.GAIN: f"{values['psnr'] - values['psnr_bicubic']:+.2f} dB",
    }


def changes(former: Mapping[str, Any], now: Mapping[str, Any], group: str = "config") -> list[str]:
    """A line for each field in which two configs differ."""
    lines = []
    for name in sorted(former.keys() | now.keys()):
        field, before, after = f"{group}.{name}", former.get(name), now.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            lines += changes(before, after, field)
        elif before != after:
            lines.append(f"{field}: now {after!r}, before {before!r}")
    return lines


def as_module(config: Config) -> str:
    """A config file of the same config."""
    return (
        '"""The config of the run in this folder; repeat it with --config=THIS_FILE and another --workdir."""\n\n'
        "from medsr_jax.training.config.schema import config_dict\n\n\n"
        "def get_config(variant: str = ''):\n    del variant\n"
        f"    return config_dict({pprint.pformat(dataclasses.asdict(config), width=110, sort_dicts=False)})\n"
    )
