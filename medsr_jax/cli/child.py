"""A second Python process that runs `worker.main`, with pipes to it.

Where this process is of one thread, it forks, which takes a millisecond: a sender has loaded nothing yet. With threads,
such as JAX's, a fork may hang, and a new interpreter is started, which takes some tenths of a second.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
from typing import BinaryIO, Protocol, cast


class Child(Protocol):
    """What is used of `subprocess.Popen`."""

    def kill(self) -> None:
        """End it by SIGKILL."""

    def wait(self) -> int:
        """Its exit status once it has ended; the negative number of the signal that killed it."""


def start(*, noisy: bool) -> tuple[Child, BinaryIO, BinaryIO]:
    """The process, the pipe of its requests and that of its replies.

    Args:
        noisy: leave it the standard error.

    Raises:
        OSError: it can't be started.
    """
    return _forked(noisy=noisy) if _has_one_thread() else _spawned(noisy=noisy)


def _has_one_thread() -> bool:
    try:
        return len(list(pathlib.Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return False


def _spawned(*, noisy: bool) -> tuple[Child, BinaryIO, BinaryIO]:
    # With the same module path, and without the current folder.
    code = f"import sys; sys.path[:] = {sys.path!r}; from medsr_jax.cli.worker import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if noisy else subprocess.DEVNULL,
    )
    return process, cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)


def _forked(*, noisy: bool) -> tuple[Child, BinaryIO, BinaryIO]:
    request_out, request_in = os.pipe()
    reply_out, reply_in = os.pipe()
    try:
        process = os.fork()
    except OSError:
        for pipe in (request_out, request_in, reply_out, reply_in):
            os.close(pipe)
        raise
    if not process:
        _be_child(request_out, reply_in, noisy=noisy)
    os.close(request_out)
    os.close(reply_in)
    return _Forked(process), os.fdopen(request_in, "wb"), os.fdopen(reply_out, "rb")


def _be_child(requests: int, replies: int, *, noisy: bool) -> None:
    """Does not return: what the parent was about to do is not the child's to do."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.dup2(requests, 0)
        os.dup2(replies, 1)
        if not noisy:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            sys.stderr = os.fdopen(2, "w", closefd=False)
        # The parent's ends too: it would not see that this process is dead while another holds its pipe.
        os.closerange(3, 1024)
        from medsr_jax.cli.worker import main

        main()
        status = 0
    finally:
        os._exit(status)


class _Forked:
    def __init__(self, process: int) -> None:
        self._process = process
        self._status: int | None = None

    def kill(self) -> None:
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process, signal.SIGKILL)

    def wait(self) -> int:
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self._process, 0)[1])
        return self._status
