"""DICOM files as data sets, within bounds of memory and depth."""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING

from medsr_jax.errors import MedsrError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_DEFLATED = "1.2.840.10008.1.2.1.99"
_EXPLICIT = "1.2.840.10008.1.2.1"
MOST_INFLATED = 2**28
"""Most bytes that a deflated data set may inflate to; a few kilobytes could otherwise fill any memory."""


def parse(data: bytes, *, name: str) -> tuple[Dataset, tuple[str, ...]]:
    """The data set of a file, every element parsed, and notes on those that can't be.

    Raises:
        MedsrError: there is no image in it, it inflates without bound, or its sequences are nested too deep.
    """
    import pydicom

    from medsr_jax.imaging.dicom.verbatim import parse_elements  # of pydicom's classes, which take a while to import

    inflated = _inflated(data, name=name)
    dataset = pydicom.dcmread(io.BytesIO(data if inflated is None else inflated), force=True)
    syntax = dataset.file_meta.get("TransferSyntaxUID", "")
    if not isinstance(syntax, str):
        raise MedsrError(f"has {len(syntax)} transfer syntaxes", path=name, remedy="a file has one, so write it anew")
    if inflated is not None:
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(_DEFLATED)
    sop_class = str(dataset.get("SOPClassUID", "") or dataset.file_meta.get("MediaStorageSOPClassUID", ""))
    if not any(keyword in dataset for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        what = f" ({pydicom.uid.UID(sop_class).name})" if sop_class else ""
        raise MedsrError(f"is a DICOM file without pixel data{what}", path=name, remedy="name a DICOM image")
    if "PixelData" not in dataset:
        raise MedsrError(
            "holds floating-point pixels (a parametric map), which no lossy DICOM object can carry", path=name
        )
    return dataset, parse_elements(dataset)


def is_deflated(data: bytes) -> bool:
    """Whether the data set is deflated, so that reading it takes more memory than the file."""
    found = _meta_syntax(data)
    return found is not None and found[2].rstrip(b"\0 ") == _DEFLATED.encode()


def _inflated(data: bytes, *, name: str) -> bytes | None:
    """The file with its data set inflated, under the explicit transfer syntax; None unless it is deflated."""
    found = _meta_syntax(data)
    if found is None or not is_deflated(data):
        return None
    first, last, _, end = found
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        body = inflate.decompress(data[end:], MOST_INFLATED + 1)
    except zlib.error as error:
        raise MedsrError(f"is a damaged DICOM file: {error}", path=name) from error
    if len(body) > MOST_INFLATED:
        raise MedsrError(
            f"inflates to more than {MOST_INFLATED >> 20} MiB",
            path=name,
            remedy="store it under another transfer syntax",
        )
    return data[:first] + _EXPLICIT.encode().ljust(last - first, b"\0") + data[last:end] + body


def _meta_syntax(data: bytes) -> tuple[int, int, bytes, int] | None:
    """Start, end and value of the transfer syntax, and the end of the file meta information (PS3.10 section 7.1)."""
    at = 132 if data[128:132] == b"DICM" else 0
    found = None
    while at + 8 <= len(data):
        group, element, vr, length = struct.unpack_from("<HH2sH", data, at)
        if group != 0x0002:
            break
        at += 8
        if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC", b"UR"):
            if at + 4 > len(data):
                break
            (length,) = struct.unpack_from("<I", data, at)
            at += 4
        if element == 0x0010:
            found = at, at + length, data[at : at + length]
        at += length
    return (*found, at) if found else None
