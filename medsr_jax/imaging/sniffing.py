"""Detect an image file's kind from its first bytes, never from its name."""

from __future__ import annotations

import os
import struct

from medsr_jax.errors import MedsrError
from medsr_jax.files import read_file

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_OTHERS = {
    b"\0\0\0\x0cjP": "a JPEG 2000 file",
    b"\xff\x4f\xff\x51": "a JPEG 2000 code stream",
    b"GIF8": "a GIF",
    b"BM": "a BMP",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"\xd3\x6d": "a thin packet",
    b"SIMPLE": "a FITS file",
}


def sniff(path: str | os.PathLike[str]) -> str:
    """The kind of image that a file holds: "png", "jpeg", "tiff" or "dicom".

    DICOM data sets without the 128-byte preamble are recognised by their first element.

    Raises:
        MedsrError: the file can't be opened, is empty, or is none of these.
    """
    kinds: list[str] = []
    read_file(path, check=lambda start: kinds.append(kind_of(start)))
    return kinds[0]


def kind_of(start: bytes) -> str:
    """The kind of image that begins with these bytes, 132 or more where it has as many.

    Raises:
        MedsrError: it is none of those that are read.
    """
    if not start:
        raise MedsrError("is empty")
    if start[128:132] == b"DICM":
        return "dicom"
    if start.startswith(b"\x89PNG"):
        return "png"
    if start.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if start.startswith(_TIFF_STARTS):
        return "tiff"
    if _starts_data_set(start):
        return "dicom"
    for magic, what in _OTHERS.items():
        if start.startswith(magic):
            raise MedsrError(f"is {what}", remedy="PNG, JPEG, TIFF and DICOM are read")
    if _is_text(start):
        raise MedsrError("is a text file, not an image", remedy="PNG, JPEG, TIFF and DICOM are read")
    raise MedsrError("is no PNG, JPEG, TIFF or DICOM file")


def _starts_data_set(start: bytes) -> bool:
    """Whether the bytes look like the first element of a DICOM data set or of its file meta information."""
    if len(start) < 8:
        return False
    for order in "<>":
        group, element = struct.unpack(f"{order}HH", start[:4])
        if group not in (0x0002, 0x0008) or element > 0x1200:
            continue
        if start[4:6].isalpha() and start[4:6].isupper():
            return True
        # Implicit VR: a length of four bytes, short for the identifiers that come first.
        if struct.unpack(f"{order}I", start[4:8])[0] <= 256:
            return True
    return False


def _is_text(start: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\n\r\f" for byte in start)
