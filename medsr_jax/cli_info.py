"""The command that shows what a packet or a weights file says of itself."""

from __future__ import annotations

import json
import math
import pathlib
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from medsr_jax.errors import named
from medsr_jax.jobs import failing
from medsr_jax.terminal import say


def register(app: typer.Typer) -> None:
    """Add the command to ``medsr``."""
    app.command()(info)


def info(file: Annotated[pathlib.Path, typer.Argument(help="A packet or a weights file.")]) -> None:
    """Say what a packet or a weights file says of itself."""
    with failing():
        lines = _weights_lines(file) if file.suffix == ".safetensors" else _packet_lines(file)
        for name, value in list(lines):
            say(f"{name:14} {value}")


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
    """The metadata in a safetensors header; no tensor is loaded, and no JAX."""
    metadata, shapes = _header(file)
    if not metadata.get("format", "").startswith("medsr-weights"):
        yield "weights", f"{len(shapes)} tensors, not of this package; bring them in with `medsr import`"
        yield from metadata.items()
        return
    try:
        model, fields, card = metadata["model"], metadata["fields"], json.loads(metadata["card"])
    except KeyError as error:
        raise named(file, f"the weights file is damaged (its {error.args[0]} is missing); fetch it again") from error
    except (ValueError, RecursionError) as error:
        raise named(file, "the weights file is damaged (its card is no JSON); fetch it again") from error
    if not isinstance(card, dict):
        raise named(file, "the weights file is damaged (its card is no JSON object); fetch it again")
    yield "weights", f"{model}, {sum(math.prod(shape) for shape in shapes):,} parameters"
    yield from card.items()
    yield "fields", fields


def _header(file: pathlib.Path) -> tuple[dict[str, str], list[Any]]:
    import safetensors

    try:
        # Its reader refuses what a header could do: lengths beyond the file, overlaps, nesting, other types.
        with safetensors.safe_open(file, framework="numpy") as opened:
            return opened.metadata() or {}, [opened.get_slice(key).get_shape() for key in opened.keys()]  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise named(file, f"is no weights file, or damaged ({_first_words(error)}); fetch it again") from error


def _first_words(error: Exception) -> str:
    return str(error)[:200]
