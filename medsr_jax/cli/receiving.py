"""The receiver's part that needs no network: files read and decoded. It runs in the decoders' process, without JAX."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from medsr_jax.errors import MedsrError
from medsr_jax.imaging.image import Image
from medsr_jax.transmission.packet import DecodedPacket, Packet


def received(
    file: pathlib.Path, *, assume_scale: int | None, max_pixels: int | None, key: bytes | None = None
) -> Packet:
    """A packet with its code streams decoded.

    Args:
        file: the packet's.
        assume_scale: take an image that is no packet as one that was shrunk by this; None refuses it.
        max_pixels: of a frame; None for the reader's own limit.
        key: that the packet must be signed with; None for none.

    Raises:
        MedsrError: as `read_packet`, `assume_packet` and `Packet.decode`.
    """
    packet = _packet(file, assume_scale=assume_scale, max_pixels=max_pixels, key=key)
    fields = {field.name: getattr(packet, field.name) for field in dataclasses.fields(Packet)}
    return DecodedPacket(**fields, small=packet.decode(), indices=packet.coefficients())


def _packet(file: pathlib.Path, *, assume_scale: int | None, max_pixels: int | None, key: bytes | None) -> Packet:
    from medsr_jax.transmission.packet_io import assume_packet, is_packet, read_packet

    limit: dict[str, Any] = {} if max_pixels is None else {"max_pixels": max_pixels}
    try:
        return read_packet(file, key=key, **limit)
    except MedsrError:
        if assume_scale is None or key is not None or is_packet(file):
            raise
        return assume_packet(file, scale=assume_scale, **limit)


def image(file: pathlib.Path, *, max_pixels: int | None) -> Image:
    """An image; None as ``max_pixels`` is the reader's own limit.

    Raises:
        MedsrError: as `read_image`.
    """
    from medsr_jax.imaging.limits import MAX_PIXELS
    from medsr_jax.imaging.reading import read_image

    return read_image(file, max_pixels=MAX_PIXELS if max_pixels is None else max_pixels)
