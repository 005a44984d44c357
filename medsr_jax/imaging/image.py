"""The one image type that every part of the package passes around."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

KINDS = ("png", "jpeg", "tiff", "dicom")


@dataclasses.dataclass(frozen=True)
class Image:
    """A grey image, or several frames of one size, with what is needed to write the same kind of file back.

    Attributes:
      pixels: (frames, rows, columns), stored values: (u)int8, (u)int16, (u)int32, float16, float32 or float64.
      value_range: the lowest and highest value that the storage allows, such as (0, 4095) for 12 bits stored
        or (-2048, 2047) when they are signed. For float pixels, the lowest and highest value present, padding aside.
      kind: the kind of file that it came from, one of `KINDS`.
      spacing: distance of neighbouring pixel centres in mm, between rows and between columns, when known.
      inverted: low values are shown white (DICOM MONOCHROME1, TIFF WhiteIsZero).
      padding: inclusive range of stored values that mark pixels outside the image, when there is one.
      dataset: the source data set without its pixel data, for DICOM.
      notes: what reading changed or assumed, one short sentence each.
      name: what to call the image in messages.
    """

    pixels: np.ndarray[Any, Any]
    value_range: tuple[float, float]
    kind: str
    spacing: tuple[float, float] | None = None
    inverted: bool = False
    padding: tuple[float, float] | None = None
    dataset: Dataset | None = None
    notes: tuple[str, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3:
            raise ValueError(f"pixels have shape {self.pixels.shape}, not (frames, rows, columns)")
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}, not one of {', '.join(KINDS)}")
