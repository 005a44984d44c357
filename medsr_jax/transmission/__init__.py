"""The sender: shrink, map to codes, encode, and the packet that travels. NumPy, Pillow, imagecodecs and pydicom; never JAX.

Names are imported when they are used, so that a weak machine loads only what its job needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medsr_jax.transmission.codecs import CODECS, Codec
    from medsr_jax.transmission.compress import compress, compress_file
    from medsr_jax.transmission.downscale import downscale
    from medsr_jax.transmission.packet import Packet, PacketHeader
    from medsr_jax.transmission.packet_io import assume_packet, is_packet, read_packet, write_packet

__all__ = [
    "CODECS",
    "Codec",
    "Packet",
    "PacketHeader",
    "assume_packet",
    "compress",
    "compress_file",
    "downscale",
    "is_packet",
    "read_packet",
    "write_packet",
]

_HOME = {
    "CODECS": "codecs",
    "Codec": "codecs",
    "Packet": "packet",
    "PacketHeader": "packet",
    "assume_packet": "packet_io",
    "compress": "compress",
    "compress_file": "compress",
    "downscale": "downscale",
    "is_packet": "packet_io",
    "read_packet": "packet_io",
    "write_packet": "packet_io",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
