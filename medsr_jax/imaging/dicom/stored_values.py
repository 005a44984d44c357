"""Attributes that give stored values their meaning, kept true when values are stored differently."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from medsr_jax.imaging.numbers import decimal

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


_CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


def name_unit(dataset: Dataset) -> None:
    """Writes down the unit that a CT image may leave unsaid, since other classes' default is another.

    Rescale Type is required of a CT image where it is not HU (PS3.3 C.8.2.1); a Secondary Capture without one has none.
    """
    unsaid = "RescaleSlope" in dataset and not dataset.get("RescaleType")
    if unsaid and str(dataset.get("SOPClassUID", "")) == _CT_IMAGE:
        dataset.RescaleType = "HU"


def rescale_values(
    dataset: Dataset, *, rescale: tuple[float, float], bits_stored: int, signed: bool
) -> tuple[float, float]:
    """Composes `old stored value = slope * new + intercept` into the modality transformation.

    The output of the modality transformation is the same as before, so windows, VOI look-up tables and
    presentation states, which come after it, stay true. A Modality LUT is sampled anew over the new values.

    Args:
        dataset: changed in place, functional groups and all.
        rescale: slope and intercept from new stored values to old ones.
        bits_stored, signed: how the new values are stored.

    Returns:
        Rescale slope and intercept that the data set (or its first frame) now has; (1, 0) if none.
    """
    identity = rescale == (1.0, 0.0)
    low = -(2 ** (bits_stored - 1)) if signed else 0
    high = low + 2**bits_stored - 1
    if not identity:
        if dataset.get("ModalityLUTSequence"):
            _resample_lut(dataset.ModalityLUTSequence[0], rescale=rescale, low=low, high=high, signed=signed)
        else:
            _compose(dataset, rescale)
        if "PixelIntensityRelationshipLUTSequence" in dataset:
            del dataset.PixelIntensityRelationshipLUTSequence
    groups = [
        group
        for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
        for group in (dataset.get(keyword) or [])
    ]
    transformed = None
    for group in groups:
        for item in group.get("PixelValueTransformationSequence") or []:
            if not identity:
                _compose(item, rescale)
            transformed = transformed or _rescale_of(item)
    for holder in [dataset, *groups]:
        if "RealWorldValueMappingSequence" in holder and not identity:
            _remap_real_world(holder, rescale=rescale, low=low, high=high, signed=signed)
    if transformed and not identity:
        # The functional groups speak for the frames; a second transformation beside them would contradict.
        for keyword in ("RescaleSlope", "RescaleIntercept", "RescaleType"):
            if keyword in dataset:
                del dataset[keyword]
    return transformed or _rescale_of(dataset)


def _rescale_of(dataset: Dataset) -> tuple[float, float]:
    def number(keyword: str, default: float) -> float:
        value = dataset.get(keyword)
        number = default if value is None or value == "" else float(value)
        if not math.isfinite(number):
            raise ValueError(f"{keyword} is {number}")
        return number

    return number("RescaleSlope", 1.0), number("RescaleIntercept", 0.0)


def _compose(dataset: Dataset, rescale: tuple[float, float]) -> None:
    slope, intercept = _rescale_of(dataset)
    composed = slope * rescale[1] + intercept
    # Where the two terms cancel, as in mapping forth and back, what is left of rounding is no information.
    rounding = 1e-11 * (abs(slope * rescale[1]) + abs(intercept))
    dataset.RescaleSlope = decimal(slope * rescale[0])
    dataset.RescaleIntercept = decimal(composed, tolerance=rounding)
    if not dataset.get("RescaleType"):
        dataset.RescaleType = "US"


def _resample_lut(item: Dataset, *, rescale: tuple[float, float], low: int, high: int, signed: bool) -> None:
    from pydicom.dataelem import DataElement

    count, first, bits = (int(value) for value in item.LUTDescriptor)
    count = count or 65536
    data = item.LUTData
    if isinstance(data, bytes):
        entries = np.frombuffer(data, "<u2" if len(data) >= 2 * count else "u1")[:count]
    else:
        entries = np.asarray(data)[:count]
    if first >= 32768 and signed:  # Written unsigned for signed pixels.
        first -= 65536
    old = np.arange(low, high + 1) * rescale[0] + rescale[1]
    resampled = np.interp(old, first + np.arange(count), entries).round().astype("<u2")
    vr = "SS" if signed else "US"
    item["LUTDescriptor"] = DataElement("LUTDescriptor", vr, [resampled.size % 65536, low, max(bits, 8)])
    item["LUTData"] = DataElement("LUTData", "OW", resampled.tobytes())


def _remap_real_world(holder: Dataset, *, rescale: tuple[float, float], low: int, high: int, signed: bool) -> None:
    """Linear mappings are composed with the rescale; tables of stored values are dropped."""
    from pydicom.dataelem import DataElement

    kept = []
    for item in holder.RealWorldValueMappingSequence:
        if "RealWorldValueSlope" not in item or "RealWorldValueFirstValueMapped" not in item:
            continue
        slope, intercept = float(item.RealWorldValueSlope), float(item.get("RealWorldValueIntercept", 0) or 0)
        item.RealWorldValueSlope = slope * rescale[0]
        item.RealWorldValueIntercept = slope * rescale[1] + intercept
        for keyword in ("RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped"):
            value = round((float(item[keyword].value) - rescale[1]) / rescale[0])
            vr = "SS" if signed else "US"
            item[keyword] = DataElement(keyword, vr, min(max(value, low), high))
        kept.append(item)
    if kept:
        holder.RealWorldValueMappingSequence = kept
    else:
        del holder.RealWorldValueMappingSequence


def drop_padding(dataset: Dataset) -> None:
    """Removes the padding's attributes, as lossy pixels rarely keep a value."""
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        if keyword in dataset:
            del dataset[keyword]


def swap_bytes(dataset: Dataset) -> None:
    """Turns the words of big-endian binary elements around, which pydicom leaves as they were in the file."""
    widths: dict[str, Any] = {"OW": "u2", "OF": "u4", "OL": "u4", "OD": "u8", "OV": "u8"}
    for element in dataset.iterall():
        if element.VR in widths and isinstance(element.value, bytes):
            width = np.dtype(widths[element.VR])
            whole = len(element.value) // width.itemsize * width.itemsize
            element.value = np.frombuffer(element.value[:whole], width).byteswap().tobytes()
