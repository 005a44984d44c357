"""Pixel data coded without loss, in the transfer syntaxes that archives take most."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from medsr_jax.errors import MedsrError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

EXPLICIT = "1.2.840.10008.1.2.1"
SYNTAXES = {"explicit": EXPLICIT, "jpeg-ls": "1.2.840.10008.1.2.4.80", "jpeg2000": "1.2.840.10008.1.2.4.90"}
"""Explicit VR Little Endian without compression; JPEG-LS Lossless (PS3.5 8.2.3); JPEG 2000 Lossless Only (8.2.4)."""

_DEEPEST = 16


def syntax_of(name: str) -> str:
    """The UID of a transfer syntax, by a name of `SYNTAXES` or by the UID itself.

    Raises:
        MedsrError: it is neither.
    """
    uid = SYNTAXES.get(name.lower(), name)
    if uid not in SYNTAXES.values():
        raise MedsrError(f"the transfer syntax is one of {', '.join(SYNTAXES)} or its UID, not {name}")
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
        MedsrError: values of more than 16 bits, which neither codec carries here.
    """
    from pydicom.dataelem import DataElement
    from pydicom.encaps import encapsulate, encapsulate_extended
    from pydicom.uid import UID

    if syntax == EXPLICIT:
        return
    bits, signed = int(dataset.BitsStored), bool(dataset.PixelRepresentation)
    if bits > _DEEPEST:
        raise MedsrError(f"values of {bits} bits can't be coded in {UID(syntax).name}; take explicit")
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
    options: dict[str, Any] = {}
    if bits not in (8, 16):
        if not jpeg_ls_takes_bits():
            raise MedsrError(f"{bits} bits in JPEG-LS need imagecodecs 2026.10, on Python 3.12; take jpeg2000")
        options["bitspersample"] = max(bits, 2)  # the encoder wants 2 at least
    return bytes(imagecodecs.jpegls_encode(kept, **options))


def jpeg_ls_takes_bits() -> bool:
    """Whether the encoder can be told of other precisions than 8 and 16 bits."""
    import imagecodecs

    return "bitspersample" in inspect.signature(imagecodecs.jpegls_encode).parameters


def _jpeg_2000(frame: np.ndarray, bits: int, signed: bool) -> bytes:
    import imagecodecs

    values = frame.astype(f"{'' if signed else 'u'}int{8 if bits <= 8 else 16}")
    return bytes(imagecodecs.jpeg2k_encode(values, 0, codecformat="j2k", reversible=True, bitspersample=bits))
