"""The command that shows what packets, images and weights files say of themselves."""

from __future__ import annotations

import dataclasses
import difflib
import pathlib
from typing import Annotated

import typer

from medsr_jax.cli.batch import failing, reading, report
from medsr_jax.cli.decoding import Call
from medsr_jax.cli.key import Key, key_of
from medsr_jax.cli.model_options import packaged_models
from medsr_jax.cli.option_groups import expanded
from medsr_jax.terminal import emit, say


def register(app: typer.Typer) -> None:
    """Add the command to ``medsr``."""
    app.command()(expanded(info))


Things = Annotated[
    list[str],
    typer.Argument(
        help="Packets, images, weights files, folders of them, and names of packaged models.",
        autocompletion=lambda: packaged_models(),
    ),
]


def info(
    things: Things,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    key: Key = None,
) -> None:
    """Say what packets, images and weights files say of themselves."""
    with failing(usage=True):
        secret = key_of(key)
    found = [pair for thing in things for pair in _files(thing)]
    problems = 0
    with (
        failing(),
        reading(
            Call("medsr_jax.cli.describing", "described", {"key": secret}), [file for _, file in found]
        ) as outcomes,
    ):
        for (name, _), outcome in zip(found, outcomes, strict=True):
            if outcome.problem:
                problems += report(dataclasses.replace(outcome, problem=outcome.problem + _meant(name)))
            elif as_json:
                emit({"file": name, **outcome.value.facts})
            else:
                if len(found) > 1:
                    say(name)
                for label, text in outcome.value.lines:
                    say(f"{label:14} {text}")
    if problems:
        raise typer.Exit(1)


def _files(thing: str) -> list[tuple[str, pathlib.Path]]:
    """The files behind an argument, with what each is called."""
    from medsr_jax.files import find_inputs

    if not pathlib.Path(thing).exists() and thing in packaged_models():
        from medsr_jax.weights.model_file import find

        return [(thing, find(thing))]
    return [(str(file), file) for file, _ in find_inputs([thing])]


def _meant(name: str) -> str:
    """The packaged model that a name is close to, where there is no such file."""
    close = [] if pathlib.Path(name).exists() else difflib.get_close_matches(name, packaged_models(), 1)
    return f"; did you mean {close[0]}?" if close else ""
