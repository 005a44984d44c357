"""Packets as files.

Standard ones are JPEG, JPEG 2000, AVIF and VVC with the header in their comments (`containers`), and DICOM. The header
ends with a checksum, and with a signature if there is a key (`sealing`). Thin ones have a form of their own
(`thin.file`).
"""

from __future__ import annotations

import io
import os
import warnings
from typing import TYPE_CHECKING

from medsr_jax.errors import MedsrError, ParameterError, concerning
from medsr_jax.files import read_file
from medsr_jax.imaging.limits import MAX_PIXELS
from medsr_jax.jpeg.coefficients import parse as parse_jpeg
from medsr_jax.jpeg.headers import too_many_scans
from medsr_jax.jpeg.tables import nearest_quality
from medsr_jax.transmission.codecs import CODECS
from medsr_jax.transmission.containers import CONTAINERS, container_of
from medsr_jax.transmission.options import SCALES, THIN_SUFFIX
from medsr_jax.transmission.packet import Packet, PacketHeader
from medsr_jax.transmission.sealing import open_sealed, sealed_text
from medsr_jax.transmission.thin.file import read_thin, thin_bytes
from medsr_jax.transmission.thin.header import is_thin
from medsr_jax.transmission.vvc_units import is_vvc, picture_shape

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_LARGEST_SMALL_IMAGE = 1 << 28


def packet_suffix(packet: Packet) -> str:
    """The suffix of the file that the packet becomes, such as ".jpg"."""
    if packet.container == "thin":
        return THIN_SUFFIX
    return ".dcm" if packet.dataset is not None else CODECS[packet.header.codec].suffix


def packet_bytes(packet: Packet, *, key: bytes | None = None) -> bytes:
    """The whole file of a packet, in its container, signed with the key where there is one.

    Raises:
        MedsrError: for several frames in a file that holds one, and for a codec without a DICOM transfer syntax.
    """
    if packet.container == "thin":
        return thin_bytes(packet, key=key)
    if packet.dataset is not None:
        from medsr_jax.transmission.dicom_packet import dicom_bytes  # pydicom is slow to import

        return dicom_bytes(packet, sealed_text(packet), key=key)
    codec, count = packet.header.codec, len(packet.streams)
    if count != 1:
        raise MedsrError(f"has {count} frames, and a {codec} file holds one", remedy="send each page as a file")
    return CONTAINERS[codec].insert(packet.streams[0], sealed_text(packet, key=key).encode("ascii"))


def write_packet(path: str | os.PathLike[str], packet: Packet, *, key: bytes | None = None) -> int:
    """Write the packet's file, whole or not at all, signed with the key if any; its size in bytes.

    Raises:
        MedsrError: the file can't be written, and as `packet_bytes`.
    """
    from medsr_jax.files import atomic_write

    with concerning(path):
        data = packet_bytes(packet, key=key)
    atomic_write(path, data)
    return len(data)


def read_packet(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS, key: bytes | None = None) -> Packet:
    """Read a packet that `write_packet` wrote.

    Args:
        path: the file.
        max_pixels: packets of larger originals are refused; twice as many in all frames.
        key: that the packet must be signed with.

    Raises:
        MedsrError: the file can't be read, is no packet, is damaged, too large, not signed with the key, or of a later
            version.
    """
    with concerning(path):
        return parse_packet(read_file(path, check=check_start), max_pixels=max_pixels, key=key)


def is_packet(path: str | os.PathLike[str]) -> bool:
    """Whether a file carries a packet's header, damaged or not. False for a file that can't be read."""
    try:
        return holds_packet(read_file(path, check=check_start))
    except MedsrError:
        return False


def holds_packet(data: bytes) -> bool:
    """Whether the bytes of a file are a packet, damaged or not.

    Raises:
        MedsrError: a DICOM object can't be read.
    """
    return is_thin(data) or packet_text(data) is not None


def packet_text(data: bytes) -> str | None:
    """The sealed header in the bytes of a standard file, damaged or not; None where they are no such packet.

    Raises:
        MedsrError: a DICOM object can't be read.
    """
    if _is_dicom(data):
        from medsr_jax.transmission.dicom_packet import sealed_text_of

        return sealed_text_of(data)
    container = container_of(data)
    text = container.extract(data)[1] if container else None
    return None if text is None else text.decode("ascii", "replace")


def has_packet(data: bytes, dataset: Dataset | None) -> bool:
    """Whether an image that was read already is a packet.

    Args:
        data: its whole file.
        dataset: of DICOM, as parsed from it.
    """
    if dataset is None:
        return holds_packet(data)
    from medsr_jax.transmission.dicom_packet import is_dicom_packet

    return is_dicom_packet(dataset)


def parse_packet(data: bytes, *, max_pixels: int = MAX_PIXELS, key: bytes | None = None) -> Packet:
    """The packet in the bytes of a file; as `read_packet`.

    Raises:
        MedsrError: they are no packet, damaged, too large, not signed with the key, or of a later version.
    """
    try:
        packet = _parsed(data, key)
        _check(packet, max_pixels)
    except MemoryError as error:
        raise MedsrError("does not fit into memory") from error
    return packet


