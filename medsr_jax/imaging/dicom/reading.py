"""DICOM objects as images: stored values, and the data set kept for writing a derived object."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from medsr_jax.errors import MedsrError, first_line
from medsr_jax.imaging.colour import full_range_luma, through_palette, to_grey
from medsr_jax.imaging.dicom.pixel_attributes import describe_pixels
from medsr_jax.imaging.dicom.stored_bits import limits
from medsr_jax.imaging.image import Image

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from medsr_jax.imaging.dicom.pixel_data import Frames

Array = np.ndarray[Any, Any]


def decode_dicom(data: bytes, *, name: str, max_pixels: int) -> Image:
    """A DICOM image object of any transfer syntax but video and JPIP, single- or multi-frame, grey or colour.

    Raises:
        MedsrError: no pixels, pixels that can't be decoded (the transfer syntax is named), or a damaged file.
    """
    from medsr_jax.imaging.dicom import parsing as dicom_parsing
    from medsr_jax.imaging.dicom import pixel_data as dicom_pixels

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset, notes = dicom_parsing.parse(data, name=name)
            frames = dicom_pixels.decode_frames(dataset, name=name, max_pixels=max_pixels)
            return _as_image(dataset, frames, notes=notes, name=name)
        except (MedsrError, MemoryError):
            raise
        except Exception as error:  # Damaged elements raise whatever pydicom's parsers stumble on.
            raise MedsrError(f"is a damaged DICOM file: {first_line(error)}", path=name) from error


def _as_image(dataset: Dataset, frames: Frames, *, notes: tuple[str, ...], name: str) -> Image:
    photometric = frames.photometric
    pixels, bits, grey_notes = _grey(frames, dataset, name=name)
    padding = _padding(dataset) if photometric.startswith("MONOCHROME") else None
    describe_pixels(dataset, pixels, bits_stored=bits, signed=pixels.dtype.kind == "i")
    if padding is not None and frames.signed:
        padding = _padding(dataset)  # The sign of the pixels, which decoding may have changed, settles its own.
    if photometric == "MONOCHROME2" and dataset.get("SamplesPerPixel") != 1 and frames.pixels.ndim == 3:
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, photometric
        if "PlanarConfiguration" in dataset:
            del dataset.PlanarConfiguration
    spacing, spacing_notes = _spacing(dataset)
    for keyword in ("PixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in dataset:
            del dataset[keyword]
    return Image(
        pixels=pixels,
        value_range=limits(bits, signed=pixels.dtype.kind == "i"),
        kind="dicom",
        spacing=spacing,
        inverted=photometric == "MONOCHROME1",
        padding=padding,
        dataset=dataset,
        notes=(*notes, *frames.notes, *grey_notes, *spacing_notes),
        name=name,
    )


def _grey(frames: Frames, dataset: Dataset, *, name: str) -> tuple[Array, int, tuple[str, ...]]:
    """(frames, rows, columns), the bits that hold a value, and notes."""
    pixels, bits, photometric = frames.pixels, frames.bits, frames.photometric
    if pixels.ndim == 3 and photometric == "PALETTE COLOR":
        if bits > 16:
            raise MedsrError(f"has palette indices of {bits} bits", path=name, remedy="up to 16 are read")
        pixels = _through_palette(pixels, dataset)
        bits = 8 * pixels.dtype.itemsize
    if pixels.ndim == 4:
        if frames.signed:
            raise MedsrError("has signed colour samples", path=name, remedy="convert them to unsigned ones")
        if photometric.startswith("YBR_FULL"):
            # PS3.3 C.7.6.3.1.2: the Y of YBR_FULL is BT.601 luma.
            grey = np.ascontiguousarray(pixels[..., 0])
            return grey, bits, ("colour converted to grey: the Y of YBR is BT.601 luma",)
        if photometric.startswith("YBR_PARTIAL"):
            note = "colour converted to grey: the Y of YBR_PARTIAL, stretched from its part of the range"
            return full_range_luma(pixels[..., 0], bits=bits), bits, (note,)
        notes: tuple[str, ...] = ()
        if photometric != "RGB":
            notes = (f"photometric interpretation {photometric or 'missing'} taken as RGB",)
        grey, grey_notes = to_grey(pixels)
        return grey, bits, notes + grey_notes
    if photometric not in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"):
        what = photometric or "missing"
        return pixels, bits, (f"photometric interpretation {what} taken as MONOCHROME2",)
    return pixels, bits, ()


def _through_palette(indices: Array, dataset: Dataset) -> Array:
    """(frames, rows, columns, 3) uint8 or uint16."""
    from pydicom.pixels.processing import apply_color_lut

    # The palette as a table, by looking up every index there is.
    low, high = int(indices.min()), int(indices.max())
    palette = apply_color_lut(np.arange(low, high + 1).astype(indices.dtype), dataset)[..., :3]
    return through_palette(indices.astype(np.int64) - low, palette)


def _spacing(dataset: Dataset) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    """Millimetres per row and per column, at the patient when known, else at the detector."""
    holders = [dataset]
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in list(dataset.get(groups) or [])[:1]:
            holders.extend(list(group.get("PixelMeasuresSequence") or [])[:1])
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        for holder in holders:
            value = holder.get(keyword)
            if value is None or value == "":
                continue
            try:
                down, across = (float(part) for part in value)
            except (TypeError, ValueError):
                return None, (f"{keyword} is not two numbers and was ignored",)
            if not (down > 0 and across > 0 and math.isfinite(down) and math.isfinite(across)):
                return None, (f"{keyword} is not positive and was ignored",)
            return (down, across), ()
    return None, ()


def _padding(dataset: Dataset) -> tuple[float, float] | None:
    """The inclusive range of PixelPaddingValue and PixelPaddingRangeLimit (PS3.3 C.7.5.1.1.2)."""
    values = []
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        value = dataset.get(keyword)
        if isinstance(value, (int, float)):
            values.append(_as_stored(int(value), dataset))
    return (min(values), max(values)) if values and dataset.get("PixelPaddingValue") is not None else None


def _as_stored(value: int, dataset: Dataset) -> int:
    """A value that was written with the other signedness than the pixels have, as one of theirs."""
    bits: int = int(dataset.BitsAllocated)
    signed = int(dataset.get("PixelRepresentation", 0) or 0)
    span = 1 << bits
    if signed and value >= span // 2:
        return value - span
    return value + span if value < 0 and not signed else value
