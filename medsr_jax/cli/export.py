"""The command that hands models to other programs."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from medsr_jax.cli.batch import failing
from medsr_jax.cli.model_options import packaged_models
from medsr_jax.cli.option_groups import expanded
from medsr_jax.errors import MedsrError, UsageError, require
from medsr_jax.terminal import say

if TYPE_CHECKING:
    from medsr_jax.weights import model_file


def register(app: typer.Typer) -> None:
    """Add the command to ``medsr``."""
    app.command()(expanded(export))


def export(
    model: Annotated[
        str,
        typer.Argument(
            autocompletion=lambda: packaged_models(), help="A packaged model's name (`medsr models`) or a weights file."
        ),
    ],
    out: Annotated[pathlib.Path, typer.Option("-o", "--out", help="The file to make.")],
    format: Annotated[
        str,
        typer.Option(
            autocompletion=lambda: list(_WRITERS), help="onnx or stablehlo, the latter for programs that have JAX."
        ),
    ] = "onnx",
    scale: Annotated[
        int | None,
        typer.Option(help="Of a model of several scales: the one to write.", show_default="the model's first"),
    ] = None,
    grey: Annotated[bool, typer.Option("--grey", help="Fold a model of colours to one of grey images.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace older files.")] = False,
) -> None:
    """Write a model, weights inside, as a file that other programs run."""
    with failing(usage=True):
        if format not in _WRITERS:
            raise UsageError(f"--format is one of {', '.join(_WRITERS)}, not {format}")
        files = [out] if format == "onnx" else [out, _beside(out)]
        for file in files:
            _check_target(file, overwrite=overwrite)
        require("restore", what="medsr export")
        from medsr_jax.weights.model_file import find

        find(model)
    with failing():
        from medsr_jax.weights import model_file
        from medsr_jax.weights.exporting.interface import WARNING
        from medsr_jax.weights.grey import for_grey

        weights = model_file.load(model)
        weights = for_grey(weights) if grey else weights
        if weights.scales or scale is not None:
            weights = weights.at_scale(weights.scales[0] if scale is None else scale)
        how = _WRITERS[format](weights, out)
        for file in files:
            say(f"{file}: {file.stat().st_size:,} bytes")
        name = weights.card.get("name") or weights.path.stem
        say(f"  {name}, {weights.model}, {weights.parameters:,} parameters")
        for line in _ends(weights, channels_first=format == "onnx"):
            say(f"  {line}")
        say(f"  {WARNING}")
        say(how)


def _onnx(weights: model_file.Weights, out: pathlib.Path) -> str:
    from medsr_jax.files import atomic_write
    from medsr_jax.weights.exporting.interface import interface
    from medsr_jax.weights.exporting.onnx_graph import onnx_model

    atomic_write(out, onnx_model(weights).SerializeToString())
    inputs = "{'image': image, 'strength': strength}" if interface(weights).strength else "{'image': image}"
    return f"run it in Python with onnxruntime.InferenceSession({str(out)!r}).run(None, {inputs})[0]"


def _stablehlo(weights: model_file.Weights, out: pathlib.Path) -> str:
    from medsr_jax.files import atomic_write
    from medsr_jax.weights.exporting.interface import interface, metadata
    from medsr_jax.weights.exporting.stablehlo import serialized

    data = serialized(weights)
    # First, so that no model is written without its description.
    atomic_write(_beside(out), (json.dumps(metadata(weights), indent=2) + "\n").encode())
    atomic_write(out, data)
    inputs = "image, strength" if interface(weights).strength else "image"
    return (
        f"run it in Python with jax.export.deserialize(open({str(out)!r}, 'rb').read()).call({inputs}),"
        " or with scripts/release/run_stablehlo.py"
    )


def _ends(weights: model_file.Weights, *, channels_first: bool) -> list[str]:
    """Inputs and output with their axes."""
    from medsr_jax.models.conditions import CONDITIONED_CODECS
    from medsr_jax.weights.exporting.interface import IMAGE, RESULT, STRENGTH, interface

    ends = interface(weights)

    def axes(channels: int, scale: int) -> str:
        sides = [side if scale == 1 else f"{scale} {side}" for side in ("height", "width")]
        return ", ".join(["batch", str(channels), *sides] if channels_first else ["batch", *sides, str(channels)])

    multiple = f", height and width multiples of {ends.multiple}" if ends.multiple > 1 else ""
    lines = [f"input  {IMAGE} ({axes(ends.channels, 1)}) float32 in [0, 1], bone white{multiple}"]
    if ends.strength:
        quantised = "the mean of the 15 lowest frequencies' JPEG quantisation steps over 16; 0 if never JPEG-coded"
        if ends.conditional:
            quantised = (
                f"a number for each of {', '.join(CONDITIONED_CODECS)} (see the file's metadata), 0 for the others"
            )
        shape = "batch, 3" if ends.conditional else "batch"
        lines.append(f"input  {STRENGTH} ({shape}) float32, {quantised}")
    return [*lines, f"output {RESULT} ({axes(ends.out_channels, ends.scale)}) float32, not clipped"]


def _beside(out: pathlib.Path) -> pathlib.Path:
    """The file of a model's description, for formats that have no place for it."""
    return out.with_name(f"{out.name}.json")


def _check_target(path: pathlib.Path, *, overwrite: bool) -> None:
    if path.is_dir():
        raise MedsrError("is a folder", path=path, remedy="name a file to write")
    if path.exists() and not overwrite:
        raise MedsrError("is there already", path=path, remedy="give --overwrite to replace it, or choose another name")
    if not path.parent.is_dir():
        raise MedsrError(f"{path.parent}: no such folder", remedy="make it, or name another output")


_WRITERS: dict[str, Callable[[model_file.Weights, pathlib.Path], str]] = {"stablehlo": _stablehlo, "onnx": _onnx}
