"""The sender's work on one file. It runs in the decoders' process; whoever asks for it imports no NumPy here."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any


@dataclasses.dataclass(frozen=True)
class Encoded:
    """A packet's file that is not written yet.

    Attributes:
        suffix: that its name ends in.
        data: the whole file.
        about: what the sender should know of it.
    """

    suffix: str
    data: bytes
    about: str


def encoded(
    file: pathlib.Path, *, max_pixels: int | None, options: dict[str, Any], key: bytes | None = None
) -> Encoded:
    """The packet of an image, compressed with the options of `transmission.compress` and signed with the key if any.

    Raises:
        MedsrError: as `read_image` and `compress`.
    """
    from medsr_jax.receiving import image
    from medsr_jax.transmission.ceilings import against_ceilings
    from medsr_jax.transmission.compress import compress
    from medsr_jax.transmission.packet_io import packet_bytes, packet_suffix

    packet = compress(image(file, max_pixels=max_pixels), **options)
    data = packet_bytes(packet, key=key)
    header, size = packet.header, len(data)
    alone = packet.dataset is None
    ratio = packet.ratio(size if alone else None)
    parts = [
        f"{size} bytes" if alone else f"{size} bytes, {packet.coded_bytes} of them pixels",
        f"{ratio:.0f}:1 of the original's pixels at {header.bits} bits each",
        f"1/{header.scale} of the side",
        f"{header.codec} q {header.quality}",
        *([header.preprocess] if header.preprocess else []),
        *header.notes,
    ]
    about = f"{', '.join(parts)}; {against_ceilings(ratio)}; not for primary diagnosis"
    return Encoded(packet_suffix(packet), data, about)
