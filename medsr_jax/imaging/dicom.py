"""DICOM objects as images: stored values, and the data set kept for writing a derived object."""

from __future__ import annotations

import io
import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from medsr_jax.errors import MedsrError, named
from medsr_jax.imaging.colour import luma
from medsr_jax.imaging.image import Image

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

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

    pydicom.config.logger.propagate = False
    dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    sop_class = str(dataset.get("SOPClassUID", "") or dataset.file_meta.get("MediaStorageSOPClassUID", ""))
    if not any(keyword in dataset for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        what = pydicom.uid.UID(sop_class).name if sop_class else ""
        if not len(dataset):
            raise named(name, "is a DICOM file without a data set")
        raise named(name, f"has no pixel data{f': it is {what}' if what else ''}; name a DICOM image")
    if "PixelData" not in dataset:
        raise named(name, "holds floating-point pixels (a parametric map), which no lossy DICOM object can carry")
    return dataset


def _as_image(dataset: Dataset, frames: Any, *, name: str) -> Image:
    pixels, range_, notes = frames.pixels, frames.value_range, frames.notes
    photometric = frames.photometric
    if pixels.ndim == 4:
        pixels, range_, colour_notes = _grey(pixels, range_, photometric=photometric)
        notes += colour_notes
    elif photometric == "PALETTE COLOR":
        from pydicom.pixels.processing import apply_color_lut

        colours = np.stack([apply_color_lut(frame, dataset)[..., :3] for frame in pixels])
        range_ = (0, 255 if colours.dtype == np.uint8 else 65535)
        pixels, range_, colour_notes = _grey(colours, range_, photometric="RGB")
        notes += colour_notes
    elif photometric not in ("MONOCHROME1", "MONOCHROME2"):
        notes += (f"photometric interpretation {photometric or 'missing'} taken as MONOCHROME2",)
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
        notes=notes + spacing_notes,
        name=name,
    )


def _grey(
    pixels: Array, range_: tuple[float, float], *, photometric: str
) -> tuple[Array, tuple[float, float], tuple[str, ...]]:
    """Grey of (frames, rows, columns, 3) pixels, its value range, and a note.

    The Y of YBR_FULL is BT.601 luma already (PS3.3 C.7.6.3.1.2), and so is taken as it is.
    """
    if photometric.startswith("YBR_FULL"):
        return np.ascontiguousarray(pixels[..., 0]), range_, ("colour converted to grey: the Y of YBR is BT.601 luma",)
    first = pixels[..., 0]
    if np.array_equal(first, pixels[..., 1]) and np.array_equal(first, pixels[..., 2]):
        return np.ascontiguousarray(first), range_, ("stored as colour with equal channels, taken as grey",)
    return luma(pixels), range_, ("colour converted to grey by BT.601 luma",)


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
    bits, signed = int(dataset.BitsAllocated), int(dataset.get("PixelRepresentation", 0) or 0)
    if signed and value >= 2 ** (bits - 1):
        return value - 2**bits
    return value + 2**bits if value < 0 and not signed else value
