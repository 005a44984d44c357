"""The end of `medsr` after wrong usage or an interruption: one line and an exit status for each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from medsr_jax import terminal

INTERRUPTED, WRONG_USAGE = 130, 2

# Typer has had its own copy of Click since 0.26 and its users' names for few of the exceptions.
_UsageError: Any = typer.BadParameter.__mro__[1]


class OneLineGroup(TyperGroup):
    """The command with its subcommands. In place of usage and a box, a wrong command line is one line."""

    def main(  # type: ignore[override]  # by keyword, as Typer calls it
        self,
        args: Sequence[str] | None = None,
        *,
        prog_name: str | None = None,
        standalone_mode: bool = True,
        **more: Any,
    ) -> Any:
        """Run a command line; as Typer's own, but for how its errors are printed."""
        terminal.set_quiet()  # a program may run several commands in turn
        options: dict[str, Any] = {"prog_name": prog_name or "medsr", **more}  # of `python -m medsr_jax` too
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **options)
        try:
            status = super().main(args, standalone_mode=False, **options)
        except _UsageError as error:
            _end(error)
        except typer.Abort:
            sys.exit(INTERRUPTED)
        sys.exit(status if isinstance(status, int) else 0)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Ctrl-C, where the command says nothing of it, is a line too."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            terminal.complain("interrupted")
            raise typer.Exit(INTERRUPTED) from None


def _end(error: Any) -> NoReturn:
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        sys.exit(WRONG_USAGE)
    context = error.ctx
    path = "medsr" if context is None else context.command_path
    # Click's sentence goes on from the command's name.
    message = " ".join(error.format_message().split()).rstrip(".").replace(". Did you", "; did you")
    message = message[:1].lower() + message[1:]
    terminal.complain(f"{path}: {message} ({path} --help)")
    sys.exit(WRONG_USAGE)
