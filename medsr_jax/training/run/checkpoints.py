"""Orbax checkpoints of a run: the state needed to resume it to the same bits."""

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
    """The checkpoints of one run: the latest and the best, saved while training continues.

    A checkpoint has the `TrainState` of one device, the position of the data iterator, and the state of the validation
    schedule. It appears whole or not at all, so a run can be killed at any moment. Several processes share the folder,
    and each calls every method.

    Args:
        folder: of the checkpoints.
        keep_checkpoints: number of the latest to keep.
    """

    def __init__(self, folder: pathlib.Path, *, keep_checkpoints: int = 2) -> None:
        self._folder = folder.absolute()
        _reset_damaged_scores(self._folder)
        policy = checkpoint_managers.AnyPreservationPolicy(
            [
                checkpoint_managers.LatestN(keep_checkpoints),
                checkpoint_managers.BestN(get_metric_fn=_score, n=1, keep_checkpoints_without_metrics=False),
            ]
        )
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(
                preservation_policy=policy,
                # Without it scores are not written, and a resumed run would not know the best.
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
        result: int | None = self._manager.latest_step()
        return result

    def save(
        self, step: int, state: Any, *, data: dict[str, Any], schedule: dict[str, Any], score: float | None = None
    ) -> None:
        """Start saving, unless there is a checkpoint of this step.

        Args:
            step: batches seen.
            state: of one device, on the host.
            data: position of the data iterator.
            schedule: state of the validation schedule.
            score: of a validation at this step, if any; higher is better.

        Raises:
            MedsrError: this checkpoint, or the previous one, which was still being written, can't be written.
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

        Newer, damaged ones are removed with a warning; their steps are repeated.

        Raises:
            MedsrError: it does not have the template's tree and shapes, so the config has changed; or none can be read.
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
            # TensorStore and Orbax have no common exception for damaged files.
            except Exception as error:
                damaged, problem = [*damaged, step], error
                continue
            for bad in damaged:
                _log.warning("%s: the checkpoint is damaged; it is removed", self._folder / str(bad))
                self._manager.delete(bad)
            return restored.state, restored.data, restored.schedule
        cause = "none is complete" if problem is None else first_line(problem, most=120)
        raise MedsrError(
            f"no checkpoint can be read ({cause})",
            path=self._folder,
            remedy="restore the folder from a copy, or start again in another folder",
        ) from problem

    def _shapes(self, step: int) -> dict[str, tuple[int, ...]]:
        return _shapes(self._manager.item_metadata(step)["state"].tree)

    def wait(self) -> None:
        """Wait until all checkpoints are on disk.

        Raises:
            MedsrError: one can't be written.
        """
        with self._writing():
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Wait, and stop the threads.

        Raises:
            MedsrError: a checkpoint can't be written.
        """
        try:
            self.wait()
        finally:
            # The error is reported once.
            with contextlib.suppress(Exception):
                self._manager.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        # Orbax and TensorStore have no common exception for a full disk.
        except Exception as error:
            raise MedsrError(
                f"a checkpoint can't be written ({_cause(error)}); free some space",
                path=self._folder,
                remedy="the same command resumes from the last complete one",
            ) from error


def _reset_damaged_scores(folder: pathlib.Path) -> None:
    """Replace damaged scores by none: Orbax's manager reads all of them at its start and would fail."""
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
    """Refuse arrays of other shapes, which Orbax would crop or pad."""
    expected = _shapes(template)
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            raise MedsrError(
                "the checkpoint does not fit this config's networks and optimizers",
                path=path,
                remedy=f"use another folder, or the config saved beside it ({name}: found {found.get(name)}, "
                f"expected {expected.get(name)})",
            )


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    return {_name(path): tuple(leaf.shape) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _cause(error: Exception) -> str:
    """The end of TensorStore's line, after all paths, or the system's own words: such as "No space left on device"."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    words = first_line(error, most=10_000).rsplit(": ", 1)[-1].split(" [os_error_code")[0][:120]
    return words.partition("] ")[2] if words.startswith("[Errno ") else words


def _name(path: tuple[Any, ...]) -> str:
    # Dataclasses, tuples and dictionaries are all saved as dictionaries.
    keys = (getattr(entry, "name", getattr(entry, "key", getattr(entry, "idx", entry))) for entry in path)
    return "/".join(str(key) for key in keys)
