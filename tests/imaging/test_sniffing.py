"""Kinds of files by their first bytes."""

from __future__ import annotations

import struct

import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.imaging.sniffing import kind_of


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (bytes(128) + b"DICM", "dicom"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"II*\0", "tiff"),
        (b"MM\0*", "tiff"),
        (b"II+\0", "tiff"),  # BigTIFF
        # Without a preamble (PS3.5, 7.1.2 and 7.1.3): (0008,0005) CS, (0008,0016) UI, (0002,0000) UL; then implicit.
        (struct.pack("<HH2sH", 8, 5, b"CS", 10), "dicom"),
        (struct.pack(">HH2sH", 8, 0x16, b"UI", 26), "dicom"),
        (struct.pack("<HH2sH", 2, 0, b"UL", 4), "dicom"),
        (struct.pack("<HHI", 8, 0x1140, 0), "dicom"),
        (struct.pack("<HHI", 8, 5, 256), "dicom"),
    ],
)
def test_images_are_told_by_their_first_bytes(start: bytes, kind: str) -> None:
    assert kind_of(start) == kind
    assert kind_of(start + bytes(200)) == kind


@pytest.mark.parametrize(
    ("start", "problem"),
    [
        (b"", "is empty"),
        (b"GIF89a", "is a GIF"),
        (b"BM\0\0", "is a BMP"),
        (b"a note\n", "is a text file"),
        # Shorter than an element, of another group, with an element number of no identifier, in lower case, too long.
        *((struct.pack("<HH2sH", 8, 5, b"CS", 10)[:length], "is no PNG, JPEG") for length in range(1, 8)),
        (struct.pack("<HH2sH", 9, 5, b"CS", 10), "is no PNG, JPEG"),
        (struct.pack("<HH2sH", 8, 0x1201, b"CS", 10), "is no PNG, JPEG"),
        (struct.pack("<HH2sH", 8, 5, b"cs", 10), "is no PNG, JPEG"),
        (struct.pack("<HHI", 8, 5, 257), "is no PNG, JPEG"),
    ],
)
def test_other_files_are_named_for_what_they_are(start: bytes, problem: str) -> None:
    with pytest.raises(MedsrError, match=problem):
        kind_of(start)
