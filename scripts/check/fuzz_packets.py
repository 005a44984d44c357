"""Damaged packets into the receiver: each must be refused in one line, or be the packet that was sent.

    python scripts/check/fuzz_packets.py [--seconds N] [--seed N] [--keep FOLDER]

Packets of every container are made on the fly and damaged as `fuzz_readers.py` does it; those of DICOM are also parsed,
changed and written again, as a program between the ends might. Beside that script's faults, a packet that is accepted
with another code stream, header or attribute than was sent is one, unless all that differs may be coerced and is noted.
Mutants of thin packets are read a second time with a checksum that matches, as whoever means harm writes it.
"""

from __future__ import annotations

import functools
import io
import logging
import pathlib
import sys
import warnings
import zlib

import numpy as np
import pydicom
import pydicom.data
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from fuzz_readers import fault_of, run

from medsr_jax.errors import concerning
from medsr_jax.imaging import Image, read_image
from medsr_jax.imaging.dicom.differences import differing
from medsr_jax.transmission.conversion import to_thin
from medsr_jax.transmission.dicom_seal import ADDABLE, COERCIBLE
from medsr_jax.transmission.packet import Packet
from medsr_jax.transmission.packet_io import packet_bytes, read_packet
from medsr_jax.transmission.sender import compress

REWRITTEN = 40
KEY = b"a key of 16 bytes"


def images() -> dict[str, Image]:
    """Small images of the kinds whose packets differ."""
    random = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(72), np.arange(64)) * 14
    padded = np.where(np.hypot(*np.mgrid[-36:36, -32:32]) < 30, smooth + 100, 0)
    found = {
        "u8": Image(random.integers(0, 256, (1, 40, 33), dtype=np.uint8), (0, 255), "png", spacing=(0.2, 0.1)),
        "padded": Image(padded[None].astype(np.uint16), (0, 4095), "tiff", padding=(0, 0)),
        "f64": Image(smooth[None] + 1e9, (1e9, 1e9 + 2000), "tiff"),
    }
    for name in ("CT_small.dcm", "MR_small.dcm", "examples_overlay.dcm", "mlut_18.dcm"):
        if path := pydicom.data.get_testdata_file(name, download=False):
            found[name] = read_image(str(path))
    return found


def seeds() -> list[tuple[str, bytes]]:
    """Names and contents of whole packets, and of DICOM packets that were changed and written again."""
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    files = []
    for name, image in images().items():
        for codec in ("jpeg", "jpeg2000", *(() if image.dataset else ("avif", "vvc"))):
            packet = compress(image, codec=codec, quality=50)
            files.append((f"{name}-{codec}", packet_bytes(packet)))
            files.append((f"thin-{name}-{codec}", packet_bytes(to_thin(packet))))
    files.append(("signed", packet_bytes(compress(images()["CT_small.dcm"]), key=KEY)))
    random = np.random.default_rng(1)
    dicom = [pair for pair in files if pair[1][128:132] == b"DICM"]
    for number in range(REWRITTEN):
        name, data = dicom[number % len(dicom)]
        files.append((f"{name}+{number}", rewritten(data, random)))
    return files


def rewritten(data: bytes, random: np.random.Generator) -> bytes:
    """A packet that a program parsed, changed in an element and wrote again; unchanged where it can't be written."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(io.BytesIO(data))
        tags = [tag for tag in dataset.keys() if tag >> 16 != 0x7FE0]  # noqa: SIM118
        tag = tags[random.integers(len(tags))]
        kind = random.integers(5)
        target = io.BytesIO()
        try:
            element = dataset[tag]
            if kind == 0:
                del dataset[tag]
            elif kind == 1:
                dataset.add_new(tag, "UN", bytes(random.integers(0, 256, 2 * random.integers(0, 40), dtype=np.uint8)))
            elif kind == 2:
                dataset.add_new(0x00110010 + int(random.integers(100)), "LO", "added")
            elif kind == 3:
                nested = Dataset()
                for _ in range(int(random.integers(1, 60))):
                    outer = Dataset()
                    outer.add_new(0x00400275, "SQ", [nested])
                    nested = outer
                dataset.add_new(0x00400275, "SQ", [nested])
            else:
                element.value = "changed" if isinstance(element.value, str) else element.value
            pydicom.dcmwrite(target, dataset, enforce_file_format=True)
        except Exception:  # pydicom refuses some of what was made
            return data
    return target.getvalue()


@functools.cache
def whole() -> dict[str, Packet]:
    """The packets that were sent, by name."""
    import tempfile

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, data in seeds():
            if "+" not in name:
                path = pathlib.Path(folder) / "packet"
                path.write_bytes(data)
                found[name] = read_packet(path)
    return found


def fault(path: pathlib.Path, name: str) -> str | None:
    """What is wrong with how a mutant of the packet `name` is read, or None."""
    accepted: list[Packet] = []

    def read() -> None:
        packet = read_packet(path)
        with concerning(path):
            packet.decode()
        accepted.append(packet)

    problem = fault_of(path, read)
    if problem is None and accepted:
        problem = _changed(accepted[0], whole()[name.partition("+")[0]])
    if problem is None and name.startswith("thin-"):
        path.write_bytes(_resealed(path.read_bytes()))
        problem = fault_of(path, read)
    return problem


def _resealed(data: bytes) -> bytes:
    """A thin packet of one frame with the checksum of what it holds."""
    return data[:-4] + zlib.crc32(data[:-4]).to_bytes(4, "big")


def _changed(packet: Packet, sent: Packet) -> str | None:
    if packet.sha256 != sent.sha256:
        return "accepted with another header or code stream"
    if packet.dataset is None or sent.dataset is None:
        return None
    lawful = {*COERCIBLE, *ADDABLE}
    for tags in differing(sent.dataset, packet.dataset):
        keyword = keyword_for_tag(tags[0])
        if tags[0] not in lawful or not any(keyword in note for note in packet.header.notes):
            return f"accepted with another {keyword or tags[0]}"
    return None


if __name__ == "__main__":
    files = seeds()
    whole()
    run(files, find=fault, description=__doc__)
