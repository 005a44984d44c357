"""`medsr`: thin commands over the packages. What a command needs is imported when it runs: a sender loads no JAX."""

from __future__ import annotations

import contextlib
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import Annotated, TypeVar

import typer

from medsr_jax.errors import MedsrError, named

app = typer.Typer(
    help="Send radiographs over thin links, and restore them at the other end.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

_Job = TypeVar("_Job")
_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm", ".dicom", ".j2k", ".avif"}
_CEILINGS = (
    "lossy: not for primary diagnosis. Published ceilings for chest radiographs are 10:1 (German consensus) and 30:1 "
    "(Canadian guideline)"
)

Inputs = Annotated[list[pathlib.Path], typer.Argument(help="Files and folders; folders are walked.")]
Output = Annotated[
    pathlib.Path, typer.Option("-o", "--out", help="Folder for the results; for one input, a file name will do.")
]


@app.callback()
def _root() -> None:
    """Makes a lone command a subcommand too."""


@app.command()
def compress(
    inputs: Inputs,
    out: Output,
    scale: Annotated[int, typer.Option(help="1..8: how many times fewer rows and columns travel.")] = 4,
    quality: Annotated[str, typer.Option(help="1..100, or auto: 50..75 by the image's content.")] = "auto",
    max_bytes: Annotated[
        int | None, typer.Option(help="The most bytes a packet may have; the best quality that fits is taken.")
    ] = None,
    codec: Annotated[str, typer.Option(help="jpeg, jpeg2000 or avif.")] = "jpeg",
    kernel: Annotated[str, typer.Option(help="Of the downscaling: area, bicubic or lanczos.")] = "area",
    window: Annotated[
        str | None,
        typer.Option(help="Stored values to keep: data, full or LOW:HIGH. [default: full at 8 bits, else data]"),
    ] = None,
    preprocess: Annotated[bool, typer.Option(help="Smooth dark or noisy images first.")] = True,
) -> None:
    """Shrink and encode images for sending. A packet is a JPEG or a DICOM object that any viewer opens."""
    with _failing():
        options = {
            "scale": scale,
            "quality": _quality(quality),
            "max_bytes": max_bytes,
            "codec": codec,
            "kernel": kernel,
            "window": _window(window),
            "preprocess": preprocess,
        }

    def suffix(file: pathlib.Path) -> str:
        from medsr_jax.imaging.sniffing import sniff
        from medsr_jax.transmission.codecs import CODECS

        return ".dcm" if sniff(file) == "dicom" else CODECS[codec].suffix

    def work(file: pathlib.Path, target: pathlib.Path) -> str:
        from medsr_jax.transmission.compress import compress_file

        packet, size = compress_file(file, target, **options)
        header = packet.header
        counted = f"of the original's pixels at {header.bits} bits each"
        parts = [
            f"{target}: {size} bytes",
            f"{packet.ratio(size):.0f}:1 {counted}"
            if packet.dataset is None
            else f"{packet.coded_bytes} of them pixels, {packet.ratio():.0f}:1 {counted}",
            f"{header.codec} q {header.quality}",
            *([header.preprocess] if header.preprocess else []),
            *header.notes,
        ]
        return ", ".join(parts) + "; lossy, not for primary diagnosis"

    with _failing():
        if codec not in _codecs():
            raise MedsrError(f"--codec is one of {', '.join(_codecs())}, not {codec}")
    for_each(inputs, out, suffix=suffix, work=work, doing="Compressing")


@app.command()
def info(file: Annotated[pathlib.Path, typer.Argument(help="A packet or a weights file.")]) -> None:
    """Say what a packet or a weights file says of itself."""
    with _failing():
        lines = _weights_lines(file) if file.suffix == ".safetensors" else _packet_lines(file)
        for name, value in lines:
            typer.echo(f"{name:14} {value}")


def _packet_lines(file: pathlib.Path) -> Iterator[tuple[str, object]]:
    from medsr_jax.transmission.packet_io import read_packet

    packet = read_packet(file)
    header, size = packet.header, file.stat().st_size
    frames = f", {header.frames} frames" if header.frames > 1 else ""
    yield "packet", f"format {header.version}, {header.codec} quality {header.quality}, {size} bytes"
    yield "original", f"{header.kind}, {header.rows} rows x {header.columns} columns{frames}, {header.dtype}"
    yield "values", f"{header.value_range[0]:g}..{header.value_range[1]:g}, sent {header.low:g}..{header.high:g}"
    rows, columns = header.small_shape
    yield "sent", f"{rows} x {columns}, 1/{header.scale} by {header.kernel}, {header.levels + 1} levels"
    yield "pre-processing", header.preprocess or "none"
    for note in header.notes:
        yield "note", note
    coded = "code streams" if packet.dataset is not None else "file"
    ratio = packet.ratio() if packet.dataset is not None else packet.ratio(size)
    yield "ratio", f"{ratio:.1f}:1, {header.bits} bits a pixel of the original to the {coded}"
    yield "", _CEILINGS


def _weights_lines(file: pathlib.Path) -> Iterator[tuple[str, object]]:
    """The metadata in a safetensors header: 8 bytes of length, then JSON."""
    import json

    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(min(length, 1 << 26)))
        tensors = {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}
    except OSError as error:
        raise named(file, f"can't be read: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise named(file, "is no weights file: its safetensors header is damaged") from error
    yield from header.get("__metadata__", {}).items()
    yield "tensors", len(tensors)


def for_each(
    inputs: list[pathlib.Path],
    out: pathlib.Path,
    *,
    suffix: Callable[[pathlib.Path], str],
    work: Callable[[pathlib.Path, pathlib.Path], str],
    doing: str,
) -> None:
    """Does the work for each input and prints the line it returns; goes on after errors and exits 1 if there were any.

    Args:
        inputs: files and folders.
        out: a folder; or a file's name, where there is one input that is no folder.
        suffix: of the result for an input.
        work: (input, result) -> a line to print.
        doing: heads the progress bar, which is shown on a terminal where there are several inputs.
    """
    failed = False
    pairs = []
    for entry in inputs:
        try:
            pairs += _found(entry)
        except MedsrError as error:
            failed = _report(error)
    jobs = []
    for file, relative in pairs:
        try:
            jobs.append((file, _renamed(relative, suffix(file))))
        except MedsrError as error:
            failed = _report(error)
    try:
        for (file, _), target in _progress(list(zip(jobs, _targets(inputs, jobs, out), strict=True)), doing):
            try:
                if isinstance(target, MedsrError):
                    raise target
                typer.echo(work(file, target))
            except MedsrError as error:
                failed = _report(error)
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


def _progress(entries: list[_Job], doing: str) -> Iterator[_Job]:
    if len(entries) < 2 or not sys.stderr.isatty():
        yield from entries
        return
    from rich.console import Console
    from rich.progress import Progress

    # Lines that go to the terminal appear above the bar; lines that go to a pipe must not be caught by it.
    console = Console(stderr=True)
    with Progress(console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as bar:
        yield from bar.track(entries, description=doing)


def _quality(text: str) -> int | str:
    if text == "auto":
        return text
    try:
        return int(text)
    except ValueError:
        raise MedsrError(f"--quality is auto or an integer from 1 to 100, not {text}") from None


def _window(text: str | None) -> str | tuple[float, float] | None:
    if text is None or text in ("data", "full"):
        return text
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        raise MedsrError(f"--window is data, full or LOW:HIGH, not {text}") from None
    return low, high


def _codecs() -> tuple[str, ...]:
    from medsr_jax.transmission.codecs import CODECS

    return tuple(CODECS)


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    """Prints an error's line and exits 1."""
    try:
        yield
    except MedsrError as error:
        _report(error)
        raise typer.Exit(1) from None


def _report(error: MedsrError) -> bool:
    typer.echo(str(error), err=True)
    return True


def main() -> None:
    """The `medsr` command."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
