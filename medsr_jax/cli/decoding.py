"""Many files read one after another, where there are several in a process that may die of one (`worker`)."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import itertools
import pathlib
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from medsr_jax.cli.child import start
from medsr_jax.cli.outcome import Outcome, attempt
from medsr_jax.cli.worker import READY, receive, send
from medsr_jax.errors import MedsrError

T = TypeVar("T")
Work = Callable[[pathlib.Path], T]

# Files queued in the process beyond the current one, so that it is never idle.
_AHEAD = 2


@dataclasses.dataclass(frozen=True)
class Call(Generic[T]):
    """A function's call on a file, which imports its module in the process that runs it.

    Attributes:
        module, function: its full name.
        options: its keyword arguments.
    """

    module: str
    function: str
    options: dict[str, Any]

    def __call__(self, file: pathlib.Path) -> T:
        """What the function returns."""
        result: T = getattr(importlib.import_module(self.module), self.function)(file, **self.options)
        return result


class Decoding(Generic[T]):
    """The outcomes of some work on each of several files, in order.

    The process starts when this is made, so that what comes before the first outcome is looked at runs beside it.

    Args:
        work: of a file; pickled, such as a `Call`.
        files: one file alone is worked on in this process.
        noisy: let the process print on the standard error what its libraries print.
    """

    def __init__(self, work: Work[T], files: Sequence[pathlib.Path], *, noisy: bool = False) -> None:
        self._work, self._files, self._noisy = work, files, noisy
        self._waiting: deque[pathlib.Path] = deque()
        self._process: _Process[T] | None = None
        if len(files) > 1:
            self._process = self._started()

    def __enter__(self) -> Decoding[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def __iter__(self) -> Iterator[Outcome[T]]:
        if len(self._files) < 2:
            for file in self._files:
                yield attempt(self._work, file)
            return
        left = iter(self._files)
        while True:
            for file in itertools.islice(left, _AHEAD + 1 - len(self._waiting)):
                self._waiting.append(file)
                if self._process is not None:
                    self._process.ask(file)
            if not self._waiting:
                return
            if self._process is None:
                self._process = self._started()
                for file in self._waiting:
                    self._process.ask(file)
            outcome = self._process.answer()
            file = self._waiting.popleft()
            if outcome is None:
                outcome = Outcome(
                    problem=str(MedsrError(f"{self._process.death()}", path=file, remedy="the other files go on"))
                )
                self._end()
            yield outcome

    def _started(self) -> _Process[T]:
        return _Process(self._work, noisy=self._noisy)

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()
            self._process = None


class _Process(Generic[T]):
    """A process that does the work, and the pipes to it."""

    def __init__(self, work: Work[T], *, noisy: bool) -> None:
        try:
            self._child, self._requests, self._replies = start(noisy=noisy)
        except OSError as error:
            raise MedsrError(f"the process that reads files can't be started: {error.strerror or error}") from error
        self._ready = False
        self._send(work)

    def ask(self, file: pathlib.Path) -> None:
        """Have a file worked on, after those before it."""
        self._send(file)

    def answer(self) -> Outcome[T] | None:
        """The outcome of the next file; None where the process died of it.

        Raises:
            MedsrError: the process died before its first file.
        """
        if not self._ready:
            if receive(self._replies) != READY:
                raise MedsrError(
                    f"the process that reads files does not start: {self.death()}", remedy="--debug shows why"
                )
            self._ready = True
        result: Outcome[T] | None = receive(self._replies)
        return result

    def death(self) -> str:
        """What ended the process."""
        code = self._child.wait()
        if code >= 0:
            return f"the decoder ended (exit status {code})"
        if code == -signal.SIGKILL:
            return f"the decoder was killed (signal {-code}), as happens where memory runs out"
        with contextlib.suppress(ValueError):
            return f"the decoder crashed (signal {-code}, {signal.Signals(-code).name})"
        return f"the decoder crashed (signal {-code})"

    def end(self) -> None:
        """Kill the process; it holds nothing that could be lost."""
        self._child.kill()
        for stream in (self._requests, self._replies):
            with contextlib.suppress(OSError):
                stream.close()
        self._child.wait()

    def _send(self, value: object) -> None:
        # A process that is dead is found out where its answer is read.
        with contextlib.suppress(BrokenPipeError):
            send(self._requests, value)
