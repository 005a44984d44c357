"""Orbax checkpoints of a run: everything that it takes to go on as if it had not stopped."""

from __future__ import annotations

import pathlib
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from medsr_jax.errors import named


class Checkpoints:
    """The checkpoints of one run: the last ``keep`` and the best, saved while training goes on.

    A checkpoint holds the `TrainState` of one device, the position of the data iterator, and what validation has
    decided. It appears whole or not at all, so a run can be killed at any moment. Where there are several processes all
    see the same folder, and all call every method.
    """

    def __init__(self, folder: pathlib.Path, *, keep: int = 2) -> None:
        self._folder = folder.absolute()
        policy = checkpoint_managers.AnyPreservationPolicy(
            [
                checkpoint_managers.LatestN(keep),
                checkpoint_managers.BestN(
                    get_metric_fn=lambda metrics: metrics["score"], n=1, keep_checkpoints_without_metrics=False
                ),
            ]
        )
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(
                preservation_policy=policy, enable_async_checkpointing=True, cleanup_tmp_directories=True
            ),
            item_handlers={
                "state": ocp.StandardCheckpointHandler(),
                "data": ocp.JsonCheckpointHandler(),
                "course": ocp.JsonCheckpointHandler(),
            },
        )

    @property
    def latest_step(self) -> int | None:
        """The step of the newest complete checkpoint, or None."""
        return self._manager.latest_step()

    def save(
        self, step: int, state: Any, *, data: dict[str, Any], course: dict[str, Any], score: float | None = None
    ) -> None:
        """Start to save; a save of the same step that exists already is left alone.

        Args:
            step: batches seen.
            state: of one device, on the host.
            data: position of the data iterator.
            course: what validation has decided.
            score: of these weights, higher is better, if they were validated at this step: the best are kept.
        """
        if step in self._manager.all_steps():
            return
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(state), data=ocp.args.JsonSave(data), course=ocp.args.JsonSave(course)
            ),
            metrics=None if score is None else {"score": score},
        )

    def restore(self, template: Any) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        """The newest checkpoint, as (state, data position, course).

        Raises:
            MedsrError: it does not have the template's tree and shapes, that is, the config has changed.
        """
        step = self._manager.latest_step()
        try:
            self._compare(step, template)
            restored = self._manager.restore(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardRestore(template),
                    data=ocp.args.JsonRestore(),
                    course=ocp.args.JsonRestore(),
                ),
            )
        except (ValueError, KeyError, TypeError, FileNotFoundError) as error:
            raise named(
                self._folder / str(step),
                "the checkpoint does not fit this config's networks and optimisers; use another --workdir or the"
                f" config saved beside it ({str(error).splitlines()[0][:120]})",
            ) from error
        return restored.state, restored.data, restored.course

    def _compare(self, step: int | None, template: Any) -> None:
        """Refuse arrays of other shapes: Orbax would cut or fill them to fit."""
        stored = self._manager.item_metadata(step)["state"].tree
        found, wanted = (
            {_name(path): tuple(leaf.shape) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}
            for tree in (stored, template)
        )
        for name in sorted(found.keys() | wanted.keys()):
            if found.get(name) != wanted.get(name):
                raise ValueError(f"{name} is {found.get(name)} there and {wanted.get(name)} here")

    def wait(self) -> None:
        """Until what was started is on disk."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Wait, and end the threads."""
        self._manager.wait_until_finished()
        self._manager.close()


def _name(path: tuple[Any, ...]) -> str:
    # Dataclasses, tuples and dictionaries are all dictionaries in a file.
    keys = (getattr(entry, "name", getattr(entry, "key", getattr(entry, "idx", entry))) for entry in path)
    return "/".join(str(key) for key in keys)
