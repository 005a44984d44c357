"""Prefetched batches of a random-access source, sharded over hosts."""

from __future__ import annotations

from typing import Any, Protocol

import grain


class Source(Protocol):
    """Samples by index, each a function of its index alone."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> dict[str, Any]: ...


def batches(
    source: Source,
    *,
    batch: int,
    shard_index: int = 0,
    shard_count: int = 1,
    threads: int = 1,
    prefetch: int = 8,
) -> grain.DatasetIterator:
    """This host's rows of the global batches of a source, in order, prefetched.

    Global batch i has samples i batch ... (i + 1) batch - 1 for any number of hosts; host h of N has its rows
    h batch / N ... (h + 1) batch / N - 1. ``get_state`` and ``set_state`` of the iterator get and set its position,
    which counts batches: a state serves any number of hosts.

    Args:
        source: of samples, dictionaries of arrays.
        batch: samples of all hosts together.
        shard_index, shard_count: h and N, such as ``jax.process_index()`` and ``jax.process_count()``.
        threads: that make samples; 0 makes them on demand.
        prefetch: batches made ahead.

    Returns:
        An iterator of dictionaries of arrays with a leading axis of batch / N.

    Raises:
        ValueError: the batch is not a multiple of the hosts, or there is no such host.
    """
    if batch < 1 or shard_count < 1 or batch % shard_count:
        raise ValueError(f"a batch of {batch} is no positive multiple of {shard_count} hosts")
    if not 0 <= shard_index < shard_count:
        raise ValueError(f"shard_index must be from 0 to {shard_count - 1}, not {shard_index}")
    rows = batch // shard_count
    share = source if shard_count == 1 else _Share(source, batch=batch, first=shard_index * rows, rows=rows)
    dataset = grain.MapDataset.source(share).batch(rows, drop_remainder=True)
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=prefetch if threads else 0)
    return iter(dataset.to_iter_dataset(options))


class _Share:
    """Rows ``first`` ... ``first + rows - 1`` of every ``batch`` samples, one after another."""

    def __init__(self, source: Source, *, batch: int, first: int, rows: int) -> None:
        self._source, self._batch, self._first, self._rows = source, batch, first, rows

    def __len__(self) -> int:
        return len(self._source) // self._batch * self._rows

    def __getitem__(self, index: int) -> dict[str, Any]:
        number, row = divmod(int(index), self._rows)
        return self._source[number * self._batch + self._first + row]
