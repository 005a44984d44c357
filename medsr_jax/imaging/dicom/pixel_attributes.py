"""The elements of a data set that describe its pixels (PS3.3 C.7.6.3), read and kept true."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from medsr_jax.errors import MedsrError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Array = np.ndarray[Any, Any]


@dataclasses.dataclass(frozen=True)
class PixelAttributes:
    """The attributes of a data set that describe its pixels.

    Attributes:
        frames: Number of Frames, 1 where there is none.
        counted: the data set has Number of Frames.
        rows, columns, samples: size of a frame, and samples a pixel.
        allocated, stored, high: Bits Allocated, Bits Stored and High Bit.
        signed: stored values are two's complement.
        planar: native colour comes as planes.
        photometric: Photometric Interpretation, upper case, empty where there is none.
    """

    frames: int
    counted: bool
    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    high: int
    signed: bool
    planar: bool
    photometric: str


def read_attributes(dataset: Dataset, *, name: str) -> PixelAttributes:
    """Reads the attributes, with defaults where the standard or practice has any.

    Raises:
        MedsrError: an attribute is missing or impossible, or the pixels are of a kind that is not read.
    """

    def number(keyword: str, default: int | None = None) -> int:
        value = dataset.get(keyword)
        if value is None or value == "":
            if default is None:
                raise MedsrError(f"has pixel data but no {keyword}", path=name)
            return default
        return int(value)

    allocated = number("BitsAllocated")
    stored = number("BitsStored", allocated)
    attributes = PixelAttributes(
        frames=max(number("NumberOfFrames", 1), 1),
        counted=bool(number("NumberOfFrames", 0)),
        rows=number("Rows"),
        columns=number("Columns"),
        samples=number("SamplesPerPixel", 1),
        allocated=allocated,
        stored=stored,
        high=number("HighBit", stored - 1),
        signed=bool(number("PixelRepresentation", 0)),
        planar=bool(number("PlanarConfiguration", 0)),
        photometric=str(dataset.get("PhotometricInterpretation", "") or "").strip().upper(),
    )
    if allocated not in (1, 8, 16, 32) or not 1 <= stored <= allocated:
        raise MedsrError(
            f"has {stored} bits stored of {allocated} allocated", path=name, remedy="1, 8, 16 and 32 are read"
        )
    if attributes.samples not in (1, 3) or attributes.photometric in ("ARGB", "CMYK", "HSV"):
        what = f"{attributes.samples} samples a pixel as {attributes.photometric}"
        raise MedsrError(f"has {what}", path=name, remedy="grey, palette, RGB and YBR are read")
    return attributes


def describe_pixels(dataset: Dataset, pixels: Array, *, bits_stored: int, signed: bool) -> None:
    """Makes the data set describe (frames, rows, columns) of grey `pixels`, which decoding may have changed.

    Elements whose VR follows Pixel Representation keep their bits and change their VR with it.
    """
    was_signed = bool(int(dataset.get("PixelRepresentation", 0) or 0))
    width = int(dataset.BitsAllocated)
    if was_signed != signed:
        _change_sign(dataset, bits=max(width, 8), signed=signed)
    if len(pixels) > 1 or "NumberOfFrames" in dataset:
        dataset.NumberOfFrames = len(pixels)
    dataset.Rows, dataset.Columns = pixels.shape[1:]
    dataset.BitsAllocated = 8 * pixels.dtype.itemsize
    dataset.BitsStored, dataset.HighBit = bits_stored, bits_stored - 1
    dataset.PixelRepresentation = int(signed)


def _change_sign(dataset: Dataset, *, bits: int, signed: bool) -> None:
    from pydicom.datadict import dictionary_VR
    from pydicom.dataelem import DataElement

    span = 1 << min(bits, 16)
    for tag in list(dataset.keys()):
        if tag.group != 0x0028:
            continue
        element = dataset[tag]
        if element.VR not in ("US", "SS") or dictionary_VR(tag) != "US or SS" or not isinstance(element.value, int):
            continue
        value = int(element.value)
        if signed and value >= span // 2:
            value -= span
        elif not signed and value < 0:
            value += span
        dataset[tag] = DataElement(tag, "SS" if signed else "US", value)
