"""Pixel data coded without loss, in the transfer syntaxes that archives take most."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from medsr_jax.errors import MedsrError, ParameterError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

EXPLICIT = "1.2.840.10008.1.2.1"
SYNTAXES = {"explicit": EXPLICIT, "jpeg-ls": "1.2.840.10008.1.2.4.80", "jpeg2000": "1.2.840.10008.1.2.4.90"}
"""Explicit VR Little Endian without compression; JPEG-LS Lossless (PS3.5 8.2.3); JPEG 2000 Lossless Only (8.2.4)."""

_KEYWORDS = {"explicitvrlittleendian": "explicit", "jpeglslossless": "jpeg-ls", "jpeg2000lossless": "jpeg2000"}
"""pydicom's, which are those of PS3.6 Table A-1, in lower case."""
_DEEPEST = 16


def syntax_of(name: str) -> str:
    """The UID of a transfer syntax, by a name of `SYNTAXES`, its keyword in PS3.6 Table A-1, or the UID itself.

    Raises:
        ParameterError: it is none of these.
    """
    lower = name.strip().lower()
    uid = SYNTAXES.get(_KEYWORDS.get(lower, lower), name)
    if uid not in SYNTAXES.values():
        raise ParameterError("transfer_syntax", f"must be one of {', '.join(SYNTAXES)}, its keyword or UID, not {name}")
    return uid


def code_losslessly(dataset: Dataset, frames: np.ndarray, syntax: str) -> None:
    """Replace the native pixel data of a data set by the same values, coded without loss.

    LossyImageCompression, its ratios and methods stay: coding without loss undoes no loss and adds none
    (PS3.3 C.7.6.1.1.5).

    Args:
        dataset: with file meta information, changed in place.
        frames: (frames, rows, columns), the values that it holds.
        syntax: UID of one of `SYNTAXES`.

    Raises:
        MedsrError: values of more than 16 bits, which neither codec carries here; for JPEG-LS on Python 3.11 also fewer
            than 8x8 pixels of other than 8 and 16 bits, or pyjpegls is not installed.
    """
    from pydicom.dataelem import DataElement
    from pydicom.encaps import encapsulate, encapsulate_extended
    from pydicom.uid import UID

    if syntax == EXPLICIT:
        return
    bits, signed = int(dataset.BitsStored), bool(dataset.PixelRepresentation)
    if bits > _DEEPEST:
        raise MedsrError(f"values of {bits} bits can't be coded in {UID(syntax).name}", remedy="take explicit")
    encode = _jpeg_ls if syntax == SYNTAXES["jpeg-ls"] else _jpeg_2000
    streams = [encode(np.ascontiguousarray(frame), bits, signed) for frame in frames]
    # The basic offset table counts to 4 GiB.
    if sum(map(len, streams)) < 2**32 - 2**20:
        value = encapsulate(streams)
    else:
        value, dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = encapsulate_extended(streams)
    dataset["PixelData"] = DataElement("PixelData", "OB", value)
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = UID(syntax)


def _jpeg_ls(frame: np.ndarray, bits: int, signed: bool) -> bytes:
    """JPEG-LS knows no sign: signed values travel as the bits that they are stored in (PS3.5 8.2.3)."""
    import imagecodecs

    unsigned = np.dtype("uint8" if bits <= 8 else "uint16")
    pattern = frame.astype(np.dtype(f"int{8 * unsigned.itemsize}")).view(unsigned) if signed else frame
    kept = (pattern & unsigned.type((1 << bits) - 1)).astype(unsigned)
    if bits in (8, 16):
        return bytes(imagecodecs.jpegls_encode(kept))
    precision = max(bits, 2)  # the encoders want 2 bits at least
    encode: Any = imagecodecs.jpegls_encode  # whose stub for Python 3.11 has no precision
    if _takes_bits(encode):
        return bytes(encode(kept, bitspersample=precision))
    return _jpeg_ls_by_pyjpegls(kept, precision)


def _takes_bits(encode: Callable[..., object]) -> bool:
    """Whether imagecodecs can be told a precision; on Python 3.11 its last version can't."""
    return "bitspersample" in inspect.signature(encode).parameters


def _jpeg_ls_by_pyjpegls(frame: np.ndarray, precision: int) -> bytes:
    try:
        from jpeg_ls import encode_buffer
    except ImportError as error:
        raise MedsrError(
            f"JPEG-LS of {precision} bits needs pyjpegls on Python 3.11",
            remedy="install it with: pip install 'medsr-jax[restore]', or take jpeg2000",
        ) from error
    rows, columns = frame.shape
    try:
        return bytes(encode_buffer(frame.tobytes(), rows, columns, 1, precision))
    except RuntimeError as error:  # it has room for twice the pixels, which for a few of them is less than the header
        raise MedsrError(f"{rows}x{columns} pixels are too few for JPEG-LS here", remedy="take explicit") from error


def _jpeg_2000(frame: np.ndarray, bits: int, signed: bool) -> bytes:
    import imagecodecs

    values = frame.astype(f"{'' if signed else 'u'}int{8 if bits <= 8 else 16}")
    return bytes(imagecodecs.jpeg2k_encode(values, 0, codecformat="j2k", reversible=True, bitspersample=bits))
