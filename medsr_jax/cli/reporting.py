"""Reporting of commands over many files, and the standard streams as input and output."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import sys
import tempfile
from collections.abc import Iterator
from typing import Annotated

import typer

from medsr_jax import terminal
from medsr_jax.errors import MedsrError, UsageError

STREAM = pathlib.Path("-")
"""The input or output that is a standard stream."""


@dataclasses.dataclass(frozen=True)
class Reporting:
    """What is printed, and where."""

    json: Annotated[
        bool,
        typer.Option("--json", help="A JSON object a file on the standard output, and one of the sums at the end."),
    ] = False
    quiet: Annotated[bool, typer.Option("--quiet", help="Print problems alone.")] = False
    log: Annotated[
        pathlib.Path | None,
        typer.Option("--log", help="Append all lines, with their time, and tracebacks to this file."),
    ] = None

    def begin(self, out: pathlib.Path) -> None:
        """Have the terminal print so from now on.

        Raises:
            MedsrError: the log can't be opened, or options contradict each other.
        """
        if out == STREAM and self.json:
            raise UsageError("-o -: the standard output is the result's", remedy="leave out --json")
        terminal.set_quiet(quiet=self.quiet or self.json, aside=out == STREAM)
        if self.log is not None:
            try:
                terminal.open_log(self.log)
            except OSError as error:
                raise MedsrError(
                    f"can't be opened ({error.strerror})", path=self.log, remedy="name another file for --log"
                ) from error


@dataclasses.dataclass(frozen=True)
class Resuming(Reporting):
    """The same, and whether results of an earlier run are kept."""

    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Keep a ledger in the output folder, and skip the files whose results it has, unchanged and made from"
            " the same input with the same options.",
        ),
    ] = False

    def begin(self, out: pathlib.Path) -> None:
        """As of `Reporting`.

        Raises:
            MedsrError: as of `Reporting`.
        """
        if out == STREAM and self.resume:
            raise UsageError("-o -: the standard output has no ledger", remedy="leave out --resume")
        super().begin(out)


@dataclasses.dataclass(frozen=True)
class Streams:
    """Inputs and output as paths.

    Attributes:
        inputs: of them one may be a copy of the standard input.
        out: the output folder, for a while a temporary one where the result goes to the standard output.
        hidden: a temporary folder that messages leave out; empty for none.
    """

    inputs: list[pathlib.Path]
    out: pathlib.Path
    hidden: str = ""

    def shown(self, text: str) -> str:
        """A line without the temporary folder's name."""
        return text.replace(f"{self.hidden}/", "") if self.hidden else text


@contextlib.contextmanager
def streams(inputs: list[pathlib.Path], out: pathlib.Path) -> Iterator[Streams]:
    """The standard input and output as files, where ``-`` stands for them.

    Raises:
        MedsrError: ``-`` stands where it can't, or a stream can't be read or written.
    """
    if STREAM not in inputs and out != STREAM:
        yield Streams(inputs, out)
        return
    if inputs.count(STREAM) > 1 or (out == STREAM and (len(inputs) > 1 or inputs[0].is_dir())):
        raise UsageError("- is one file: as an input it can't be named twice, and as the output there is one input")
    if out == STREAM and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError("-o -: the standard output is a terminal", remedy="send it to a file or a pipe")
    with tempfile.TemporaryDirectory(prefix="medsr-") as name:
        folder = pathlib.Path(name)
        if STREAM in inputs:
            (folder / "stdin").write_bytes(_standard_input())
        paths = [folder / "stdin" if path == STREAM else path for path in inputs]
        yield Streams(paths, folder / "stdout" if out == STREAM else out, str(folder))
        if out == STREAM:
            for file in sorted((folder / "stdout").glob("*")):
                _deliver(file)


def _standard_input() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("-: the standard input is a terminal", remedy="send a file to it")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise MedsrError(f"-: the standard input can't be read ({error.strerror})") from error


def _deliver(file: pathlib.Path) -> None:
    try:
        terminal.deliver(file.read_bytes())
    except BrokenPipeError:
        raise
    except OSError as error:
        raise MedsrError(f"-o -: the standard output can't be written ({error.strerror})") from error
