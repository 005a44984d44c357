"""Importing this makes one line of what a user can act on, and no traceback.

That is a package that is not installed, with the command that installs it, and a file that can't be used.
"""

from __future__ import annotations

import sys
from types import TracebackType

from medsr_jax.errors import MedsrError, missing_part


def _explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    known: MedsrError | None = missing_part(error, what="this script") if isinstance(error, ImportError) else None
    if known is None and isinstance(error, MedsrError):
        known = error
    if known is not None:
        print(known, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _explain
