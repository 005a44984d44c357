"""Stored values of any depth as the 8- or 16-bit grey levels that a network is trained on.

The window "auto":

- at most 8 bits: the values as they are, for every window;
- CT with a rescale to Hounsfield units: -1000..1000 HU;
- all else deeper than 8 bits: the 0.1 and 99.9 percentiles of the file's pixels that are not padding.

A window deeper than 8 bits is spread over 0..65535, so that training can draw narrower ones from it. High values are
white: inverted images (DICOM MONOCHROME1, TIFF WhiteIsZero) are inverted back. Padding becomes black.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from medsr_jax.data.levels import to_levels
from medsr_jax.errors import ParameterError
from medsr_jax.imaging import Image

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Window = str | tuple[float, float]
Rescales = list[tuple[float, float]] | str | None

CT_WINDOW = (-1000.0, 1000.0)
PERCENTILES = (0.1, 99.9)
DEFAULTS = (
    f"8 bits as they are; deeper: CT {CT_WINDOW[0]:g}..{CT_WINDOW[1]:g} HU, all else the {PERCENTILES[0]} and"
    f" {PERCENTILES[1]} percentiles of a file's pixels without padding, spread over 16 bits; high values white"
)

# Percentiles of more pixels than this are taken from an even sample.
_MOST_COUNTED = 2**22


@dataclasses.dataclass(frozen=True)
class Windowed:
    """Frames as grey levels, and the window applied.

    Attributes:
        frames: (frames, rows, columns) uint8 or uint16; the whole range of the type is the window.
        window: in words, such as "CT -1000..1000" or "as it is".
    """

    frames: np.ndarray[Any, Any]
    window: str


def parse_window(text: str) -> Window:
    """A window from its text: auto, full, voi or LOW:HIGH.

    Raises:
        ParameterError: for anything else.
    """
    if text in ("auto", "full", "voi"):
        return text
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ParameterError("window", f"must be auto, full, voi or LOW:HIGH with LOW below HIGH, not {text}")
    return low, high


def through_window(image: Image, window: Window = "auto", *, like: Image | None = None) -> Windowed:
    """All frames of an image as grey levels.

    Args:
        image: stored values.
        window: "auto" as in the module's docstring; "full", the range that the storage allows; "voi", the first
            window of a DICOM object (PS3.3 C.11.2.1.2; a sigmoid's ends are taken as a line's, and where there is no
            window "auto" is taken); or a pair in the units after the modality transformation, such as HU, where a
            file has one, else in stored values.
        like: an image whose window is used instead of this one's own.
    """
    padding = _padding_mask(image)
    low, high = image.value_range
    if image.pixels.dtype.kind in "iu" and high - low <= 255:
        return Windowed(_finish(to_levels(image.pixels, low, high, dtype=np.uint8), image, padding), "as it is")
    rule, (low, high) = _ends(image if like is None else like, window)
    rescales = None if rule == "full" else _rescales(image)
    frames = np.empty(image.pixels.shape, np.uint16)
    for number, frame in enumerate(image.pixels):
        frames[number] = to_levels(_modality_values(frame, image, rescales, number), low, high, dtype=np.uint16)
    return Windowed(_finish(frames, image, padding), f"{rule} {low:g}..{high:g}")


def _ends(image: Image, window: Window) -> tuple[str, tuple[float, float]]:
    """The rule of the window, and its ends: in stored values if "full", else after the modality transformation."""
    if window == "full":
        return "full", image.value_range
    if isinstance(window, tuple):
        return "given", window
    voi = _voi(image.dataset) if window == "voi" else None
    if voi is not None:
        return "VOI", voi
    rescales = _rescales(image)
    if _is_hounsfield(image.dataset, rescales):
        return "CT", CT_WINDOW
    return f"percentiles {PERCENTILES[0]}, {PERCENTILES[1]} at", _percentiles(image, rescales)


def _floating(values: np.ndarray) -> type[np.floating[Any]]:
    """float32 where it holds the values exactly."""
    return np.float64 if values.dtype.itemsize > 2 and values.dtype != np.float32 else np.float32


def _finish(levels: np.ndarray, image: Image, padding: np.ndarray | None) -> np.ndarray:
    """High values white, and padding black."""
    if image.inverted:
        levels = np.iinfo(levels.dtype).max - levels
    return levels if padding is None else np.where(padding, levels.dtype.type(0), levels)


def _padding_mask(image: Image) -> np.ndarray | None:
    if image.padding is None:
        return None
    return (image.pixels >= image.padding[0]) & (image.pixels <= image.padding[1])


def _percentiles(image: Image, rescales: Rescales) -> tuple[float, float]:
    """Over all frames, without padding; evenly sampled where there are many pixels."""
    padding = _padding_mask(image)
    if padding is not None and padding.all():
        padding = None
    step = -(-image.pixels.size // _MOST_COUNTED)
    samples = []
    for number, frame in enumerate(image.pixels):
        inside = frame.ravel() if padding is None else frame[~padding[number]]
        samples.append(_modality_values(inside[::step], image, rescales, number))
    counted = np.concatenate(samples)
    low, high = (float(end) for end in np.percentile(counted, PERCENTILES))
    # A small object on a flat ground lies above every percentile.
    return (low, high) if low < high else (float(counted.min()), float(counted.max()))


def _rescales(image: Image) -> Rescales:
    """Slope and intercept of each frame, "table" for a Modality LUT, None where values are used as stored."""
    if image.dataset is None:
        return None
    if image.dataset.get("ModalityLUTSequence"):
        return "table"
    lines = []
    for number in range(len(image.pixels)):
        for holder in _holders(image.dataset, "PixelValueTransformationSequence", number):
            slope, intercept = _number(holder, "RescaleSlope"), _number(holder, "RescaleIntercept")
            if slope:
                lines.append((slope, intercept or 0.0))
                break
    return lines if len(lines) == len(image.pixels) else None


def _modality_values(values: np.ndarray, image: Image, rescales: Rescales, number: int) -> np.ndarray:
    """Stored values of a frame after the modality transformation (PS3.3 C.11.1), floating point where there is one."""
    if rescales is None:
        return values
    kind = _floating(values)
    if isinstance(rescales, str):
        from pydicom.pixels.processing import apply_modality_lut

        assert image.dataset is not None
        return np.asarray(apply_modality_lut(values, image.dataset), kind)
    slope, intercept = rescales[number]
    result: np.ndarray = values * kind(slope) + kind(intercept)
    return result


def _is_hounsfield(dataset: Dataset | None, rescales: Rescales) -> bool:
    if dataset is None or rescales is None:
        return False
    return str(dataset.get("Modality", "")) == "CT" or str(dataset.get("RescaleType", "")) == "HU"


def _voi(dataset: Dataset | None) -> tuple[float, float] | None:
    """The ends of the first window (PS3.3 C.11.2.1.2.1, and C.11.2.1.3.2 for LINEAR_EXACT)."""
    if dataset is None:
        return None
    for holder in _holders(dataset, "FrameVOILUTSequence", 0):
        centre, width = _number(holder, "WindowCenter"), _number(holder, "WindowWidth")
        if centre is None or width is None or width <= 1:
            continue
        if str(holder.get("VOILUTFunction", "") or "LINEAR") == "LINEAR":
            return centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
        return centre - width / 2, centre + width / 2
    return None


def _holders(dataset: Dataset, sequence: str, frame: int) -> Iterator[Dataset]:
    """Where an attribute of a frame may be: its functional group, the shared one, the data set."""
    groups = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])[frame : frame + 1]
    groups += list(dataset.get("SharedFunctionalGroupsSequence") or [])[:1]
    for group in groups:
        yield from list(group.get(sequence) or [])[:1]
    yield dataset


def _number(holder: Dataset, keyword: str) -> float | None:
    """The first value, or None where it is missing or no finite number."""
    try:
        value = holder.get(keyword)
        number = float(value if isinstance(value, (int, float, str)) else value[0])  # type: ignore[index]
    except (TypeError, ValueError, IndexError):
        return None
    return number if math.isfinite(number) else None
