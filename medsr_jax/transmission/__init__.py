"""The sender: shrink, map to codes, encode, and the packet that travels.

NumPy, Pillow, imagecodecs and pydicom; never JAX. Names are imported when they are used, Pillow and pydicom by the
functions that need them, so that a weak machine loads only what its job takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medsr_jax.lazy import lazily

if TYPE_CHECKING:
    from medsr_jax.transmission.codecs import CODECS as CODECS
    from medsr_jax.transmission.codecs import Codec as Codec
    from medsr_jax.transmission.conversion import to_standard as to_standard
    from medsr_jax.transmission.conversion import to_thin as to_thin
    from medsr_jax.transmission.downscaling import downscale as downscale
    from medsr_jax.transmission.options import SendingOptions as SendingOptions
    from medsr_jax.transmission.packet import Packet as Packet
    from medsr_jax.transmission.packet import PacketHeader as PacketHeader
    from medsr_jax.transmission.packet_io import assume_packet as assume_packet
    from medsr_jax.transmission.packet_io import is_packet as is_packet
    from medsr_jax.transmission.packet_io import packet_suffix as packet_suffix
    from medsr_jax.transmission.packet_io import read_packet as read_packet
    from medsr_jax.transmission.packet_io import write_packet as write_packet
    from medsr_jax.transmission.sender import compress as compress
    from medsr_jax.transmission.sender import compress_file as compress_file

__all__ = [
    "CODECS",
    "Codec",
    "Packet",
    "PacketHeader",
    "SendingOptions",
    "assume_packet",
    "compress",
    "compress_file",
    "downscale",
    "is_packet",
    "packet_suffix",
    "read_packet",
    "to_standard",
    "to_thin",
    "write_packet",
]

_HOMES = {
    "CODECS": "codecs",
    "Codec": "codecs",
    "Packet": "packet",
    "PacketHeader": "packet",
    "SendingOptions": "options",
    "compress": "sender",
    "compress_file": "sender",
    "downscale": "downscaling",
    "to_standard": "conversion",
    "to_thin": "conversion",
}
__getattr__ = lazily(__name__, {name: _HOMES.get(name, "packet_io") for name in __all__})
