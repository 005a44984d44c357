"""Work on many inputs: find them, continue after errors, report each, and exit 1 if there was one."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import typer

from medsr_jax import terminal
from medsr_jax.cli.outcome import Outcome, described, failed
from medsr_jax.cli.reporting import Resuming, Streams, streams
from medsr_jax.cli.summary import Done, Summary
from medsr_jax.errors import MedsrError, MissingPart, UsageError

if TYPE_CHECKING:
    from medsr_jax.files import Outputs

T = TypeVar("T")
V = TypeVar("V")
R = TypeVar("R")
_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", ".dicom", ".j2k", ".avif", ".266", ".medsr"}

Inputs = Annotated[list[pathlib.Path], typer.Argument(help="Files and folders; folders are walked.")]
Output = Annotated[
    pathlib.Path, typer.Option("-o", "--out", help="Folder for the results; for one input, a file name will do.")
]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        help="Refuse images with more pixels a frame, before memory is taken for them.",
        show_default="134217728",
        min=1,
    ),
]


@dataclasses.dataclass(frozen=True)
class Work(Generic[V, R]):
    """The steps from a file to its result.

    Attributes:
        read: of one file, its value; pickled, since it runs in a process of its own where there are several files.
        suffix: of the result's name, which follows from what was read.
        process: the values of several files together, such as a network's batch.
        write: (file, result's path, value, what process made of it) -> the line to print.
        together: how many files are processed at once.
        name: of the result in place of the input's name and folder, from what was read; None or empty for those.
        secret: key under which the ledger stores names and digests of inputs; empty to store them in the clear.
    """

    read: Callable[[pathlib.Path], V]
    suffix: Callable[[V], str]
    process: Callable[[list[V]], Sequence[R]]
    write: Callable[[pathlib.Path, pathlib.Path, V, R], Done]
    together: int = 1
    name: Callable[[V], str] | None = None
    secret: bytes = b""


@dataclasses.dataclass(frozen=True)
class _Read(Generic[V]):
    """A file that was read, and where its result goes."""

    file: pathlib.Path
    target: pathlib.Path
    value: V


def for_each(
    inputs: list[pathlib.Path],
    out: pathlib.Path,
    work: Work[V, R],
    *,
    doing: str,
    prepare: Callable[[], object] | None = None,
    reporting: Resuming,
    signature: str = "",
) -> None:
    """Do the work for each input and say what became of it; go on after errors and exit 1 if there were any.

    Args:
        inputs: files and folders; ``-`` is the standard input.
        out: a folder; or a file's name, where there is one input that is no folder; ``-`` is the standard output.
        work: its steps. Whatever one of them raises is a line that names the file.
        doing: heads the progress bar, which is shown on a terminal where there are several inputs.
        prepare: what else must be had before the first result.
        reporting: what is printed, and whether what is done already is skipped.
        signature: everything but the inputs that determines the results, as a text.
    """
    try:
        with failing():
            reporting.begin(out)
            with streams(inputs, out) as files:
                run = _Run(work, files, reporting, signature)
                run.all(doing, prepare)
    except KeyboardInterrupt:
        terminal.complain("interrupted; finished files are kept")
        raise typer.Exit(130) from None
    if run.summary.refused:
        raise typer.Exit(1)


class _Run(Generic[V, R]):
    """One command's work on all its inputs."""

    def __init__(self, work: Work[V, R], files: Streams, reporting: Resuming, signature: str) -> None:
        from medsr_jax.cli.ledger import Ledger
        from medsr_jax.files import find_inputs

        self._work, self._files, self._reporting = work, files, reporting
        self.summary = Summary()
        pairs = find_inputs(files.inputs, out=files.out)
        self._several = len(pairs) > 1 or any(path.is_dir() for path in files.inputs)
        self._folder, self._name = _folder_and_name(files.inputs, pairs, files.out)
        self._ledger = Ledger(self._folder, signature, secret=work.secret) if reporting.resume else None
        self._all = pairs
        self._pairs = pairs
        if self._ledger is not None:
            self._pairs = [pair for pair in pairs if not self._ledger.done(pair[0])]
            self.summary.skipped = len(pairs) - len(self._pairs)

    def all(self, doing: str, prepare: Callable[[], object] | None) -> None:
        """Do the work and print the summary."""
        from medsr_jax.files import Outputs

        pairs = self._pairs
        with reading(self._work.read, [file for file, _ in pairs]) as decoding:
            # Several files: prepare while the first are read. A single file is read first: it may be refused.
            if prepare is not None and len(pairs) > 1:
                with failing(usage=True):
                    prepare()
            outputs = Outputs((file for file, _ in self._all), self._folder)
            read = _read(zip(progress(pairs, doing), decoding, strict=True), outputs, self._name, self._work)
            for group in _groups(read, self._work.together):
                ready = [one for one in group if isinstance(one, _Read)]
                if prepare is not None and len(pairs) == 1 and ready:
                    with failing(usage=True):
                        prepare()
                for one, outcome in zip(ready, _done(ready, self._work), strict=True):
                    self._report(outcome, one.file, one.target)
                for other in group:
                    if isinstance(other, Outcome):
                        self._report(other, None, None)
        self._close()

    def _report(self, outcome: Outcome[Any], file: pathlib.Path | None, target: pathlib.Path | None) -> None:
        """Print what became of a file, and count it."""
        if outcome.problem or file is None or target is None:
            self.summary.refused += 1
            shown = dataclasses.replace(outcome, problem=self._files.shown(outcome.problem))
            report(shown)
            if self._reporting.json:
                terminal.emit({"problem": shown.problem})
            return
        assert outcome.value is not None
        done: Done = outcome.value
        before, after = _size(file), _size(target)
        new = self.summary.add(before=before, after=after, notes=done.notes)
        terminal.say(self._files.shown(", ".join([done.line, *new]) if new else done.line))
        if self._reporting.json:
            facts = {"input": str(file), "output": str(target), "bytes": [before, after], **done.facts}
            terminal.emit({**facts, "notes": list(done.notes)})
        if self._ledger is not None:
            self._ledger.add(file, target)

    def _close(self) -> None:
        if self._reporting.json:
            terminal.emit({"summary": self.summary.facts()})
        elif self._several and not self._files.hidden:
            for line in self.summary.lines():
                terminal.say(line)


def _size(path: pathlib.Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def reading(read: Callable[[pathlib.Path], V], files: Sequence[pathlib.Path]) -> Any:
    """A context manager and iterable: the outcomes of reading files, where there are several in another process."""
    from medsr_jax.cli.decoding import Decoding

    return Decoding(read, files, noisy=terminal.debugging())


def _folder_and_name(
    inputs: list[pathlib.Path], pairs: list[tuple[pathlib.Path, pathlib.Path]], out: pathlib.Path
) -> tuple[pathlib.Path, str | None]:
    """The output folder, and the result's name where the user gave that of one file."""
    alone = len(inputs) == 1 and len(pairs) == 1 and inputs[0].is_file()
    if alone and out.suffix.lower() in _SUFFIXES and not out.is_dir():
        return out.parent, out.name
    return out, None


def _renamed(relative: pathlib.Path, suffix: str) -> pathlib.Path:
    # DICOM files are often named by UIDs: what follows their last dot is no suffix.
    if relative.suffix.lower() in _SUFFIXES:
        return relative.with_suffix(suffix)
    return relative.with_name(relative.name + suffix)


def _read(
    outcomes: Iterator[tuple[tuple[pathlib.Path, pathlib.Path], Outcome[V]]],
    outputs: Outputs,
    name: str | None,
    work: Work[V, Any],
) -> Iterator[_Read[V] | Outcome[Any]]:
    for (file, relative), outcome in outcomes:
        if outcome.problem:
            yield outcome
            continue
        assert outcome.value is not None
        try:
            kind = work.suffix(outcome.value)
            if name and not _fits(pathlib.Path(name).suffix, kind):
                raise MedsrError(
                    f"becomes a {kind} file and not {name}", path=file, remedy="name the output so, or a folder"
                )
            own = work.name(outcome.value) if work.name is not None else ""
            path = pathlib.Path(name) if name else pathlib.Path(own + kind) if own else _renamed(relative, kind)
            yield _Read(file, outputs.claim(file, path), outcome.value)
        except Exception as error:
            yield failed(error, file)


def _fits(suffix: str, kind: str) -> bool:
    """Whether a name's suffix is one of a kind of file; restored PNG and TIFF files are written as either."""
    alike = ({".jpg", ".jpeg"}, {".dcm", ".dicom"}, {".tif", ".tiff", ".png"})
    return suffix.lower() == kind or any({suffix.lower(), kind} <= names for names in alike)


def _groups(entries: Iterator[T], size: int) -> Iterator[list[T]]:
    while group := list(itertools.islice(entries, max(size, 1))):
        yield group


def _done(group: list[_Read[V]], work: Work[V, R]) -> Iterator[Outcome[Done]]:
    """What became of files that are processed together."""
    results: Sequence[R | Outcome[Any]]
    try:
        results = work.process([one.value for one in group]) if group else []
    except Exception:  # One by one, so that the error names the file.
        results = [_alone(one, work.process) for one in group]
    for one, result in zip(group, results, strict=True):
        if isinstance(result, Outcome):
            yield result
            continue
        try:
            yield Outcome(work.write(one.file, one.target, one.value, result))
        except Exception as error:
            yield failed(error, one.file, one.target, one.target.parent)


def _alone(one: _Read[V], process: Callable[[list[V]], Sequence[R]]) -> R | Outcome[Any]:
    try:
        return process([one.value])[0]
    except Exception as error:
        return failed(error, one.file)


def progress(entries: list[T], doing: str) -> Iterator[T]:
    """The entries, with a bar on a terminal where there are several."""
    if len(entries) < 2 or sys.stderr is None or not sys.stderr.isatty():
        yield from entries
        return
    from rich.console import Console
    from rich.progress import Progress

    # Lines that go to the terminal appear above the bar; lines that go to a pipe must not be caught by it.
    console = Console(stderr=True)
    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    with Progress(console=console, transient=True, redirect_stdout=on_terminal) as bar:
        yield from bar.track(entries, description=doing)


@contextlib.contextmanager
def failing(*, usage: bool = False) -> Iterator[None]:
    """Print an error's line and exit: 2 for options and arguments that are wrong, 1 for all else.

    Args:
        usage: any `MedsrError` concerns the options.
    """
    try:
        yield
    except MedsrError as error:
        report(Outcome(problem=described(error), trace=failed(error, pathlib.Path()).trace))
        misused = isinstance(error, UsageError) or (usage and not isinstance(error, MissingPart))
        raise typer.Exit(2 if misused else 1) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        report(Outcome(problem=described(error), trace=failed(error, pathlib.Path()).trace))
        raise typer.Exit(1) from None


def report(outcome: Outcome[Any]) -> bool:
    """Print a problem's line, and its traceback under --debug; always True, to be kept as 'something failed'."""
    terminal.complain(outcome.problem)
    terminal.trace(outcome.trace)
    return True
