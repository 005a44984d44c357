"""Options that several commands share, as one parameter: a dataclass whose fields are annotated as Typer has them."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import sys
import typing
from collections.abc import Callable
from typing import Annotated, Any

import typer

from medsr_jax import terminal

_KIND = inspect.Parameter.POSITIONAL_OR_KEYWORD


def _debug(shown: bool) -> bool:
    if shown:
        terminal.set_debug(True)
    return shown


Debug = Annotated[
    bool,
    typer.Option("--debug", callback=_debug, help="Print the traceback of each problem, for reports of defects."),
]


def expanded(command: Callable[..., None]) -> Callable[..., None]:
    """The command as Typer takes it: with --debug, and in place of each parameter that is a dataclass its fields.

    Args:
        command: a function, called with instances of the dataclasses that its parameters are annotated with.
    """
    hints = typing.get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)}

    @functools.wraps(command)
    def call(**values: Any) -> None:
        del values["debug"]  # its callback has used it
        for name, group in groups.items():
            fields = [field.name for field in dataclasses.fields(group)]
            values[name] = group(**{field: values.pop(field) for field in fields})  # type: ignore[operator]
        command(**values)

    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name in groups:
            parameters += _parameters(groups[parameter.name])
        else:
            parameters.append(parameter.replace(annotation=hints[parameter.name]))
    parameters.append(inspect.Parameter("debug", _KIND, default=False, annotation=Debug))
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call


def _parameters(group: Any) -> list[inspect.Parameter]:
    # Explicitly: else functions in the annotations of a class would lose their module's names.
    names = vars(sys.modules[group.__module__])
    hints = typing.get_type_hints(group, globalns=names, include_extras=True)
    return [
        inspect.Parameter(field.name, _KIND, default=field.default, annotation=hints[field.name])
        for field in dataclasses.fields(group)
    ]
