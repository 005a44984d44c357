"""Runs of several processes, on one host or many."""

from __future__ import annotations

import os

import jax
import numpy as np
from jax.experimental import multihost_utils

from medsr_jax.errors import MedsrError, ParameterError
from medsr_jax.training.steps.state import AXIS


def join(
    *,
    coordinator: str | None = None,
    processes: int | None = None,
    process: int | None = None,
    from_environment: bool = False,
) -> None:
    """Join a run of several processes, before JAX is used; a process without any of the settings is a run by itself.

    ``JAX_COORDINATOR_ADDRESS``, ``JAX_NUM_PROCESSES`` and ``JAX_PROCESS_ID`` stand for arguments that are not given.

    Args:
        coordinator: HOST:PORT of the first process.
        processes: number of processes.
        process: index of this one.
        from_environment: let JAX find missing settings under Slurm, Open MPI, Kubernetes or on cloud TPUs.

    Raises:
        MedsrError: only some of the three are given, or the other processes can't be reached.
    """
    coordinator = coordinator or os.environ.get("JAX_COORDINATOR_ADDRESS")
    processes = processes if processes is not None else _number("JAX_NUM_PROCESSES")
    process = process if process is not None else _number("JAX_PROCESS_ID")
    given = {"coordinator": coordinator, "processes": processes, "process": process}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == len(given) and not from_environment:
        return
    if missing and not from_environment:
        known = next(name for name, value in given.items() if value is not None)
        raise ParameterError(
            known, f"requires {' and '.join(missing)} too", remedy="or let the cluster's environment give all three"
        )
    if processes is not None and process is not None and process >= processes:
        raise ParameterError("process", f"must be below the number of processes, {processes}, not {process}")
    try:
        jax.distributed.initialize(coordinator_address=coordinator, num_processes=processes, process_id=process)
    except (ValueError, RuntimeError) as error:
        raise MedsrError(f"the processes of the run can't be joined: {' '.join(str(error).split())[:200]}") from error
    _connect()


def _connect() -> None:
    """Connect all devices now, while the processes are at the same place.

    On CPUs the first collective operation waits half a minute for the other processes, and the times to compile a step
    can differ by more.
    """
    ones = np.ones((jax.local_device_count(),), np.int32)
    count = jax.pmap(lambda one: jax.lax.psum(one, AXIS), axis_name=AXIS)(ones)
    assert int(count.addressable_shards[0].data[0]) == jax.device_count()


def from_first_process(number: float) -> float:
    """The number of the first process, in all of them; rounded to float32 if there are several."""
    if jax.process_count() == 1:
        return float(number)
    return float(multihost_utils.broadcast_one_to_all(np.float32(number)))


def _number(variable: str) -> int | None:
    value = os.environ.get(variable)
    try:
        return None if value is None else int(value)
    except ValueError as error:
        raise ParameterError(variable, f"must be an integer, not {value!r}") from error
