"""Thin packets as files: the header, then each code stream with a checksum, then a signature if there is a key.

Each checksum is the CRC-32 of all bytes before it but for checksums, so that no damaged byte, and no frame in another's
place, goes unnoticed.
"""

from __future__ import annotations

import dataclasses
import hmac
import zlib

from medsr_jax.errors import MedsrError
from medsr_jax.transmission.packet import Packet
from medsr_jax.transmission.thin import streams
from medsr_jax.transmission.thin.header import ThinHeader, header_bytes, read_header
from medsr_jax.transmission.thin.numbers import damaged

_CHECKSUM, _SIGNATURE = 4, 16


def thin_bytes(packet: Packet, *, key: bytes | None = None) -> bytes:
    """The whole file of a packet, signed with the key where there is one.

    Raises:
        MedsrError: its attributes can't be written.
    """
    attributes = None
    if packet.dataset is not None:
        from medsr_jax.transmission.thin.attributes import attribute_bytes  # pydicom is slow to import

        attributes = attribute_bytes(packet)
    form, payloads = streams.split(packet.header, packet.streams)
    lengths = tuple(map(len, payloads[:-1]))
    data = header_bytes(ThinHeader(packet.header, form, lengths, attributes, signed=key is not None))
    checksum = zlib.crc32(data)
    parts = [data]
    for payload in payloads:
        checksum = zlib.crc32(payload, checksum)
        parts += [payload, checksum.to_bytes(_CHECKSUM, "big")]
    data = b"".join(parts)
    return data if key is None else data + _signature(data, key)


def read_thin(data: bytes, *, key: bytes | None = None) -> Packet:
    """The packet in the bytes of a thin file.

    Raises:
        MedsrError: they are damaged, not signed with the key, or of a later version.
    """
    thin = read_header(data)
    payloads = _payloads(thin, data)
    _check_signature(thin, data, key)
    header = thin.header
    if thin.signed and key is None:
        header = dataclasses.replace(header, notes=("the packet is signed, and no key was given to check that",))
    if (thin.attributes is None) != (header.kind != "dicom"):
        raise damaged("it has attributes and is no DICOM object, or the other way round")
    packet = Packet(streams=streams.join(header, thin.form, payloads), header=header, container="thin")
    if thin.attributes is None:
        return packet
    from medsr_jax.transmission.thin.attributes import with_attributes

    return with_attributes(packet, thin.attributes)


def _payloads(thin: ThinHeader, data: bytes) -> tuple[bytes, ...]:
    """What travels of each code stream, its checksums compared."""
    end = len(data) - _SIGNATURE * thin.signed
    last = end - thin.end - sum(thin.lengths) - _CHECKSUM * thin.header.frames
    if last < 0:
        raise damaged("it ends early")
    checksum, at, found = zlib.crc32(data[: thin.end]), thin.end, []
    for number, length in enumerate((*thin.lengths, last), 1):
        payload, at = data[at : at + length], at + length
        checksum = zlib.crc32(payload, checksum)
        if int.from_bytes(data[at : at + _CHECKSUM], "big") != checksum:
            what = f"the checksum of frame {number}" if thin.header.frames > 1 else "its checksum"
            raise damaged(f"{what} doesn't match")
        at += _CHECKSUM
        found.append(payload)
    return tuple(found)


def _check_signature(thin: ThinHeader, data: bytes, key: bytes | None) -> None:
    if key is None:
        return
    if not thin.signed:
        raise MedsrError("the packet is not signed, and a key was given: have it sent with the key")
    if not hmac.compare_digest(data[-_SIGNATURE:], _signature(data[:-_SIGNATURE], key)):
        raise MedsrError("the packet's signature doesn't match the key: another sender's, or a changed packet")


def _signature(data: bytes, key: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")[:_SIGNATURE]
