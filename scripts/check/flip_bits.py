"""Flip random bits of a DICOM packet, and count those that are accepted with a changed attribute.

Usage: python scripts/check/flip_bits.py [IMAGE.dcm] [--flips 2500] [--codec jpeg] [--seed 0]

Exits with the number of packets that were accepted though an attribute, the header or a code stream had changed.
"""

from __future__ import annotations

import argparse
import collections
import logging
import pathlib
import random
import sys
import tempfile

import pydicom.data

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import read_image
from medsr_jax.imaging.dicom.differences import differing
from medsr_jax.transmission.packet import Packet
from medsr_jax.transmission.packet_io import packet_bytes, read_packet
from medsr_jax.transmission.sender import compress


def changed(packet: Packet, whole: Packet) -> bool:
    """Whether an accepted packet says anything else than the whole one."""
    assert packet.dataset is not None and whole.dataset is not None and packet.sent is not None
    assert whole.sent is not None
    same = (packet.streams, packet.header) == (whole.streams, whole.header)
    return not same or bool(differing(packet.dataset, whole.dataset) + differing(packet.sent, whole.sent))


def main() -> int:
    """Flip, read and count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", type=pathlib.Path, nargs="?", help="a DICOM file [CT_small.dcm of pydicom]")
    parser.add_argument("--flips", type=int, default=2500)
    parser.add_argument("--codec", default="jpeg")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tiny", action="store_true", help="50 flips, to see that it works")
    options = parser.parse_args()
    options.image = options.image or pathlib.Path(pydicom.data.get_testdata_file("CT_small.dcm", download=False))
    options.flips = 50 if options.tiny else options.flips
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    data = packet_bytes(compress(read_image(options.image), codec=options.codec))
    draw = random.Random(options.seed)
    counts: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "packet.dcm"
        path.write_bytes(data)
        whole = read_packet(path)
        for _ in range(options.flips):
            bit = draw.randrange(8 * len(data))
            damaged = bytearray(data)
            damaged[bit // 8] ^= 1 << bit % 8
            path.write_bytes(damaged)
            try:
                packet = read_packet(path)
            except MedsrError:
                counts["refused"] += 1
                continue
            counts["accepted, changed" if changed(packet, whole) else "accepted, nothing changed"] += 1
    print(f"{options.image.name}, {options.codec}, {len(data)} bytes: {dict(counts)}")
    return counts["accepted, changed"]


if __name__ == "__main__":
    sys.exit(main())
