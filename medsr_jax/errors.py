"""The one exception that a user's input can cause."""

from __future__ import annotations

import os
import pathlib


class MedsrError(Exception):
    """A problem that the user can act on, as one line that names the file and the remedy.

    The command line prints the message and no traceback, goes on with its other inputs and exits 1.
    Anything else that escapes from the package is a defect of the package.
    """


class UsageError(MedsrError):
    """An option or argument whose value or combination is wrong, before any file is read; exit status 2."""


def named(path: str | os.PathLike[str], problem: str) -> MedsrError:
    """A `MedsrError` in the form that the command line prints: ``PATH: problem``."""
    return MedsrError(f"{pathlib.Path(path)}: {' '.join(problem.split())}")
