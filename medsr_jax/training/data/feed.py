"""Batches, copied to their devices ahead of the step."""

from __future__ import annotations

import collections
import time
from typing import Any

import grain
import jax
import numpy as np

from medsr_jax.training.steps.state import shard

# One batch in use, one on its way.
AHEAD = 2


class Feed:
    """An endless iterator of batches with a leading device axis, and its position.

    The arrays are copied to the devices while earlier steps run.

    Args:
        batches: this process's share of each batch, host arrays.
        devices: of all processes.

    Attributes:
        position: of the data after the last batch taken, for `grain.DatasetIterator.set_state`.
        waited: seconds spent on making batches so far.
    """

    def __init__(self, batches: grain.DatasetIterator, devices: list[jax.Device]) -> None:
        self._batches, self._devices = batches, devices
        self._local = sum(device.process_index == jax.process_index() for device in devices)
        self._queue: collections.deque[tuple[Any, dict[str, Any]]] = collections.deque()
        self.position: dict[str, Any] = batches.get_state()
        self.waited = 0.0

    def __next__(self) -> dict[str, jax.Array]:
        while len(self._queue) < AHEAD:
            began = time.monotonic()
            batch = {name: self._split(value) for name, value in next(self._batches).items()}
            self._queue.append((shard(batch, self._devices), self._batches.get_state()))
            self.waited += time.monotonic() - began
        batch, self.position = self._queue.popleft()
        result: dict[str, jax.Array] = batch
        return result

    def _split(self, value: np.ndarray) -> np.ndarray:
        return value.reshape(self._local, -1, *value.shape[1:])
