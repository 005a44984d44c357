"""DICOM objects as images: stored values, and the data set kept for writing a derived object."""

from __future__ import annotations

import io
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from medsr_jax.errors import MedsrError, named
from medsr_jax.imaging.colour import through_palette, to_grey
from medsr_jax.imaging.image import Image

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from medsr_jax.imaging.dicom_pixels import Frames

Array = np.ndarray[Any, Any]


def decode_dicom(data: bytes, *, name: str, max_pixels: int) -> Image:
    """A DICOM image object of any transfer syntax but video and JPIP, single- or multi-frame, grey or colour.

    Raises:
      MedsrError: no pixels, pixels that can't be decoded (the transfer syntax is named), or a damaged file.
    """
    from medsr_jax.imaging import dicom_pixels

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = _parse(data, name=name)
            frames = dicom_pixels.decode_frames(dataset, name=name, max_pixels=max_pixels)
            return _as_image(dataset, frames, name=name)
        except (MedsrError, MemoryError):
            raise
        except Exception as error:  # Damaged elements raise whatever pydicom's parsers stumble on.
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise named(name, f"is a damaged DICOM file: {reason}") from error


def _parse(data: bytes, *, name: str) -> Dataset:
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    sop_class = str(dataset.get("SOPClassUID", "") or dataset.file_meta.get("MediaStorageSOPClassUID", ""))
    if not any(keyword in dataset for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        what = f" ({pydicom.uid.UID(sop_class).name})" if sop_class else ""
        raise named(name, f"is a DICOM file without pixel data{what}; name a DICOM image")
    if "PixelData" not in dataset:
        raise named(name, "holds floating-point pixels (a parametric map), which no lossy DICOM object can carry")
    return dataset


def _as_image(dataset: Dataset, frames: Frames, *, name: str) -> Image:
    photometric = frames.photometric
    pixels, range_, notes = _grey(frames, dataset)
    spacing, spacing_notes = _spacing(dataset)
    padding = _padding(dataset) if photometric.startswith("MONOCHROME") else None
    for keyword in ("PixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in dataset:
            del dataset[keyword]
    return Image(
        pixels=pixels,
        value_range=range_,
        kind="dicom",
        spacing=spacing,
        inverted=photometric == "MONOCHROME1",
        padding=padding,
        dataset=dataset,
        notes=(*frames.notes, *notes, *spacing_notes),
        name=name,
    )


def _grey(frames: Frames, dataset: Dataset) -> tuple[Array, tuple[float, float], tuple[str, ...]]:
    """(frames, rows, columns), the value range, and notes."""
    pixels, range_, photometric = frames.pixels, frames.value_range, frames.photometric
    if pixels.ndim == 3 and photometric == "PALETTE COLOR":
        pixels = _through_palette(pixels, dataset)
        range_ = (0, np.iinfo(pixels.dtype).max)
    if pixels.ndim == 4:
        if photometric.startswith("YBR_FULL"):
            # PS3.3 C.7.6.3.1.2: the Y of YBR_FULL is BT.601 luma.
            grey = np.ascontiguousarray(pixels[..., 0])
            return grey, range_, ("colour converted to grey: the Y of YBR is BT.601 luma",)
        grey, notes = to_grey(pixels)
        return grey, range_, notes
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        what = photometric or "missing"
        return pixels, range_, (f"photometric interpretation {what} taken as MONOCHROME2",)
    return pixels, range_, ()


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
