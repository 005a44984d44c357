"""What a run leaves in its folder beside checkpoints: config, log, TensorBoard events, best weights."""

from __future__ import annotations

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
from ml_collections import ConfigDict, FieldReference

from medsr_jax.errors import MedsrError
from medsr_jax.files import atomic_write
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
    """The log of a run; of several processes the first alone writes.

    Args:
        workdir: the run's folder.
        config: saved beside the run as ``config.json`` and, to be run again, ``config.py``.
        start: step that the run goes on from: later lines of an earlier try are dropped.

    Raises:
        MedsrError: the folder can't be written.
    """

    def __init__(self, workdir: pathlib.Path, config: ConfigDict, *, start: int) -> None:
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
                f"cannot be written ({error.strerror})", path=workdir, remedy="choose another workdir"
            ) from error
        self._events = event_writer(workdir / "tensorboard")

    def _save_config(self, start: int) -> None:
        """Write the config; where the run goes on under another, say what changed and keep the former."""
        path, text = self._workdir / "config.json", self._config.to_json_best_effort(indent=2) + "\n"
        if start and path.is_file() and (former := path.read_text()) != text:
            kept = self._workdir / f"config.until-{start}.json"
            for change in changes(json.loads(former), json.loads(text)):
                _log.warning("%s; the former config is kept in %s", change, kept.name)
            atomic_write(kept, former.encode())
        atomic_write(path, text.encode())
        atomic_write(self._workdir / "config.py", as_module(self._config).encode())

    def describe(self, networks: Mapping[str, Any]) -> None:
        """Say how large the networks are, and write ``parameters.txt`` with every array of theirs."""
        if not self._writes:
            return
        tables = []
        for name, params in networks.items():
            _log.info("%s: %s parameters", name, f"{parameter_overview.count_parameters(params):,}")
            table = parameter_overview.get_parameter_overview(params, include_stats=False)
            tables.append(f"{name}\n{table}\n")
        atomic_write(self._workdir / "parameters.txt", "\n".join(tables).encode())

    def write(self, step: int, values: Mapping[str, float], *, strips: np.ndarray | None = None) -> None:
        """A line of the log, on the terminal and for TensorBoard, with pictures if there are any.

        Args:
            step: of the run.
            values: by name.
            strips: (k, H, W, 1) in [0, 1], pictures of a validation.
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
            problem = f"can't be written ({error.strerror}); the same command goes on from the last checkpoint"
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
            fields=self._config.model.fields.to_dict(),
            params=params,
            card=card(self._config, step, values, degradation=degradation),
        )

    @property
    def events(self) -> Any:
        """The writer of TensorBoard's events; None in all processes but the first, and without TensorFlow."""
        return self._events

    def close(self) -> None:
        """Until all is written."""
        if self._events is not None:
            self._events.close()


def _drop_later_lines(path: pathlib.Path, start: int) -> None:
    """Keep the lines of a log up to a step; damaged ones go to a file beside it, with a note."""
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
        aside = path.with_name(f"{path.name}.damaged")
        with aside.open("ab") as file:
            file.writelines(damaged)
        _log.warning("%s: %d damaged line(s) were moved to %s", path, len(damaged), aside.name)
    atomic_write(path, b"".join(kept))


def _step_of(line: bytes) -> int | None:
    """The step of a whole line of the log; None for any other."""
    try:
        step = json.loads(line)["step"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return step if isinstance(step, int) and not isinstance(step, bool) and line.endswith(b"\n") else None


def event_writer(folder: pathlib.Path) -> Any:
    """clu's writer for TensorBoard, which runs behind the loop; None, with a warning, where TensorFlow is missing."""
    # It needs TensorFlow, which would log its life on stderr and take the GPU's memory.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        import tensorflow as tf
        from clu import metric_writers
    except ModuleNotFoundError as error:
        # Machines lent for training have JAX and often nothing else of this size; the run itself needs none of it.
        _log.warning("no TensorBoard: %s is not installed; metrics.jsonl has the numbers, no pictures", error.name)
        return None

    tf.config.set_visible_devices([], "GPU")
    return metric_writers.AsyncMultiWriter([metric_writers.SummaryWriter(str(folder))])


def tag(name: str) -> str:
    """What TensorBoard calls a value: its group, by which charts are folded, and its name."""
    return next((f"{group}/{name}" for group, names in _GROUPS.items() if name in names), f"train/{name}")


def card(config: ConfigDict, step: int, values: Mapping[str, float], *, degradation: str) -> dict[str, str]:
    """What the weights file says of itself: data, licence, degradation, steps, quality measured."""
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
    started = {"started from": config.start_from} if config.start_from else {}
    return {
        **{key: str(value) for key, value in config.card.items() if value},
        **{key: pathlib.Path(value).name for key, value in started.items()},
        "degradation": degradation,
        "steps": f"{step} batches of {config.batch}, loss {' + '.join(terms)}",
        "validation": f"{measured} {where}",
        model_file.GAIN: f"{values['psnr'] - values['psnr_bicubic']:+.2f} dB",
    }


def changes(former: Mapping[str, Any], now: Mapping[str, Any], group: str = "config") -> list[str]:
    """Lines on the fields in which two configs differ."""
    lines = []
    for name in sorted(former.keys() | now.keys()):
        field, before, after = f"{group}.{name}", former.get(name), now.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            lines += changes(before, after, field)
        elif before != after:
            lines.append(f"{field}: {after!r}, up to here it was {before!r}")
    return lines


def as_module(config: ConfigDict) -> str:
    """A config file that gives the config again, with the types of unset fields."""
    body = pprint.pformat(_plain(config), width=110, sort_dicts=True)
    return (
        '"""The config of the run in this folder; run it again with --config=THIS_FILE and another --workdir."""\n\n'
        "from ml_collections import ConfigDict\n"
        "from ml_collections.config_dict import placeholder\n\n\n"
        f"def get_config(variant: str = ''):\n    del variant\n    return ConfigDict({body})\n"
    )


class _Unset:
    """Prints as the placeholder of a type."""

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def __repr__(self) -> str:
        return f"placeholder({self._kind.__name__})"


def _plain(config: ConfigDict) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in config.items(preserve_field_references=True):
        if isinstance(value, FieldReference):
            kind, value = value.get_type(), value.get()
            values[name] = _Unset(kind) if value is None else value
        else:
            values[name] = _plain(value) if isinstance(value, ConfigDict) else value
    return values
