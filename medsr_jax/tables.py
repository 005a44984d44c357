"""CSV tables that a spreadsheet shows and does not run."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

# What begins a formula in one spreadsheet or another, the full-width forms included.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_bytes(rows: Iterable[Sequence[object]]) -> bytes:
    """The rows as CSV in UTF-8; text that would be a formula gets a leading apostrophe, numbers stay numbers."""
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([cell(value) for value in row] for row in rows)
    return stream.getvalue().encode("utf-8", "backslashreplace")


def cell(value: object) -> object:
    """A value as a cell of a table."""
    if not isinstance(value, str) or not value.startswith(_FORMULA) or _is_number(value):
        return value
    return f"'{value}"


def _is_number(text: str) -> bool:
    # float() strips what surrounds a number; a spreadsheet may not.
    if text != text.strip():
        return False
    try:
        float(text)
    except ValueError:
        return False
    return True
