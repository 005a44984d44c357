"""The work of `medsr unpack` on one file. It runs in the decoders' process."""

from __future__ import annotations

import pathlib

from medsr_jax.cli.sending import Encoded
from medsr_jax.errors import concerning
from medsr_jax.files import read_file
from medsr_jax.imaging.limits import MAX_PIXELS
from medsr_jax.transmission.codecs import CODECS
from medsr_jax.transmission.conversion import to_standard
from medsr_jax.transmission.packet_io import check_start, packet_bytes, packet_suffix, parse_packet

_PICTURE_ALONE = (
    "the small picture alone, without attributes, and no packet: DICOM has no transfer syntax for {codec}; `medsr"
    " restore` makes the DICOM object of the thin packet"
)


def unpacked(file: pathlib.Path, *, max_pixels: int | None, key: bytes | None = None) -> Encoded:
    """The standard file of a packet.

    Args:
        file: a packet of either container.
        max_pixels: of a frame; None for the reader's own limit.
        key: that the packet must be signed with, and that the file is signed with; None for none.

    Returns:
        Of a DICOM object in a codec that DICOM has no transfer syntax for, the picture alone.

    Raises:
        MedsrError: as `read_packet` and `packet_bytes`; and for several frames in such a codec.
    """
    data = read_file(file, check=check_start)
    with concerning(file):
        packet = parse_packet(data, max_pixels=MAX_PIXELS if max_pixels is None else max_pixels, key=key)
        codec, standard = CODECS[packet.header.codec], to_standard(packet)
        alone = packet.dataset is not None and codec.transfer_syntax is None
        if alone and len(packet.streams) > 1:
            codec.check_dicom()
        result = packet.streams[0] if alone else packet_bytes(standard, key=key)
    about = f"{standard.size_text(len(result))}, from {len(data)} bytes"
    facts = {"pixel_bytes": packet.coded_bytes, "codec": codec.name}
    notes = (*packet.header.notes, *((_PICTURE_ALONE.format(codec=codec.name),) if alone else ()))
    return Encoded(codec.suffix if alone else packet_suffix(standard), result, about, notes, facts)
