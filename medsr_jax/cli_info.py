"""The command that shows what packets, images and weights files say of themselves."""

from __future__ import annotations

import json
import math
import pathlib
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from medsr_jax.cli_key import Key, key_of
from medsr_jax.errors import MedsrError, named
from medsr_jax.jobs import Debug, failing, report
from medsr_jax.outcome import attempt
from medsr_jax.terminal import say


def register(app: typer.Typer) -> None:
    """Add the command to ``medsr``."""
    app.command()(info)


Things = Annotated[
    list[str],
    typer.Argument(
        help="Packets, images, weights files, folders of them, and names of packaged models.",
        autocompletion=lambda: _model_names(),
    ),
]


def info(
    things: Things,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    key: Key = None,
    debug: Debug = False,
) -> None:
    """Say what packets, images and weights files say of themselves."""
    from medsr_jax.files import find_inputs

    problems, found = 0, list[tuple[str, pathlib.Path]]()
    with failing(usage=True):
        secret = key_of(key)
        for thing in things:
            if (packaged := _packaged(thing)) is not None:
                found.append((thing, packaged))
            else:
                found += [(str(file), file) for file, _ in find_inputs([thing])]
    for name, file in found:
        outcome = attempt(lambda file: list(_lines(file, secret)), file)
        if outcome.value is None:
            problems += report(outcome)
        elif as_json:
            say(json.dumps({"file": name, **_object(outcome.value)}))
        else:
            if len(found) > 1:
                say(name)
            for label, value in outcome.value:
                say(f"{label:14} {value}")
    if problems:
        raise typer.Exit(1)


def _lines(file: pathlib.Path, key: bytes | None) -> Iterator[tuple[str, object]]:
    from medsr_jax.transmission.packet_io import is_packet

    if file.suffix == ".safetensors":
        return _weights_lines(file)
    kind = _kind(file)
    if kind == "dicom":
        return _dicom_lines(file, key)
    if kind in ("png", "tiff") or (kind == "jpeg" and not is_packet(file)):
        return _image_lines(file)
    return _packet_lines(file, key)


def _kind(file: pathlib.Path) -> str:
    """The kind of image; empty for what is none that is read, such as an AVIF, which may be a packet."""
    from medsr_jax.imaging.sniffing import kind_of, read_start

    start = read_start(file)
    try:
        return kind_of(start, file)
    except MedsrError:
        return ""


def _dicom_lines(file: pathlib.Path, key: bytes | None) -> Iterator[tuple[str, object]]:
    from medsr_jax.imaging.reading import read_image
    from medsr_jax.transmission.dicom_packet import is_dicom_packet

    image = read_image(file)
    packet = image.dataset is not None and is_dicom_packet(image.dataset)
    return _packet_lines(file, key) if packet else _image_lines(file)


def _object(lines: list[tuple[str, object]]) -> dict[str, object]:
    """Lines as one object; names that come again make a list, and what has no name belongs to the line before."""
    found: dict[str, object] = {}
    last = ""
    for label, value in lines:
        if not label:
            found[last] = f"{found[last]}; {value}"
        elif label == "note":
            found["notes"] = [*found.get("notes", []), value]  # type: ignore[misc]
        else:
            found[label], last = value, label
    return found


def _packaged(name: str) -> pathlib.Path | None:
    """The file of a packaged model's name, where no file is called so."""
    if pathlib.Path(name).exists():
        return None
    from medsr_jax.zoo.weights import find, names

    return find(name) if name in names() else None


def _model_names() -> list[str]:
    from medsr_jax.zoo import names

    return names()


def _image_lines(file: pathlib.Path) -> Iterator[tuple[str, object]]:
    """An image that is no packet, such as one that is still to be sent."""
    from medsr_jax.imaging.reading import read_image

    image = read_image(file)
    frames, rows, columns = image.pixels.shape
    many = f", {frames} frames" if frames > 1 else ""
    yield "image", f"{image.kind}, {rows} rows x {columns} columns{many}, {image.pixels.dtype}; no packet"
    yield "bytes", str(file.stat().st_size)
    yield "values", f"{image.value_range[0]:g}..{image.value_range[1]:g}{', high is black' if image.inverted else ''}"
    if image.spacing is not None:
        yield "spacing", f"{image.spacing[0]:g} x {image.spacing[1]:g} mm"
    if image.dataset is not None:
        yield "modality", image.dataset.get("Modality", "not stated")
        yield "SOP class", image.dataset.SOPClassUID.name
        syntax = getattr(getattr(image.dataset, "file_meta", None), "TransferSyntaxUID", None)
        if syntax is not None:
            yield "stored as", syntax.name
        lossy = image.dataset.get("LossyImageCompression") == "01"
        yield "lossy", "yes, compressed before" if lossy else "not as far as it says"
    for note in image.notes:
        yield "note", note


def _packet_lines(file: pathlib.Path, key: bytes | None) -> Iterator[tuple[str, object]]:
    from medsr_jax.transmission.ceilings import ratio_label
    from medsr_jax.transmission.packet_io import read_packet

    packet = read_packet(file, key=key)
    header, size = packet.header, file.stat().st_size
    frames = f", {header.frames} frames" if header.frames > 1 else ""
    yield "packet", f"format {header.version}, {header.codec} quality {header.quality}"
    yield "original", f"{header.kind}, {header.rows} rows x {header.columns} columns{frames}, {header.dtype}"
    yield "values", f"{header.value_range[0]:g}..{header.value_range[1]:g}, sent {header.low:g}..{header.high:g}"
    rows, columns = header.small_shape
    yield "sent", f"{rows} x {columns}, 1/{header.scale} by {header.kernel}, {header.levels + 1} levels"
    yield "pre-processing", header.preprocess or "none"
    for note in header.notes:
        yield "note", note
    yield "bytes", f"{size} in all, {packet.coded_bytes} of them pixels"
    yield "ratio", ratio_label(packet.ratio())
    yield "", f"{header.bits} bits a pixel of the original to the code streams; not for primary diagnosis"


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
