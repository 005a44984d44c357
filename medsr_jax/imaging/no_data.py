"""Pixels of a TIFF that hold no data: a value that stands for "nothing was measured here"."""

from __future__ import annotations

from typing import Any

import numpy as np

from medsr_jax.errors import MedsrError

Array = np.ndarray[Any, Any]

GDAL_NODATA = 42113
"""Tag in which GDAL writes the value of pixels without data, as text."""
# No detector measures such numbers; programs write the largest that a float holds, or 1e20 and more, for no data.
_HUGE = 1e20


def find_no_data(pixels: Array, tag: str | None, *, name: str) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    """The value that marks pixels without data, as an inclusive range, and a note; None where there are none.

    Args:
        pixels: (rows, columns), grey and finite.
        tag: content of the GDAL tag, if the file has one.

    Raises:
        MedsrError: pixels are huge and of several values.
    """
    value = _stated(pixels, tag)
    notes: tuple[str, ...] = ()
    if value is not None:
        notes = (f"padding: pixels of {value:g} hold no data, as the file states",)
    if pixels.dtype.kind != "f" or pixels.dtype.itemsize < 4:
        return (None if value is None else (value, value)), notes
    huge = (pixels >= _HUGE) | (pixels <= -_HUGE)
    if value is not None:
        huge &= pixels != value
    if not huge.any():
        return (None if value is None else (value, value)), notes
    values = pixels[huge]
    low, high = float(values.min()), float(values.max())
    if value is not None or low != high:
        raise MedsrError(
            f"holds pixels as large as {max(low, high, key=abs):g}",
            path=name,
            remedy="replace them by one no-data value",
        )
    return (low, low), (f"padding: pixels of {low:g} taken as holding no data",)


def value_range(pixels: Array, padding: tuple[float, float] | None) -> tuple[float, float]:
    """The lowest and highest float that is data; of an image without any, its padding."""
    data = pixels if padding is None else pixels[pixels != padding[0]]
    if data.size == 0:
        data = pixels
    return float(data.min()), float(data.max())


def _stated(pixels: Array, tag: str | None) -> float | None:
    """The value that the tag means, if any pixel has it; its text may be rounded."""
    try:
        value = float((tag or "").strip().strip("\0"))
    except ValueError:
        return None
    if not np.isfinite(value):
        return None
    if pixels.dtype.kind != "f":
        return value if value == int(value) and bool(np.any(pixels == int(value))) else None
    span = abs(value) * 1e-6
    near = pixels[(pixels >= value - span) & (pixels <= value + span)]
    if near.size == 0 or not (near == near[0]).all():
        return None
    return float(near[0])
