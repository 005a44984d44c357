"""The same packet in the other container."""

from __future__ import annotations

import dataclasses

from medsr_jax.transmission.packet import VERSION, Packet


def to_standard(packet: Packet) -> Packet:
    """The packet as a file that any viewer opens.

    Header, code streams, attributes and SHA-256 are those of the thin packet, so that it restores to the same object.
    """
    return dataclasses.replace(packet, container="standard")


def to_thin(packet: Packet) -> Packet:
    """The packet in the fewest bytes.

    A packet of version 1 becomes one of this version, in which UIDs of derived objects differ.
    """
    return dataclasses.replace(packet, header=dataclasses.replace(packet.header, version=VERSION), container="thin")
