"""Images for the tests of the receiver."""

import numpy as np

from medsr_jax.imaging import Image


def picture(pixels, value_range=None, **fields):
    """(rows, columns) or (frames, rows, columns) of an integer type as an image."""
    pixels = np.asarray(pixels)
    info = np.iinfo(pixels.dtype)
    return Image(
        pixels=pixels if pixels.ndim == 3 else pixels[None],
        value_range=value_range or (info.min, info.max),
        kind=fields.pop("kind", "png"),
        **fields,
    )
