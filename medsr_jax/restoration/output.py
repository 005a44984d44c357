"""Restored images as files: the kind that was sent, marked as derived and lossy where the format has a place for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import Image, derive_dataset, write_dicom, write_image
from medsr_jax.imaging.dicom.lossless import EXPLICIT, code_losslessly, syntax_of
from medsr_jax.restoration.assembly import Restored
from medsr_jax.restoration.options import BICUBIC
from medsr_jax.restoration.uncertainty import write_uncertainty
from medsr_jax.transmission.packet import Packet, PacketHeader

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_SERIES_OFFSET = 92
WARNING = "Restored from a lossy image by a neural network. Not for primary diagnosis."
_WARNING_BICUBIC = "Restored from a lossy image without a neural network. Not for primary diagnosis."


def restored_image(packet: Packet, restored: Restored) -> Image:
    """The restored pixels as the `Image` that was compressed."""
    h = packet.header
    return Image(
        pixels=restored.pixels,
        value_range=h.value_range,
        kind=h.kind,
        spacing=h.spacing,
        inverted=h.inverted,
        dataset=packet.dataset,
        notes=restored.notes,
    )


def restored_suffix(packet: Packet) -> str:
    """Of the file that `write_restored` makes: ".png", ".tif" or ".dcm"."""
    h = packet.header
    if h.kind in ("png", "jpeg") and (h.dtype not in ("uint8", "uint16") or h.frames > 1):
        return ".tif"
    return {"dicom": ".dcm", "tiff": ".tif"}.get(h.kind, ".png")


def write_restored(
    path: str | os.PathLike[str],
    packet: Packet,
    restored: Restored,
    *,
    model: str | None = None,
    transfer_syntax: str = EXPLICIT,
    uncertainty: str | os.PathLike[str] | None = None,
) -> None:
    """Write what was restored, as the kind of file that was sent.

    A DICOM packet becomes a derived object in a new series of the same study: its lossy marks stay, though its own
    pixels are not compressed (PS3.3 C.7.6.1.1.5), and its description names the model.

    Args:
        path: of the image.
        packet, restored: the packet and its restored image.
        model: that made it, in a few words; `Restored.model` where it isn't given.
        transfer_syntax: of DICOM, a name, keyword or UID of `imaging.dicom.lossless.SYNTAXES`. By default Explicit VR
            Little Endian, which every archive takes.
        uncertainty: of the map of its spread (`write_uncertainty`), written once the image is; None for no map.

    Raises:
        MedsrError: a file can't be written; the error states whether it is the map. Or another transfer syntax is asked
            for than DICOM's, or than the values can have.
    """
    model = restored.model if model is None else model
    syntax = syntax_of(transfer_syntax)
    dataset = None
    if packet.header.kind != "dicom":
        if syntax != EXPLICIT:
            raise MedsrError(f"{os.fspath(path)}: is no DICOM file, which alone has a transfer syntax")
        write_image(path, restored_image(packet, restored))
    else:
        dataset = _dataset(path, packet, restored, model=model)
        code_losslessly(dataset, restored.pixels, syntax)
        write_dicom(path, dataset)
    if uncertainty is not None:
        write_uncertainty(uncertainty, packet, restored, model=model, image=dataset)


def _dataset(path: str | os.PathLike[str], packet: Packet, restored: Restored, *, model: str) -> Dataset:
    if packet.dataset is None:
        raise MedsrError(f"{os.fspath(path)}: the packet holds no DICOM data set", remedy="it was not written as DICOM")
    from medsr_jax.transmission.dicom_packet import sent_dataset  # pydicom is slow to import

    h = packet.header
    reasons = [note for note in restored.notes if note not in h.notes]
    return derive_dataset(
        packet.dataset,
        history=packet.sent if packet.sent is not None else sent_dataset(packet),
        frames=restored.pixels,
        transfer_syntax=EXPLICIT,
        bits_stored=_bits_stored(h),
        signed=h.dtype.startswith("int"),
        description="; ".join([f"Restored x{h.scale} by medsr_jax model {model}", *reasons]),
        series_description=f"Restored x{h.scale} ({model})"[:64],
        series_offset=_SERIES_OFFSET,
        series_identity=restored.identity or model,
        identity=f"{packet.sha256} {restored.identity or model}",
        comments=_WARNING_BICUBIC if restored.model == BICUBIC else WARNING,
    )


def _bits_stored(header: PacketHeader) -> int:
    """BitsStored of the original: as many as its value range needs."""
    low, high = (int(value) for value in header.value_range)
    return max((high - low).bit_length(), 1)
