"""Orbax checkpoints of a run: everything that it takes to go on as if it had not stopped."""

from __future__ import annotations

import pathlib
from typing import Any

import jax
import orbax.checkpoint as ocp

from medsr_jax.errors import named


class Checkpoints:
    """The checkpoints of one run: the last ``keep``, saved while training goes on.

    A checkpoint holds the `TrainState` of one device and the position of the data iterator.
    """

    def __init__(self, folder: pathlib.Path, *, keep: int = 2) -> None:
        self._folder = folder.absolute()
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=True),
            item_handlers={"state": ocp.StandardCheckpointHandler(), "data": ocp.JsonCheckpointHandler()},
        )

    @property
    def latest_step(self) -> int | None:
        """The step of the newest complete checkpoint, or None."""
        return self._manager.latest_step()

    def save(self, step: int, state: Any, data_position: dict[str, Any]) -> None:
        """Start to save; a save of the same step that exists already is left alone."""
        if step in self._manager.all_steps():
            return
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(jax.device_get(state)), data=ocp.args.JsonSave(data_position)
            ),
        )

    def restore(self, template: Any) -> tuple[Any, dict[str, Any]]:
        """The newest checkpoint, as (state, data position).

        Raises:
            MedsrError: it does not have the template's tree and shapes, that is, the config has changed.
        """
        step = self._manager.latest_step()
        try:
            self._compare(step, template)
            restored = self._manager.restore(
                step,
                args=ocp.args.Composite(state=ocp.args.StandardRestore(template), data=ocp.args.JsonRestore()),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise named(
                self._folder / str(step),
                "the checkpoint does not fit this config's model and optimiser; use another --workdir or the"
                f" config saved beside it ({str(error).splitlines()[0][:120]})",
            ) from error
        return restored.state, restored.data

    def _compare(self, step: int | None, template: Any) -> None:
        """Refuse parameters of other shapes: Orbax would cut or fill them to fit."""
        stored = self._manager.item_metadata(step)["state"].tree["params"]
        found, wanted = (
            {jax.tree_util.keystr(path): tuple(leaf.shape) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}
            for tree in (stored, template.params)
        )
        for name in sorted(found.keys() | wanted.keys()):
            if found.get(name) != wanted.get(name):
                raise ValueError(f"{name} is {found.get(name)} there and {wanted.get(name)} here")

    def close(self) -> None:
        """Wait until what was started is on disk."""
        self._manager.wait_until_finished()
        self._manager.close()
