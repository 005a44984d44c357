"""The receiver's part that needs no network: files read and decoded. It runs in the decoders' process, without JAX."""

from __future__ import annotations

import pathlib

from medsr_jax.errors import MedsrError, concerning
from medsr_jax.files import read_file
from medsr_jax.imaging.limits import MAX_PIXELS
from medsr_jax.transmission.packet import Packet
from medsr_jax.transmission.packet_io import assumed_packet, check_start, holds_packet, parse_packet


def received(
    file: pathlib.Path, *, assume_scale: int | None, max_pixels: int | None, key: bytes | None = None
) -> Packet:
    """A packet with its code streams decoded.

    Args:
        file: the packet's.
        assume_scale: take an image without a header as one that was shrunk by this; None refuses it.
        max_pixels: of a frame; None for the reader's own limit.
        key: that the packet must be signed with; None for none.

    Raises:
        MedsrError: as `read_packet`, `assume_packet` and `Packet.decode`.
    """
    limit = MAX_PIXELS if max_pixels is None else max_pixels
    data = read_file(file, check=check_start)
    with concerning(file):
        try:
            packet = parse_packet(data, max_pixels=limit, key=key)
        except MedsrError:
            if assume_scale is None or key is not None or holds_packet(data):
                raise
            packet = assumed_packet(data, scale=assume_scale, max_pixels=limit)
        packet.decode()
        packet.coefficients()
    return packet
