"""`medsr`: thin commands over the packages. What a command needs is imported when it runs: a sender loads no JAX."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from medsr_jax import cli_evaluate, cli_export, cli_import, cli_prepare, cli_receiver
from medsr_jax.cli_sending import (
    AUTO,
    Codec,
    MaxBytes,
    Scale,
    checked_budget,
    chosen_codec,
    chosen_quality,
    chosen_scale,
)
from medsr_jax.errors import MedsrError, named
from medsr_jax.jobs import Inputs, Output, failing, for_each

app = typer.Typer(
    help="Send radiographs over thin links, and restore them at the other end.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def _root() -> None:
    """Makes a lone command a subcommand too."""


@app.command()
def compress(
    inputs: Inputs,
    out: Output,
    scale: Scale = AUTO,
    quality: Annotated[
        str, typer.Option(help="1..100, or auto: 50..75 by the image's content; with --max-bytes, the best that fits.")
    ] = AUTO,
    max_bytes: MaxBytes = None,
    codec: Codec = AUTO,
    kernel: Annotated[str, typer.Option(help="Of the downscaling: area, bicubic or lanczos.")] = "area",
    window: Annotated[
        str | None,
        typer.Option(help="Stored values to keep: data, full or LOW:HIGH. [default: full at 8 bits, else data]"),
    ] = None,
    preprocess: Annotated[bool, typer.Option(help="Smooth dark or noisy images first.")] = True,
) -> None:
    """Shrink and encode images for sending. A packet is a JPEG or a DICOM object that any viewer opens."""
    with failing():
        named_codec = chosen_codec(codec)
        options = {
            "scale": chosen_scale(scale),
            "quality": chosen_quality(quality),
            "max_bytes": checked_budget(max_bytes),
            "codec": named_codec,
            "kernel": kernel,
            "window": _window(window),
            "preprocess": preprocess,
        }

    def suffix(file: pathlib.Path) -> str:
        from medsr_jax.imaging.sniffing import sniff
        from medsr_jax.transmission.budget import codec_for
        from medsr_jax.transmission.codecs import CODECS

        if sniff(file) == "dicom":
            return ".dcm"
        return CODECS[codec_for(named_codec, dicom=False, max_bytes=max_bytes)].suffix

    def work(file: pathlib.Path, target: pathlib.Path) -> str:
        from medsr_jax.transmission.ceilings import against_ceilings
        from medsr_jax.transmission.compress import compress_file

        packet, size = compress_file(file, target, **options)
        header = packet.header
        alone = packet.dataset is None
        ratio = packet.ratio(size if alone else None)
        parts = [
            f"{target}: {size} bytes" if alone else f"{target}: {size} bytes, {packet.coded_bytes} of them pixels",
            f"{ratio:.0f}:1 of the original's pixels at {header.bits} bits each",
            f"1/{header.scale} of the side",
            f"{header.codec} q {header.quality}",
            *([header.preprocess] if header.preprocess else []),
            *header.notes,
        ]
        return f"{', '.join(parts)}; {against_ceilings(ratio)}; not for primary diagnosis"

    for_each(inputs, out, suffix=suffix, work=work, doing="Compressing")


@app.command()
def info(file: Annotated[pathlib.Path, typer.Argument(help="A packet or a weights file.")]) -> None:
    """Say what a packet or a weights file says of itself."""
    with failing():
        lines = _weights_lines(file) if file.suffix == ".safetensors" else _packet_lines(file)
        for name, value in lines:
            typer.echo(f"{name:14} {value}")


def _packet_lines(file: pathlib.Path) -> Iterator[tuple[str, object]]:
    from medsr_jax.transmission.ceilings import ratio_label
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
    yield "ratio", ratio_label(ratio)
    yield "", f"{header.bits} bits a pixel of the original to the {coded}; not for primary diagnosis"


def _weights_lines(file: pathlib.Path) -> Iterator[tuple[str, object]]:
    """The metadata in a safetensors header: 8 bytes of length, then JSON."""
    import json
    import math

    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(min(length, 1 << 26)))
        tensors = {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}
    except OSError as error:
        raise named(file, f"can't be read: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise named(file, "is no weights file: its safetensors header is damaged") from error
    metadata = header.get("__metadata__", {})
    if metadata.get("format", "").startswith("medsr-weights"):
        yield "weights", f"{metadata['model']}, {sum(math.prod(shape) for shape in tensors.values()):,} parameters"
        yield from json.loads(metadata["card"]).items()
        yield "fields", metadata["fields"]
    else:
        yield "weights", f"{len(tensors)} tensors, not of this package; bring them in with `medsr import`"
        yield from metadata.items()


def _window(text: str | None) -> str | tuple[float, float] | None:
    if text is None or text in ("data", "full"):
        return text
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        raise MedsrError(f"--window is data, full or LOW:HIGH, not {text}") from None
    return low, high


cli_receiver.register(app)
cli_evaluate.register(app)
cli_prepare.register(app)
cli_import.register(app)
cli_export.register(app)


def main() -> None:
    """The `medsr` command."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
