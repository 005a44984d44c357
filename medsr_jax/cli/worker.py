"""The process in which the files of a folder are read: a decoder that crashes there costs one file and not the run.

Started by `decoding`; JAX is never imported here. Requests and replies are pickles behind their length, over the pipes
that were its standard input and output; whatever libraries print goes nowhere.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import pickle
import signal
import sys
import warnings
from typing import Any, BinaryIO

from medsr_jax.cli.outcome import attempt, failed

READY = b"ready"
_LENGTH = 8
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Answer requests until there are no more."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    # Ctrl-C goes to the whole group of processes; the first of them decides what is still done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    _leave_no_core()
    _be_killed_first()
    with contextlib.suppress(BrokenPipeError):
        send(replies, READY)
        work = receive(requests)
        while (file := receive(requests)) is not None:
            _answer(replies, work, file)


def _answer(replies: BinaryIO, work: Any, file: Any) -> None:
    outcome = attempt(work, file)
    try:
        data = pickle.dumps(outcome, protocol=5)
    except Exception as error:
        data = pickle.dumps(failed(error, file), protocol=5)
    _write(replies, data)


def send(stream: BinaryIO, value: Any) -> None:
    """Write a value behind its length."""
    _write(stream, pickle.dumps(value, protocol=5))


def _write(stream: BinaryIO, data: bytes) -> None:
    stream.write(len(data).to_bytes(_LENGTH, "little"))
    stream.write(data)
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """The next value; None where the other end is gone."""
    header = stream.read(_LENGTH)
    if len(header) < _LENGTH:
        return None
    length = int.from_bytes(header, "little")
    data = stream.read(length)
    if len(data) < length:
        return None
    with warnings.catch_warnings():
        # pydicom warns again of odd values of a data set, of which its reader has made notes.
        warnings.simplefilter("ignore", UserWarning)
        return pickle.loads(data)


def _end_with_parent() -> None:
    """A parent that is killed ends a decoder too that is busy; an idle one sees the end of its requests."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _leave_no_core() -> None:
    """An image of this process's memory holds a patient's data and has no business on a disk."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _be_killed_first() -> None:
    """Where memory runs out, Linux ends this process and not the one that waits for it."""
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/oom_score_adj").write_text("1000")
