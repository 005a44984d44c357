"""The sender: shrink, map to codes, encode, and the packet that travels.

NumPy, Pillow, imagecodecs and pydicom; never JAX. Pillow and pydicom are imported by the functions that
need them, so that a weak machine loads only what its job takes.
"""

from __future__ import annotations

from medsr_jax.transmission.codecs import CODECS, Codec
from medsr_jax.transmission.compress import compress, compress_file
from medsr_jax.transmission.downscale import downscale
from medsr_jax.transmission.packet import Packet, PacketHeader
from medsr_jax.transmission.packet_io import assume_packet, is_packet, packet_suffix, read_packet, write_packet

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
    "packet_suffix",
    "read_packet",
    "write_packet",
]
