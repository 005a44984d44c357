"""The images behind the test vectors of docs/packet-format.md, and the JSON blocks that the page shows.

    python -m tests.transmission.packet_vectors

prints the blocks as the sender makes them now. Encoders of other versions may give other code streams.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from medsr_jax.imaging.image import Image
from medsr_jax.transmission.packet import Packet
from medsr_jax.transmission.packet_io import packet_bytes
from medsr_jax.transmission.sealing import sealed_text
from medsr_jax.transmission.sender import compress

KEY = bytes(range(16))


@dataclasses.dataclass(frozen=True)
class Vector:
    """A vector's image and how it is sent."""

    image: Image
    options: dict[str, Any]
    key: bytes | None = None


def ramp(rows: int, columns: int, levels: int) -> np.ndarray:
    """Pixel (y, x) is (7 x + 5 y + floor(x y / 8)) mod levels."""
    y, x = np.mgrid[0:rows, 0:columns]
    return np.asarray((7 * x + 5 * y + x * y // 8) % levels)


def vectors() -> dict[str, Vector]:
    """By the name that the page uses."""
    plain = Image(ramp(32, 32, 256).astype(np.uint8)[None], (0, 255), "png")
    twelve = Image(ramp(30, 45, 4096).astype(np.uint16)[None], (0, 4095), "png", spacing=(0.143, 0.143))
    signed = (ramp(32, 40, 2000) - 1000).astype(np.int16)
    signed[:, :6] = -2000
    padded = Image(signed[None], (-2048, 2047), "tiff", padding=(-2000, -2000), inverted=True)
    wide = Image(ramp(48, 80, 256).astype(np.uint8)[None], (0, 255), "png")
    floats = Image((ramp(24, 24, 128) / 64).astype(np.float32)[None], (0.0, 1.984375), "tiff")
    return {
        "jpeg": Vector(plain, {"codec": "jpeg", "quality": 60}),
        "jpeg-signed": Vector(plain, {"codec": "jpeg", "quality": 60}, key=KEY),
        "jpeg2000-16bit": Vector(twelve, {"codec": "jpeg2000", "quality": 75}),
        "jpeg-padding": Vector(padded, {"codec": "jpeg", "quality": 50}),
        "avif-float": Vector(floats, {"codec": "avif", "quality": 60, "scale": 2, "kernel": "bicubic"}),
        "vvc": Vector(wide, {"codec": "vvc", "quality": 60, "scale": 2}),
        "dicom": Vector(_dicom(), {"codec": "jpeg", "quality": 60}),
        "thin-jpeg-signed": Vector(plain, {"codec": "jpeg", "quality": 60, "container": "thin"}, key=KEY),
        "thin-jpeg2000-16bit": Vector(twelve, {"codec": "jpeg2000", "quality": 75, "container": "thin"}),
        "thin-jpeg-padding": Vector(padded, {"codec": "jpeg", "quality": 50, "container": "thin"}),
        "thin-avif": Vector(wide, {"codec": "avif", "quality": 60, "scale": 2, "container": "thin"}),
        "thin-avif-float": Vector(floats, {"codec": "avif", "quality": 60, "container": "thin", "window": (-0.1, 1.5)}),
        "thin-vvc": Vector(twelve, {"codec": "vvc", "quality": 60, "scale": 2, "container": "thin"}),
        "thin-dicom": Vector(_dicom(), {"codec": "avif", "quality": 60, "container": "thin"}),
    }


def _dicom() -> Image:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID, dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "2.25.1", "2.25.2", "2.25.3"
    dataset.PatientName, dataset.PatientID, dataset.Modality = "Vector^Test", "0", "OT"
    dataset.ConversionType = "SYN"
    dataset.Rows = dataset.Columns = 32
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    return Image(ramp(32, 32, 4096).astype(np.uint16)[None], (0, 4095), "dicom", dataset=dataset)


def block(vector: Vector) -> dict[str, Any]:
    """What the page says of a vector."""
    packet = compress(vector.image, preprocess=False, key=vector.key, **vector.options)
    text = base64.b64encode(packet_bytes(packet, key=vector.key)).decode()
    header = packet.header
    stream = packet.code_streams[0] if packet.container == "thin" else packet.streams[0]
    fields: dict[str, Any] = {
        field.name: getattr(header, field.name)
        for field in dataclasses.fields(header)
        if field.name not in ("padding", "notes")
    }
    if header.padding is not None:
        mask = header.padding.pixels((header.frames, header.rows, header.columns))
        fields["padding"] = {
            "low": header.padding.low,
            "high": header.padding.high,
            "fill": header.padding.fill,
            "step": header.padding.step,
            "pixels": int(mask.sum()),
            "mask_sha256": hashlib.sha256(np.packbits(mask).tobytes()).hexdigest(),
        }
    return {
        "packet": [text[at : at + 96] for at in range(0, len(text), 96)],
        "key": vector.key.hex() if vector.key else None,
        "line": _line(packet, vector),
        "stream_bytes": len(stream),
        "stream_sha256": hashlib.sha256(stream).hexdigest(),
        "first_codes": packet.decode()[0, 0, :4].tolist(),
        "fields": fields,
    }


def _line(packet: Packet, vector: Vector) -> str | None:
    if packet.container == "thin":
        return None
    # A DICOM packet signs its data set in place of the line.
    return sealed_text(packet, key=None if packet.dataset is not None else vector.key)


def shown(name: str, facts: dict[str, Any]) -> str:
    """The page's section of a vector: long lists one item a line, the rest compact."""
    lines = [json.dumps(line) for line in facts["packet"]]
    others = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in facts.items() if key != "packet")
    packet = ",\n    ".join(lines)
    return f'### {name}\n\n```json\n{{\n  "packet": [\n    {packet}\n  ],\n{others}\n}}\n```\n'


if __name__ == "__main__":
    print("\n".join(shown(name, block(vector)) for name, vector in vectors().items()), end="")
