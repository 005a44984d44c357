"""What every command does with its inputs: walk them, go on after errors, name each, exit 1 if there was one."""

from __future__ import annotations

import contextlib
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, TypeVar

import typer

from medsr_jax.errors import MedsrError

_Job = TypeVar("_Job")
_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", ".dicom", ".j2k", ".avif"}

Inputs = Annotated[list[pathlib.Path], typer.Argument(help="Files and folders; folders are walked.")]
Output = Annotated[
    pathlib.Path, typer.Option("-o", "--out", help="Folder for the results; for one input, a file name will do.")
]


def for_each(
    inputs: list[pathlib.Path],
    out: pathlib.Path,
    *,
    suffix: Callable[[pathlib.Path], str],
    work: Callable[[pathlib.Path, pathlib.Path], str],
    doing: str,
    together: int = 1,
    ahead: Callable[[list[pathlib.Path]], None] | None = None,
) -> None:
    """Does the work for each input and prints the line it returns; goes on after errors and exits 1 if there were any.

    Args:
        inputs: files and folders.
        out: a folder; or a file's name, where there is one input that is no folder.
        suffix: of the result for an input.
        work: (input, result) -> a line to print.
        doing: heads the progress bar, which is shown on a terminal where there are several inputs.
        together: how many inputs ``ahead`` is told of at once, before they are worked on one by one.
        ahead: may prepare their work together; what it can't do is left to ``work``, whose errors are reported.
    """
    failed = False
    pairs = []
    for entry in inputs:
        try:
            pairs += _found(entry)
        except MedsrError as error:
            failed = report(error)
    jobs = []
    for file, relative in pairs:
        try:
            jobs.append((file, _renamed(relative, suffix(file))))
        except MedsrError as error:
            failed = report(error)
    try:
        pairs_of_paths = list(zip([file for file, _ in jobs], _targets(inputs, jobs, out), strict=True))
        for number, (file, target) in enumerate(progress(pairs_of_paths, doing)):
            if ahead is not None and number % together == 0:
                ahead([file for file, _ in pairs_of_paths[number : number + together]])
            try:
                if isinstance(target, MedsrError):
                    raise target
                typer.echo(work(file, target))
            except MedsrError as error:
                failed = report(error)
    except KeyboardInterrupt:
        typer.echo("interrupted; finished files are kept", err=True)
        raise typer.Exit(130) from None
    if failed:
        raise typer.Exit(1)


def _found(entry: pathlib.Path) -> list[tuple[pathlib.Path, pathlib.Path]]:
    from medsr_jax.imaging.files import find_inputs

    return find_inputs([entry])


def _renamed(relative: pathlib.Path, suffix: str) -> pathlib.Path:
    # DICOM files are often named by UIDs: what follows their last dot is no suffix.
    if relative.suffix.lower() in _SUFFIXES:
        return relative.with_suffix(suffix)
    return relative.with_name(relative.name + suffix)


def _targets(
    inputs: list[pathlib.Path], jobs: list[tuple[pathlib.Path, pathlib.Path]], out: pathlib.Path
) -> list[pathlib.Path | MedsrError]:
    from medsr_jax.imaging.files import output_paths

    if (
        len(inputs) == 1
        and len(jobs) == 1
        and inputs[0].is_file()
        and out.suffix.lower() in _SUFFIXES
        and not out.is_dir()
    ):
        return output_paths([(jobs[0][0], pathlib.Path(out.name))], out.parent)
    return output_paths(jobs, out)


def progress(entries: list[_Job], doing: str) -> Iterator[_Job]:
    """The entries, with a bar on a terminal where there are several."""
    if len(entries) < 2 or not sys.stderr.isatty():
        yield from entries
        return
    from rich.console import Console
    from rich.progress import Progress

    # Lines that go to the terminal appear above the bar; lines that go to a pipe must not be caught by it.
    console = Console(stderr=True)
    with Progress(console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as bar:
        yield from bar.track(entries, description=doing)


@contextlib.contextmanager
def failing() -> Iterator[None]:
    """Prints an error's line and exits 1."""
    try:
        yield
    except MedsrError as error:
        report(error)
        raise typer.Exit(1) from None


def report(error: MedsrError) -> bool:
    """Print an error's line; always True, to be kept as 'something failed'."""
    typer.echo(str(error), err=True)
    return True
