"""The one image type that every part of the package passes around."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from medsr_jax.errors import MedsrError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

KINDS = ("png", "jpeg", "tiff", "dicom")


_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64")


@dataclasses.dataclass(frozen=True, repr=False)
class Image:
    """A grey image, or several frames of one size, with what is needed to write the same kind of file back.

    Attributes:
        pixels: (frames, rows, columns), stored values: (u)int8, (u)int16, (u)int32, float16, float32 or float64.
        value_range: the lowest and highest value that the storage allows, such as (0, 4095) for 12 bits stored
            or (-2048, 2047) when they are signed. For float pixels, the lowest and highest value present, padding
            aside.
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

    def __repr__(self) -> str:
        frames, rows, columns = self.pixels.shape
        low, high = self.value_range
        many = f"{frames} frames of " if frames > 1 else ""
        return f"Image({self.kind}, {many}{rows}x{columns} {self.pixels.dtype}, values {low:g}..{high:g})"

    @classmethod
    def from_array(
        cls,
        array: Any,
        *,
        value_range: tuple[float, float] | None = None,
        spacing: tuple[float, float] | None = None,
        inverted: bool = False,
        name: str = "",
    ) -> Image:
        """The image that an array holds.

        Args:
            array: grey, (rows, columns) or (frames, rows, columns), NumPy's or JAX's; or (frames, rows, columns,
                1).
            value_range: what the storage allows, such as (0, 4095) for 12 bits. By default all that an integer type
                holds, and for floats what the array spans.
            spacing, inverted, name: as the attributes.

        Returns:
            An image that is written as PNG, or as TIFF where PNG can't hold it.

        Raises:
            MedsrError: the array is no grey image, has another type or holds numbers that are not finite, or the range
                doesn't hold its values.
        """
        pixels = np.asarray(array)
        if pixels.ndim == 4 and pixels.shape[-1] == 1:
            pixels = pixels[..., 0]
        if pixels.ndim == 2:
            pixels = pixels[None]
        if pixels.ndim != 3 or 0 in pixels.shape or (pixels.shape[-1] in (1, 3, 4) and min(pixels.shape[:2]) > 4):
            raise MedsrError(
                f"an array of shape {np.shape(array)} is no grey image",
                remedy="give (rows, columns) or (frames, rows, columns)",
            )
        if pixels.dtype.name not in _TYPES:
            raise MedsrError(
                f"an array of {pixels.dtype} is no image", remedy=f"convert it to one of {', '.join(_TYPES)}"
            )
        low, high = pixels.min(), pixels.max()
        if not (np.isfinite(low) and np.isfinite(high)):
            raise MedsrError("the array holds values that are not finite", remedy="replace them")
        if spacing is not None and (np.shape(spacing) != (2,) or not np.all(np.asarray(spacing) > 0)):
            raise MedsrError(f"spacing is the distance of rows and that of columns in mm, not {spacing}")
        if value_range is not None and np.shape(value_range) != (2,):
            raise MedsrError(f"a value range is the least and the greatest value, not {value_range}")
        if value_range is None:
            whole = pixels.dtype.kind in "iu"
            limits = (np.iinfo(pixels.dtype).min, np.iinfo(pixels.dtype).max) if whole else (float(low), float(high))
            value_range = limits
        if not value_range[0] <= low <= high <= value_range[1]:
            raise MedsrError(f"values {low:g}..{high:g} of the array are outside of its range {value_range}")
        kind = "png" if pixels.dtype.name in ("uint8", "uint16") and len(pixels) == 1 else "tiff"
        return cls(pixels, value_range, kind, spacing, inverted, name=name)
