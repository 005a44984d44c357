"""Grey of TIFF pixels in YCbCr (TIFF 6.0, section 21)."""

from __future__ import annotations

from typing import Any

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.imaging.colour import luma

Array = np.ndarray[Any, Any]

_BT601 = (0.299, 0.587, 0.114)
_JPEG_COMPRESSIONS = (6, 7, 34892, 33007, 99)
_OTHERS_OF_COLOUR = (34712, 33003, 33004, 33005, 34933, 34934, 50001, 50002, 52546)


def is_coded_ycbcr(page: Any) -> bool:
    """Whether the reader leaves YCbCr samples as they are: it converts those of image codecs only."""
    return page.photometric == 6 and int(page.compression) not in _JPEG_COMPRESSIONS + _OTHERS_OF_COLOUR


def check_subsampling(page: Any, *, name: str) -> None:
    """Refuses subsampled chroma outside JPEG, whose samples come in blocks that the reader does not take apart.

    Raises:
        MedsrError: chroma is subsampled; two by two is the default of the tag.
    """
    tag = page.tags.get("YCbCrSubSampling")
    across, down = (int(part) for part in tag.value) if tag is not None else (2, 2)
    if (across, down) != (1, 1) and is_coded_ycbcr(page):
        raise MedsrError(
            f"has YCbCr pixels with chroma subsampled {across} x {down}", path=name, remedy="convert it to RGB or grey"
        )


def ycbcr_luma(page: Any, pixels: Array) -> tuple[Array, tuple[str, ...]]:
    """(rows, columns) BT.601 luma of (rows, columns, 3) YCbCr, of the same dtype, and notes."""
    top = float(np.iinfo(pixels.dtype).max)
    middle = (top + 1) / 2
    reference = _numbers(page, "ReferenceBlackWhite", 6) or (0.0, top, middle, top, middle, top)
    coefficients = _numbers(page, "YCbCrCoefficients", 3) or _BT601
    y = _full(pixels[..., 0], reference[0], reference[1], top)
    if np.allclose(coefficients, _BT601, atol=1e-3):
        grey = np.rint(y.clip(0, top)).astype(pixels.dtype)
        return grey, ("colour converted to grey: the Y of YCbCr is BT.601 luma",)
    red, green, blue = coefficients
    half = top - middle
    cb = _full(pixels[..., 1], reference[2], reference[3], half)
    cr = _full(pixels[..., 2], reference[4], reference[5], half)
    r, b = y + (2 - 2 * red) * cr, y + (2 - 2 * blue) * cb
    g = (y - red * r - blue * b) / green
    grey = np.rint(luma(np.stack([r, g, b], -1).clip(0, top))).astype(pixels.dtype)
    return grey, ("colour converted to grey by BT.601 luma",)


def _full(codes: Array, black: float, white: float, span: float) -> Array:
    full: Array = (codes.astype(np.float64) - black) * (span / ((white - black) or 1.0))
    return full


def _numbers(page: Any, tag: str, count: int) -> tuple[float, ...] | None:
    """Rational numbers of a tag."""
    found = page.tags.get(tag)
    parts = found.value if found is not None else ()
    if len(parts) != 2 * count or any(part == 0 for part in parts[1::2]):
        return None
    return tuple(above / below for above, below in zip(parts[::2], parts[1::2], strict=True))
