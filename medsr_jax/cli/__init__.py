"""The `medsr` command: one module a command, and what the commands share.

What a command needs is imported when it runs: a sender loads no JAX.
"""

from __future__ import annotations

from typing import Annotated

import typer

from medsr_jax import terminal
from medsr_jax.cli import compress, evaluate, export, import_, info, prepare, restore, unpack
from medsr_jax.cli.group import OneLineGroup

app = typer.Typer(
    cls=OneLineGroup,
    help="Send radiographs over thin links, and restore them at the other end.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(shown: bool) -> None:
    if shown:
        from medsr_jax import __version__

        terminal.say(f"medsr {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[  # noqa: ARG001  # its callback uses it
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Print the traceback of each problem, for reports of defects.")
    ] = False,
) -> None:
    """Options of all commands."""
    terminal.set_debug(debug)


compress.register(app)
restore.register(app)
unpack.register(app)
evaluate.register(app)
prepare.register(app)
import_.register(app)
info.register(app)
export.register(app)


def main() -> None:
    """The `medsr` command."""
    with terminal.session():
        app()
