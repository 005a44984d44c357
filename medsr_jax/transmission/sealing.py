"""The line of text that a packet's header is, with checksum and signature.

A checksum over header and code streams ends the header: links and copies damage files, and a JPEG decoder shows a
damaged radiograph without a word. With a key a signature follows, an HMAC (RFC 2104) that proves who sent the packet.
"""

from __future__ import annotations

import base64
import dataclasses
import hmac
import zlib

from medsr_jax.errors import MedsrError
from medsr_jax.transmission.packet import VERSION, Packet, PacketHeader, header_text, parse_header


def sealed_text(packet: Packet, *, key: bytes | None = None) -> str:
    """The header's text, ``~`` and the checksum in base64url: CRC-32 in six characters.

    With a key ``!`` and 22 characters follow: the first 16 bytes of HMAC-SHA256 over text and code streams.
    """
    text = header_text(packet.header)
    sealed = f"{text} ~{_checksum(text, packet.streams)}"
    return sealed if key is None else f"{sealed}!{_signature(text, packet.streams, key)}"


def open_sealed(
    text: str, streams: tuple[bytes, ...], *, codec: str, notes: tuple[str, ...] = (), key: bytes | None = None
) -> PacketHeader:
    """The header of a sealed text.

    Raises:
        MedsrError: where the text or a code stream is damaged, the format is a later one, or a key was given that the
            packet isn't signed with.
    """
    body, _, seals = text.partition(" ~")
    checksum, _, signature = seals.partition("!")
    header = parse_header(body, codec=codec, notes=notes)
    if not hmac.compare_digest(checksum.encode(), _checksum(body, streams, version=header.version).encode()):
        raise MedsrError("the packet is damaged: its checksum doesn't match", remedy="have it sent again")
    if key is None:
        unchecked = ("the packet is signed, and no key was given to check that",) if signature else ()
        return dataclasses.replace(header, notes=header.notes + unchecked)
    if not signature:
        raise MedsrError("the packet is not signed, and a key was given: have it sent with the key")
    if not hmac.compare_digest(signature.encode(), _signature(body, streams, key).encode()):
        raise MedsrError("the packet's signature doesn't match the key: another sender's, or a changed packet")
    return header


def _checksum(text: str, streams: tuple[bytes, ...], *, version: int = VERSION) -> str:
    value = zlib.crc32(text.encode())
    for stream in streams:
        value = zlib.crc32(stream, value)
    return f"{value & 0xFFFF:04x}" if version == 1 else _base64(value.to_bytes(4, "big"))


def _signature(text: str, streams: tuple[bytes, ...], key: bytes) -> str:
    mac = hmac.new(key, text.encode(), "sha256")
    for stream in streams:
        mac.update(len(stream).to_bytes(8, "big") + stream)
    return _base64(mac.digest()[:16])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
