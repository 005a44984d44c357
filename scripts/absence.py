"""Importing this makes a package that is not installed one line, which says how to install it, and no traceback."""

from __future__ import annotations

import sys
from types import TracebackType

from medsr_jax.errors import missing_part


def _explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    missing = missing_part(error, what="this script") if isinstance(error, ImportError) else None
    if missing:
        print(missing, file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _explain
