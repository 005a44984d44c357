"""Text from files, made safe to show: what a terminal or a browser would obey becomes visible."""

from __future__ import annotations

import re

# C0, DEL and C1 move cursors and colour screens; marks and overrides of direction make one name look like another;
# surrogates stand for bytes that are no text, and can't be encoded.
_COMMANDS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]",
)


def visible(text: str) -> str:
    r"""The text in one line, with control characters, direction overrides and surrogates as ``\x1b`` or ``\u202e``.

    Surrogates that stand for bytes of a file name (`os.fsdecode`) become these bytes, such as ``\xff``.
    """
    return _COMMANDS.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
