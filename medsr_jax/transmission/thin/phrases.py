"""What a sender did to an image before downscaling, in a byte or three where it is one of the usual phrases."""

from __future__ import annotations

import re

from medsr_jax.transmission.thin.numbers import ByteReader, ByteWriter, damaged

_DARK = "dark, codes span the data"
_SMOOTHED = re.compile(r"smoothed (\d{1,3}\.\d)%")
_HAS_DARK, _HAS_SMOOTHED, _HAS_TEXT = 1, 2, 4
_LONGEST = 200


def phrase(text: str) -> bytes:
    """The bytes of a text of `PacketHeader.preprocess`."""
    out = ByteWriter()
    rest = text.removeprefix(_DARK).removeprefix(", ") if text.startswith(_DARK) else text
    dark, found = text.startswith(_DARK), _SMOOTHED.fullmatch(rest)
    out.varint(_HAS_DARK * dark | (_HAS_SMOOTHED if found else _HAS_TEXT * bool(rest)))
    if found:
        out.varint(int(found[1].replace(".", "")))
    elif rest:
        out.varint(len(rest.encode()))
        out.put(rest.encode())
    return out.joined() if _text(ByteReader(out.joined())) == text else _verbatim(text)


def _verbatim(text: str) -> bytes:
    out = ByteWriter()
    out.varint(_HAS_TEXT)
    out.varint(len(text.encode()))
    out.put(text.encode())
    return out.joined()


def read_phrase(read: ByteReader) -> str:
    """The inverse of `phrase`.

    Raises:
        MedsrError: it is damaged: no text, too long, or not of printable characters.
    """
    text = _text(read)
    if not 0 < len(text) <= _LONGEST or not text.isascii() or not text.isprintable():
        raise damaged("what was done to the image is no text")
    return text


def _text(read: ByteReader) -> str:
    flags = read.varint(7)
    parts = [_DARK] if flags & _HAS_DARK else []
    if flags & _HAS_SMOOTHED:
        parts.append(f"smoothed {read.varint(9999) / 10:.1f}%")
    if flags & _HAS_TEXT:
        parts.append(read.take(read.varint(4 * _LONGEST)).decode("utf-8", "replace"))
    return ", ".join(parts)