def assume_packet(path: str | os.PathLike[str], *, scale: int = 4, max_pixels: int = MAX_PIXELS) -> Packet:
    """A packet made of a JPEG, JPEG 2000, AVIF or VVC picture that has no header.

    Assumed, and stated in the header's notes: each pixel stands for a full square of the original (so that its size is
    a multiple of the scale), averaged, with 8-bit values as they are. A colour JPEG stands for its luma.

    Raises:
        MedsrError: for a file that is none of these or is damaged.
    """
    with concerning(path):
        return assumed_packet(read_file(path), scale=scale, max_pixels=max_pixels)


def assumed_packet(data: bytes, *, scale: int = 4, max_pixels: int = MAX_PIXELS) -> Packet:
    """As `assume_packet`, of the bytes of a file."""
    container = container_of(data)
    if container is None:
        raise MedsrError("is neither a packet nor a JPEG, JPEG 2000, AVIF or VVC image")
    if scale not in SCALES:
        raise ParameterError("scale", f"must be an integer from 1 to 8, not {scale!r}")
    rows, columns = _stream_shape(data)
    _check_size(rows * scale, columns * scale, 1, max_pixels)
    quality, stated = 75, "unknown quality"
    if container.codec == "jpeg":
        if scans := too_many_scans(data, rows=rows, columns=columns):
            raise MedsrError(f"has {scans} scans, more than a JPEG of its size needs", remedy="save it anew")
        table = parse_jpeg(data).table
        if table is not None:
            quality = nearest_quality(table)
            stated = f"quality {quality}"
    header = PacketHeader(
        rows=rows * scale,
        columns=columns * scale,
        dtype="uint8",
        value_range=(0, 255),
        low=0,
        high=255,
        levels=CODECS[container.codec].usual_levels,
        scale=scale,
        kernel="area",
        quality=quality,
        codec=container.codec,
        kind="jpeg" if container.codec == "jpeg" else "png",
        notes=(f"not a packet: scale {scale}, area averaging, {stated} and 8-bit values were assumed",),
    )
    return Packet(streams=(data,), header=header)


def _is_dicom(start: bytes) -> bool:
    return start[128:132] == b"DICM"


def check_start(start: bytes) -> None:
    """Refuse a file of another kind by its first bytes, before the rest is read."""
    if not _is_dicom(start) and not is_thin(start) and container_of(start) is None:
        raise MedsrError(
            "is no packet: neither a JPEG, JPEG 2000, AVIF or VVC image nor a DICOM object nor a thin packet"
        )


def _parsed(data: bytes, key: bytes | None) -> Packet:
    check_start(data[:256])
    if is_thin(data):
        return read_thin(data, key=key)
    container = container_of(data)
    if container is None:
        from medsr_jax.transmission.dicom_packet import read_dicom_packet

        return read_dicom_packet(data, key=key)
    stream, text = container.extract(data)
    if text is None:
        raise MedsrError("is an image but no packet of `medsr compress`: it doesn't say what it stands for")
    header = open_sealed(text.decode("ascii", "replace"), (stream,), codec=container.codec, key=key)
    return Packet(streams=(stream,), header=header)


def _check(packet: Packet, max_pixels: int) -> None:
    """Refuse what no sender writes, before anything is decoded."""
    header = packet.header
    if len(packet.streams) != header.frames:
        raise MedsrError(f"the packet has {len(packet.streams)} frames and says {header.frames}: damaged")
    _check_size(header.rows, header.columns, header.frames, max_pixels)
    if header.padding is not None:
        header.padding.pixels((header.frames, header.rows, header.columns))  # refuses a damaged mask
    if header.codec == "jpeg" and not all(parts.baseline for parts in packet.jpeg_parts):
        raise MedsrError("the packet's JPEG is not baseline, which no sender writes", remedy="don't trust it")
    picture = CODECS[header.codec].picture_shape(header.small_shape)
    if any(_stream_shape(stream) != picture for stream in packet.streams):
        raise MedsrError("the packet's metadata and its image differ in size: one of them is damaged")


def _check_size(rows: int, columns: int, frames: int, max_pixels: int) -> None:
    if rows * columns > max_pixels or frames * rows * columns > 2 * max_pixels:
        size = f"{rows}x{columns} pixels" + (f" in {frames} frames" if frames > 1 else "")
        raise MedsrError(f"stands for {size}, more than the {max_pixels / 1e6:.0f} million that are restored")


def _stream_shape(stream: bytes) -> tuple[int, int]:
    """Rows and columns in a code stream's header, read without decoding."""
    if is_vvc(stream):
        return picture_shape(stream)
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(stream), formats=("JPEG", "JPEG2000", "AVIF")) as picture:
                columns, rows = picture.size
    except Exception as error:  # Pillow's plugins raise a dozen types on damaged headers
        raise MedsrError("the code stream is damaged in its header") from error
    if rows * columns > _LARGEST_SMALL_IMAGE:
        raise MedsrError(f"the code stream says {rows}x{columns} pixels, more than this software handles")
    return rows, columns
