"""The place of a packet's header in ordinary image files.

| file | where the header is |
|-|-|
| JPEG | a COM segment after the start marker |
| JPEG 2000 code stream | a COM segment at the end of the main header, Latin text |
| AVIF | a top-level `uuid` box at the end |
| VVC byte stream | supplemental information (SEI) of the kind for users' own data, before the picture |

Decoders pass over all four. DICOM has a private block instead (`dicom_packet`).
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import uuid
from collections.abc import Callable

from medsr_jax.jpeg.segments import COMMENT, COMMENT_2000, START_OF_SCAN, START_OF_TILE_PART, segments, without
from medsr_jax.transmission.vvc_units import INFORMATION, START, escaped, is_slice, is_vvc, unescaped, units

_BOX = uuid.uuid5(uuid.NAMESPACE_URL, "medsr_jax packet header").bytes
_USER_DATA = 5  # unregistered, by a UUID (ITU-T H.274, 8.2.1)
_LATIN = b"\x00\x01"  # Rcom of JPEG 2000: the comment is ISO 8859-15 text (T.800, A.9.2)
_HEADER = re.compile(rb"medsr\d")


@dataclasses.dataclass(frozen=True)
class Container:
    """How one kind of file holds a header.

    Attributes:
        codec: of its code stream, a name of `CODECS`.
        begins: whether bytes begin such a file; 64 of them suffice.
        insert: (code stream, header) -> file.
        extract: file -> (code stream, header), the latter None where it has none.
    """

    codec: str
    begins: Callable[[bytes], bool]
    insert: Callable[[bytes, bytes], bytes]
    extract: Callable[[bytes], tuple[bytes, bytes | None]]


def container_of(data: bytes) -> Container | None:
    """The container whose first bytes these are; None for other files."""
    return next((container for container in CONTAINERS.values() if container.begins(data[:64])), None)


def _insert_jpeg(stream: bytes, header: bytes) -> bytes:
    return stream[:2] + _segment(COMMENT, header) + stream[2:]


def _insert_jpeg2000(stream: bytes, header: bytes) -> bytes:
    *_, tile_part = segments(stream, last=START_OF_TILE_PART)
    return stream[: tile_part.start] + _segment(COMMENT_2000, _LATIN + header) + stream[tile_part.start :]


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


def _extract_jpeg(data: bytes) -> tuple[bytes, bytes | None]:
    return _extract(data, marker=COMMENT, last=START_OF_SCAN, skipped=0)


def _extract_jpeg2000(data: bytes) -> tuple[bytes, bytes | None]:
    return _extract(data, marker=COMMENT_2000, last=START_OF_TILE_PART, skipped=len(_LATIN))


def _extract(data: bytes, *, marker: int, last: int, skipped: int) -> tuple[bytes, bytes | None]:
    for segment in segments(data, last=last):
        header = segment.body[skipped:]
        if segment.marker == marker and _HEADER.match(header):
            return without(data, [segment]), header
    return data, None


def _insert_avif(stream: bytes, header: bytes) -> bytes:
    return stream + (24 + len(header)).to_bytes(4, "big") + b"uuid" + _BOX + header


def _extract_avif(data: bytes) -> tuple[bytes, bytes | None]:
    at = data.rfind(b"uuid" + _BOX)
    if at < 4 or int.from_bytes(data[at - 4 : at], "big") != len(data) - at + 4:
        return data, None
    return data[: at - 4], data[at + 20 :]


def _insert_vvc(stream: bytes, header: bytes) -> bytes:
    picture = next((unit.start for unit in units(stream) if is_slice(unit)), len(stream))
    return stream[:picture] + _information(header) + stream[picture:]


def _information(header: bytes) -> bytes:
    """A unit of supplemental information (7.3.6, D.2.1), with its start code."""
    message = _BOX + header
    size = b"\xff" * (len(message) // 255) + bytes([len(message) % 255])
    return START + escaped(bytes([0, INFORMATION << 3 | 1, _USER_DATA]) + size + message + b"\x80")


def _extract_vvc(data: bytes) -> tuple[bytes, bytes | None]:
    for unit, following in itertools.pairwise(units(data)):
        plain = unescaped(unit.body)
        if unit.kind == INFORMATION and _BOX in plain:
            header = plain[plain.index(_BOX) + len(_BOX) :].removesuffix(b"\x80")
            if data[unit.start : following.start] == _information(header):
                return data[: unit.start] + data[following.start :], header
    return data, None


CONTAINERS: dict[str, Container] = {
    container.codec: container
    for container in (
        Container("jpeg", lambda start: start.startswith(b"\xff\xd8"), _insert_jpeg, _extract_jpeg),
        Container("jpeg2000", lambda start: start.startswith(b"\xff\x4f\xff\x51"), _insert_jpeg2000, _extract_jpeg2000),
        Container("vvc", is_vvc, _insert_vvc, _extract_vvc),
        Container("avif", lambda start: start[4:8] == b"ftyp" and b"avif" in start[8:], _insert_avif, _extract_avif),
    )
}
