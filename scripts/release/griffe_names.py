"""A griffe extension for the API pages: entries of several names in a docstring become an entry for each.

    rows, columns: of the original.

The house style groups names that share a meaning; griffe expects one name an entry, and warns of others.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises):$")
_ENTRY = re.compile(r"^(\s+)(\w+(?:, \w+)+):(.*)$")


class SplitNames(griffe.Extension):
    """Split entries of several names in the Args and Attributes sections of every docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of a module, class, function or attribute once it is loaded."""
        if obj.docstring is not None:
            obj.docstring.value = split(obj.docstring.value)


def split(docstring: str) -> str:
    """The docstring with an entry for each name; lines that continue an entry are repeated with it."""
    lines = docstring.splitlines()
    result: list[str] = []
    section = ""
    at = 0
    while at < len(lines):
        line = lines[at]
        if found := _SECTION.match(line):
            section = found[1]
        elif line and not line[0].isspace():
            section = ""
        entry = _ENTRY.match(line) if section in ("Args", "Attributes") else None
        end = at + 1
        if entry is None:
            result.append(line)
        else:
            deeper = f"{entry[1]} "
            while end < len(lines) and lines[end].startswith(deeper):
                end += 1
            for name in entry[2].split(", "):
                result += [f"{entry[1]}{name}:{entry[3]}", *lines[at + 1 : end]]
        at = end
    return "\n".join(result)
