"""Packets as ordinary files: JPEG, JPEG 2000 and AVIF with the header in their own place for comments, and DICOM.

| file | where the header is |
|-|-|
| JPEG | a COM segment after the start marker |
| JPEG 2000 code stream | a COM segment of the main header, Latin text |
| AVIF | a top-level `uuid` box at the end |
| DICOM | a private block of group 6D73 with the creator MEDSR_JAX (`dicom_packet`) |

The header ends with a checksum, and with a signature if there is a key (`sealing`).
"""

from __future__ import annotations

import io
import os
import pathlib
import re
import uuid
import warnings
from typing import TYPE_CHECKING

from medsr_jax.errors import MedsrError, named
from medsr_jax.imaging.limits import MAX_PIXELS
from medsr_jax.imaging.sniffing import read_start
from medsr_jax.jpeg import coefficients as jpeg_stream
from medsr_jax.jpeg.headers import too_many_scans
from medsr_jax.transmission.codecs import CODECS
from medsr_jax.transmission.downscale import SCALES
from medsr_jax.transmission.packet import Packet, PacketHeader
from medsr_jax.transmission.sealing import open_sealed, sealed_text

if TYPE_CHECKING:
    import numpy as np

_BOX = uuid.uuid5(uuid.NAMESPACE_URL, "medsr_jax packet header").bytes
_STARTS = {"jpeg": b"\xff\xd8", "jpeg2000": b"\xff\x4f\xff\x51", "avif": b"ftyp"}
_LARGEST_SMALL_IMAGE = 1 << 28


def packet_suffix(packet: Packet) -> str:
    """The suffix of the file that the packet becomes, such as ".jpg"."""
    return ".dcm" if packet.dataset is not None else CODECS[packet.header.codec].suffix


def packet_bytes(packet: Packet, *, key: bytes | None = None) -> bytes:
    """The whole file that travels, signed with the key where there is one.

    Raises:
        MedsrError: for several frames in a file that holds one, and for a codec that DICOM has no place for.
    """
    if packet.dataset is not None:
        from medsr_jax.transmission.dicom_packet import dicom_bytes  # pydicom is slow to import

        return dicom_bytes(packet, sealed_text(packet), key=key)
    if len(packet.codes) != 1:
        raise MedsrError(
            f"has {len(packet.codes)} frames, and a {packet.header.codec} file holds one; send each page as a file"
        )
    return _INSERT[packet.header.codec](packet.codes[0], sealed_text(packet, key=key).encode("ascii"))


def write_packet(path: str | os.PathLike[str], packet: Packet, *, key: bytes | None = None) -> int:
    """Writes the packet's file, whole or not at all, signed with the key if any, and returns its size in bytes.

    Raises:
        MedsrError: where the file can't be written, and as `packet_bytes`.
    """
    from medsr_jax.files import atomic_write

    try:
        data = packet_bytes(packet, key=key)
    except MedsrError as error:
        raise named(path, str(error)) from error
    atomic_write(path, data)
    return len(data)


def read_packet(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS, key: bytes | None = None) -> Packet:
    """Reads a packet that `write_packet` wrote.

    Args:
        path: the file.
        max_pixels: packets of larger originals are refused; twice as many in all frames.
        key: that the packet must be signed with.

    Raises:
        MedsrError: for a file that can't be read, is no packet, is damaged, too large, not signed with the key, or of a
            later version.
    """
    data = _read(path)
    try:
        return parse_packet(data, max_pixels=max_pixels, key=key)
    except MemoryError as error:
        raise named(path, "does not fit into memory") from error
    except MedsrError as error:
        raise named(path, str(error)) from error


def is_packet(path: str | os.PathLike[str]) -> bool:
    """Whether the file carries a packet's header, damaged or not. False for a file that can't be read."""
    try:
        return _header_of(_read(path)) is not None
    except MedsrError:
        return False


def assume_packet(path: str | os.PathLike[str], *, scale: int = 4, max_pixels: int = MAX_PIXELS) -> Packet:
    """A packet made of a JPEG, JPEG 2000 or AVIF that says nothing about itself.

    Assumed, and said in the header's notes: each pixel stands for a full square of the original (so that its size is a
    multiple of the scale), averaged, with 8-bit values as they are. A colour JPEG stands for its luma.

    Raises:
        MedsrError: for a file that is none of these or is damaged.
    """
    data = _read(path)
    try:
        codec = _codec_of(data)
        if codec is None:
            raise MedsrError("is neither a packet nor a JPEG, JPEG 2000 or AVIF image")
        if scale not in SCALES:
            raise MedsrError(f"scale is an integer from 1 to 8, not {scale!r}")
        rows, columns = _stream_shape(data)
        _check_size(rows * scale, columns * scale, 1, max_pixels)
        if codec == "jpeg" and (scans := too_many_scans(data, rows=rows, columns=columns)):
            raise MedsrError(f"has {scans} scans, more than a JPEG of its size needs; save it anew")
        quality, said = 75, "unknown quality"
        table = jpeg_stream.parse(data).table if codec == "jpeg" else None
        if table is not None:
            quality = _quality_of(table)
            said = f"quality {quality}"
        header = PacketHeader(
            rows=rows * scale,
            columns=columns * scale,
            dtype="uint8",
            value_range=(0, 255),
            low=0,
            high=255,
            levels=255,
            scale=scale,
            kernel="area",
            quality=quality,
            codec=codec,
            kind="jpeg" if codec == "jpeg" else "png",
            notes=(f"not a packet: scale {scale}, area averaging, {said} and 8-bit values were assumed",),
        )
        return Packet(codes=(data,), header=header)
    except MedsrError as error:
        raise named(path, str(error)) from error


