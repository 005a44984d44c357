"""The work of `medsr unpack` on one file. It runs in the decoders' process."""

from __future__ import annotations

import pathlib

from medsr_jax.cli.sending import Encoded
from medsr_jax.errors import concerning
from medsr_jax.files import read_file
from medsr_jax.imaging.limits import MAX_PIXELS
from medsr_jax.transmission.conversion import to_standard
from medsr_jax.transmission.packet_io import check_start, packet_bytes, packet_suffix, parse_packet


def unpacked(file: pathlib.Path, *, max_pixels: int | None, key: bytes | None = None) -> Encoded:
    """The standard file of a packet.

    Args:
        file: a packet of either container.
        max_pixels: of a frame; None for the reader's own limit.
        key: that the packet must be signed with, and that the file is signed with; None for none.

    Raises:
        MedsrError: as `read_packet` and `packet_bytes`.
    """
    data = read_file(file, check=check_start)
    with concerning(file):
        packet = parse_packet(data, max_pixels=MAX_PIXELS if max_pixels is None else max_pixels, key=key)
        standard = to_standard(packet)
        result = packet_bytes(standard, key=key)
    about = f"{standard.size_text(len(result))}, from {len(data)} bytes"
    facts = {"pixel_bytes": packet.coded_bytes, "codec": packet.header.codec}
    return Encoded(packet_suffix(standard), result, about, packet.header.notes, facts)
