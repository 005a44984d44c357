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
    """Make this process one of several, before JAX has been used; nothing is done where nothing asks for it.

    Args:
        coordinator: HOST:PORT of the first process.
        processes: how many there are.
        process: which of them this is.
        from_environment: leave all that is not given to JAX, which knows Slurm, Open MPI, Kubernetes and cloud TPUs;
            ``JAX_COORDINATOR_ADDRESS``, ``JAX_NUM_PROCESSES`` and ``JAX_PROCESS_ID`` are read as well.

    Raises:
        MedsrError: some of the three are given and others can't be found, or the others can't be reached.
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
    _meet()


def _meet() -> None:
    """Connect all devices now, while all processes are at the same place.

    On CPUs the first collective operation waits half a minute for the others and no longer, and compiling a step takes
    some processes that much longer than others.
    """
    ones = np.ones((jax.local_device_count(),), np.int32)
    count = jax.pmap(lambda one: jax.lax.psum(one, AXIS), axis_name=AXIS)(ones)
    assert int(count.addressable_shards[0].data[0]) == jax.device_count()


def of_the_first(number: float) -> float:
    """What the first process gives, in all that call this; it has float32's digits where there are several."""
    if jax.process_count() == 1:
        return float(number)
    return float(multihost_utils.broadcast_one_to_all(np.float32(number)))


def _number(variable: str) -> int | None:
    value = os.environ.get(variable)
    try:
        return None if value is None else int(value)
    except ValueError as error:
        raise ParameterError(variable, f"must be a whole number, not {value!r}") from error