def _quality_of(table: np.ndarray) -> int:
    """libjpeg's q whose luma table is nearest, from the mean scaling of Annex K's table."""
    # The sum of Annex K's luma table is 3688; clipping at 1 and 255 matters only at the ends.
    percent = max(float(table.sum()) / 3688 * 100, 0.5)
    return round(max(1.0, min(100.0, 5000 / percent if percent > 100 else (200 - percent) / 2)))


def _read(path: str | os.PathLike[str]) -> bytes:
    read_start(path)  # refuses folders and pipes
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise named(path, f"can't be read: {error.strerror or error}") from error


def _codec_of(data: bytes) -> str | None:
    for codec, start in _STARTS.items():
        if data.startswith(start, 4 if codec == "avif" else 0):
            return codec if codec != "avif" or b"avif" in data[8:64] else None
    return None


def _header_of(data: bytes) -> str | None:
    """The sealed text that the file carries, or None."""
    if data[128:132] == b"DICM":
        from medsr_jax.transmission.dicom_packet import sealed_text_of

        return sealed_text_of(data)
    codec = _codec_of(data)
    found = _EXTRACT[codec](data)[1] if codec else None
    return None if found is None else found.decode("ascii", "replace")


def _check_size(rows: int, columns: int, frames: int, max_pixels: int) -> None:
    if rows * columns > max_pixels or frames * rows * columns > 2 * max_pixels:
        size = f"{rows}x{columns} pixels" + (f" in {frames} frames" if frames > 1 else "")
        raise MedsrError(f"stands for {size}, more than the {max_pixels / 1e6:.0f} million that are restored")


def parse_packet(data: bytes, *, max_pixels: int = MAX_PIXELS, key: bytes | None = None) -> Packet:
    """The packet of a whole file's bytes; as `read_packet`.

    Raises:
        MedsrError: they are no packet, damaged, too large, not signed with the key, or of a later version.
    """
    if data[128:132] == b"DICM":
        from medsr_jax.transmission.dicom_packet import read_dicom_packet

        packet = read_dicom_packet(data, key=key)
    else:
        codec = _codec_of(data)
        if codec is None:
            raise MedsrError("is no packet: neither a JPEG, JPEG 2000 or AVIF image nor a DICOM object")
        code, text = _EXTRACT[codec](data)
        if text is None:
            raise MedsrError("is an image but no packet of `medsr compress`: it doesn't say what it stands for")
        header = open_sealed(text.decode("ascii", "replace"), (code,), codec=codec, key=key)
        packet = Packet(codes=(code,), header=header)
    if len(packet.codes) != packet.header.frames:
        raise MedsrError(f"the packet has {len(packet.codes)} frames and says {packet.header.frames}: damaged")
    _check_size(packet.header.rows, packet.header.columns, packet.header.frames, max_pixels)
    if packet.header.padding is not None:
        header = packet.header
        packet.header.padding.pixels((header.frames, header.rows, header.columns))  # refuses a damaged mask
    for code in packet.codes:
        if packet.header.codec == "jpeg" and not jpeg_stream.parse(code).baseline:
            raise MedsrError("the packet's JPEG is not baseline, which no sender writes; don't trust it")
        if _stream_shape(code) != packet.header.small_shape:
            raise MedsrError("the packet's metadata and its image differ in size: one of them is damaged")
    return packet


def _stream_shape(stream: bytes) -> tuple[int, int]:
    """Rows and columns that a code stream says it holds, read without decoding."""
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


def _insert_jpeg(code: bytes, text: bytes) -> bytes:
    return code[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + code[2:]


def _insert_jpeg2000(code: bytes, text: bytes) -> bytes:
    at = 2
    while code[at + 1] != 0x90:  # start of tile part
        at += 2 + int.from_bytes(code[at + 2 : at + 4], "big")
    return code[:at] + b"\xff\x64" + (len(text) + 4).to_bytes(2, "big") + b"\x00\x01" + text + code[at:]


def _insert_avif(code: bytes, text: bytes) -> bytes:
    return code + (24 + len(text)).to_bytes(4, "big") + b"uuid" + _BOX + text


def _extract_segment(data: bytes, marker: int, last: int, skip: int) -> tuple[bytes, bytes | None]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != last:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        text = data[at + 4 + skip : end]
        if data[at + 1] == marker and re.match(rb"medsr\d", text):
            return data[:at] + data[end:], text
        at = end
    return data, None


def _extract_jpeg(data: bytes) -> tuple[bytes, bytes | None]:
    return _extract_segment(data, 0xFE, 0xDA, 0)


def _extract_jpeg2000(data: bytes) -> tuple[bytes, bytes | None]:
    return _extract_segment(data, 0x64, 0x90, 2)


def _extract_avif(data: bytes) -> tuple[bytes, bytes | None]:
    at = data.rfind(b"uuid" + _BOX)
    if at < 4 or int.from_bytes(data[at - 4 : at], "big") != len(data) - at + 4:
        return data, None
    return data[: at - 4], data[at + 20 :]


_INSERT = {"jpeg": _insert_jpeg, "jpeg2000": _insert_jpeg2000, "avif": _insert_avif}
_EXTRACT = {"jpeg": _extract_jpeg, "jpeg2000": _extract_jpeg2000, "avif": _extract_avif}
