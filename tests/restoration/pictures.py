"""Images for the tests of the receiver."""

from __future__ import annotations

from typing import Any

import numpy as np

from medsr_jax.imaging import Image


def picture(pixels: Any, value_range: Any = None, **fields: Any) -> Any:
    """(rows, columns) or (frames, rows, columns) of an integer type as an image."""
    pixels = np.asarray(pixels)
    info = np.iinfo(pixels.dtype)
    return Image(
        pixels=pixels if pixels.ndim == 3 else pixels[None],
        value_range=value_range or (info.min, info.max),
        kind=fields.pop("kind", "png"),
        **fields,
    )
