"""Every transfer syntax that is read, with an encoder of its own, and small frames to encode."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID

from medsr_jax.imaging import Image, read_image
from tests.imaging.dicom.objects import image_object, rle_stream, saved_as, with_streams

TS = "1.2.840.10008.1.2.4."


@dataclasses.dataclass(frozen=True)
class Syntax:
    """How a transfer syntax encodes a frame of `bits` bits, and how far its values may be off."""

    uid: str
    bits: int
    grey: Callable[[np.ndarray], bytes] | None
    colour: Callable[[np.ndarray], bytes] | None
    tolerance: int = 0

    @property
    def dtype(self) -> type:
        return np.uint8 if self.bits == 8 else np.uint16


def lossless_jpeg(frame: np.ndarray) -> bytes:
    return imagecodecs.jpeg8_encode(frame, lossless=True, bitspersample=8 * frame.dtype.itemsize)


def jpeg(frame: np.ndarray) -> bytes:
    return imagecodecs.jpeg8_encode(frame, level=98, subsampling="444")


def j2k(frame: np.ndarray) -> bytes:
    return imagecodecs.jpeg2k_encode(frame, level=0, reversible=True, codecformat="j2k")


def jxl(frame: np.ndarray) -> bytes:
    return imagecodecs.jpegxl_encode(frame, lossless=True)


def jpeg_12(frame: np.ndarray) -> bytes:
    return imagecodecs.jpeg8_encode(frame, level=99, bitspersample=12)


def near_lossless(frame: np.ndarray) -> bytes:
    return imagecodecs.jpegls_encode(frame, level=2)


SYNTAXES = [
    Syntax("1.2.840.10008.1.2", 16, None, None),
    Syntax("1.2.840.10008.1.2.1", 16, None, None),
    Syntax("1.2.840.10008.1.2.1.99", 16, None, None),
    Syntax("1.2.840.10008.1.2.2", 16, None, None),
    Syntax("1.2.840.10008.1.2.5", 16, rle_stream, rle_stream),
    Syntax(TS + "50", 8, jpeg, jpeg, tolerance=4),
    Syntax(TS + "51", 12, jpeg_12, jpeg, tolerance=40),
    Syntax(TS + "57", 16, lossless_jpeg, lossless_jpeg),
    Syntax(TS + "70", 16, lossless_jpeg, lossless_jpeg),
    Syntax(TS + "80", 16, imagecodecs.jpegls_encode, imagecodecs.jpegls_encode),
    Syntax(TS + "81", 16, near_lossless, near_lossless, tolerance=2),
    Syntax(TS + "90", 16, j2k, j2k),
    Syntax(TS + "91", 16, j2k, j2k),
    Syntax(TS + "201", 16, imagecodecs.htj2k_encode, imagecodecs.htj2k_encode),
    Syntax(TS + "202", 16, imagecodecs.htj2k_encode, imagecodecs.htj2k_encode),
    Syntax(TS + "203", 16, imagecodecs.htj2k_encode, imagecodecs.htj2k_encode),
    Syntax(TS + "110", 16, jxl, jxl),
    Syntax(TS + "111", 16, jxl, jxl),
    Syntax(TS + "112", 16, jxl, jxl),
]
ENCODED = [syntax for syntax in SYNTAXES if syntax.grey]
CODE_STREAMS = [syntax for syntax in ENCODED if syntax.grey is not rle_stream]


def of(syntaxes: list[Syntax]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("syntax", syntaxes, ids=[syntax.uid for syntax in syntaxes])


def ramp(bits: int, *, low: int = 0, seed: int = 0) -> np.ndarray:
    """24 x 20 smooth values from `low` to the largest of `bits` bits."""
    rows, columns = np.mgrid[:24, :20]
    values = (rows * 2 + columns * 3 + seed * 5) / (46 + 57 + seed * 5)
    return np.rint(low + values * (2**bits - 1 - low)).astype(np.uint8 if bits <= 8 else np.uint16)


def colours() -> np.ndarray:
    rows, columns = np.mgrid[:24, :20]
    return np.stack([rows * 10, columns * 12, 255 - rows * 5 - columns * 3], -1).astype(np.uint8)


def luma(rgb: np.ndarray) -> np.ndarray:
    return np.rint(rgb @ np.array([0.299, 0.587, 0.114]))


def ycc(rgb: np.ndarray) -> np.ndarray:
    y = rgb @ np.array([0.299, 0.587, 0.114])
    parts = [y, 128 + 0.564 * (rgb[..., 2] - y), 128 + 0.713 * (rgb[..., 0] - y)]
    return np.rint(np.stack(parts, -1)).clip(0, 255).astype(np.uint8)


def object_of(frames: np.ndarray, syntax: Syntax, *, bits_stored: int, **attributes: object) -> Dataset:
    """A data set of grey frames, coded as the transfer syntax does."""
    dataset = image_object(frames, bits_stored=bits_stored, **attributes)
    if syntax.grey is None:
        dataset.file_meta.TransferSyntaxUID = UID(syntax.uid)
        if syntax.uid == "1.2.840.10008.1.2.2":
            dataset.PixelData = frames.astype(frames.dtype.newbyteorder(">")).tobytes()
        return dataset
    planes = frames[np.newaxis] if frames.ndim == 2 else frames
    return with_streams(dataset, [syntax.grey(plane) for plane in planes], syntax.uid)


def read(dataset: Dataset, folder: pathlib.Path) -> Image:
    image = read_image(saved_as(dataset, folder / "image.dcm"))
    described = image.dataset
    assert described is not None
    assert int(described.get("NumberOfFrames", 1)) == len(image.pixels)
    assert (described.Rows, described.Columns) == image.pixels.shape[1:]
    assert described.BitsAllocated == 8 * image.pixels.dtype.itemsize
    assert described.PixelRepresentation == (image.pixels.dtype.kind == "i")
    assert image.value_range[0] <= image.pixels.min() <= image.pixels.max() <= image.value_range[1]
    assert described.BitsStored == int(image.value_range[1] - image.value_range[0] + 1).bit_length() - 1
    assert described.HighBit == described.BitsStored - 1
    return image


def notes(image: Image) -> str:
    return "; ".join(image.notes)


def coloured(streams: list[bytes], syntax: str, photometric: str, *, samples: int = 3) -> Dataset:
    dataset = image_object(np.zeros((24, 20), np.uint8), SamplesPerPixel=samples, PhotometricInterpretation=photometric)
    if samples == 3:
        dataset.PlanarConfiguration = 0
    return with_streams(dataset, streams, syntax)
