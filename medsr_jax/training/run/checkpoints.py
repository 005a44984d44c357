"""Orbax checkpoints of a run: everything that it takes to go on as if it had not stopped."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import pathlib
from collections.abc import Iterator
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from medsr_jax.errors import MedsrError, first_line
from medsr_jax.files import atomic_write

_log = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one run: the last ``keep`` and the best, saved while training goes on.

    A checkpoint holds the `TrainState` of one device, the position of the data iterator, and what validation has
    decided. It appears whole or not at all, so a run can be killed at any moment. Where there are several processes all
    see the same folder, and all call every method.
    """

    def __init__(self, folder: pathlib.Path, *, keep: int = 2) -> None:
        self._folder = folder.absolute()
        _forget_damaged_scores(self._folder)
        policy = checkpoint_managers.AnyPreservationPolicy(
            [
                checkpoint_managers.LatestN(keep),
                checkpoint_managers.BestN(get_metric_fn=_score, n=1, keep_checkpoints_without_metrics=False),
            ]
        )
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(
                preservation_policy=policy,
                # Without it scores are not written, and a run that goes on would not know which is the best.
                best_fn=_score,
                enable_async_checkpointing=True,
                cleanup_tmp_directories=True,
            ),
            item_handlers={
                "state": ocp.StandardCheckpointHandler(),
                "data": ocp.JsonCheckpointHandler(),
                "schedule": ocp.JsonCheckpointHandler(),
            },
        )

    @property
    def latest_step(self) -> int | None:
        """The step of the newest complete checkpoint, or None."""
        return self._manager.latest_step()

    def save(
        self, step: int, state: Any, *, data: dict[str, Any], schedule: dict[str, Any], score: float | None = None
    ) -> None:
        """Start to save; a save of the same step that exists already is left alone.

        Args:
            step: batches seen.
            state: of one device, on the host.
            data: position of the data iterator.
            schedule: what validation has decided.
            score: of these weights, higher is better, if they were validated at this step: the best are kept.

        Raises:
            MedsrError: this one, or the one before, which was still being written, can't be written.
        """
        if step in self._manager.all_steps():
            return
        with self._writing():
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(state),
                    data=ocp.args.JsonSave(data),
                    schedule=ocp.args.JsonSave(schedule),
                ),
                metrics={"score": score},
            )

    def restore(self, template: Any) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        """The newest checkpoint that can be read, as (state, data position, schedule).

        Newer ones that a disk has damaged are removed, with a warning: the steps after the one returned are made anew.

        Raises:
            MedsrError: it does not have the template's tree and shapes, that is, the config has changed; or none can be
                read.
        """
        damaged: list[int] = []
        problem: Exception | None = None
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                shapes = self._shapes(step)
                _compare(shapes, template, self._folder / str(step))
                restored = self._manager.restore(
                    step,
                    args=ocp.args.Composite(
                        state=ocp.args.StandardRestore(template),
                        data=ocp.args.JsonRestore(),
                        schedule=ocp.args.JsonRestore(),
                    ),
                )
            except MedsrError:
                raise
            # What TensorStore and Orbax raise on broken files has no common type.
            except Exception as error:
                damaged, problem = [*damaged, step], error
                continue
            for bad in damaged:
                _log.warning("%s: the checkpoint is damaged; it is removed", self._folder / str(bad))
                self._manager.delete(bad)
            return restored.state, restored.data, restored.schedule
        cause = "none is whole" if problem is None else first_line(problem, most=120)
        raise MedsrError(
            f"no checkpoint can be read ({cause})",
            path=self._folder,
            remedy="bring the folder back from a copy, or start anew in another workdir",
        ) from problem

    def _shapes(self, step: int) -> dict[str, tuple[int, ...]]:
        return _shapes(self._manager.item_metadata(step)["state"].tree)

    def wait(self) -> None:
        """Until what was started is on disk.

        Raises:
            MedsrError: it can't be written.
        """
        with self._writing():
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Wait, and end the threads.

        Raises:
            MedsrError: what was started can't be written.
        """
        try:
            self.wait()
        finally:
            # What could not be written is said once.
            with contextlib.suppress(Exception):
                self._manager.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        # Orbax and TensorStore have no common type for a disk that is full.
        except Exception as error:
            raise MedsrError(
                f"a checkpoint can't be written ({_cause(error)})",
                path=self._folder,
                remedy="free some space, and the same command goes on from the last whole one",
            ) from error


def _forget_damaged_scores(folder: pathlib.Path) -> None:
    """Orbax's manager reads all scores when it begins, and one that is broken would end it there."""
    for path in folder.glob("[0-9]*/metrics/metrics"):
        try:
            known = "score" in json.loads(path.read_text())
        except (OSError, ValueError, TypeError):
            known = False
        if not known:
            atomic_write(path, b'{"score": null}')


def _score(metrics: dict[str, Any]) -> float:
    return -math.inf if metrics["score"] is None else metrics["score"]


def _compare(found: dict[str, tuple[int, ...]], template: Any, path: pathlib.Path) -> None:
    """Refuse arrays of other shapes: Orbax would cut or fill them to fit."""
    wanted = _shapes(template)
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            raise MedsrError(
                "the checkpoint does not fit this config's networks and optimisers",
                path=path,
                remedy=f"use another workdir or the config saved beside it ({name} is {found.get(name)} "
                f"there and {wanted.get(name)} here)",
            )


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    return {_name(path): tuple(leaf.shape) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _cause(error: Exception) -> str:
    """The end of TensorStore's line, behind all paths: such as "No space left on device"."""
    return first_line(error, most=10_000).rsplit(": ", 1)[-1].split(" [os_error_code")[0][:120]


def _name(path: tuple[Any, ...]) -> str:
    # Dataclasses, tuples and dictionaries are all dictionaries in a file.
    keys = (getattr(entry, "name", getattr(entry, "key", getattr(entry, "idx", entry))) for entry in path)
    return "/".join(str(key) for key in keys)
