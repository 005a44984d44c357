"""Small images restored as arrays, for notebooks and programs that have no packet."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.imaging.image import Image
from medsr_jax.restoration.restorer import AUTO, Restorer
from medsr_jax.transmission.downscale import SCALES
from medsr_jax.transmission.packet import DecodedPacket, PacketHeader


def restore_array(
    small: Any, *, scale: int = 4, quality: int = 100, model: str = AUTO, restorer: Restorer | None = None
) -> np.ndarray:
    """Enlarge small images as the receiver would, were they sent.

    What is assumed: each pixel is the mean of a full square of ``scale`` x ``scale`` of the original, high values are
    white, and the whole range of the type is what an image may span. Nothing is fitted to code streams, since there are
    none: restore packets where there are some.

    Args:
        small: grey, (rows, columns), (frames, rows, columns) or (frames, rows, columns, 1), NumPy's or JAX's; uint8,
            uint16, or floats in [0, 1].
        scale: rows and columns of the result for one of the small image.
        quality: 1..100, of the JPEG, or another codec as faithful, that the small image has been through; 100 for none.
        model: as of `Restorer`; it is kept for the next call.
        restorer: in place of a model.

    Returns:
        An array of the same number of axes and type (float32 of floats), ``scale`` times as large.

    Raises:
        MedsrError: the array is no such image, a number is out of its range, or the model isn't for the scale.
    """
    array = np.asarray(small)
    if array.dtype.kind == "f":
        stored = Image.from_array(array.astype(np.float32), value_range=(0.0, 1.0))
        codes, levels, dtype, high = np.rint(stored.pixels * np.float32(65535)).astype(np.uint16), 65535, "float32", 1
    elif array.dtype in (np.uint8, np.uint16):
        codes, dtype = Image.from_array(array).pixels, array.dtype.name
        levels = high = int(np.iinfo(array.dtype).max)
    else:
        raise MedsrError(f"an array of {array.dtype} is no small image; give uint8, uint16, or floats in [0, 1]")
    if scale not in SCALES or not 1 <= quality <= 100:
        raise MedsrError(f"scale is from 1 to 8 and quality from 1 to 100, not {scale} and {quality}")
    frames, rows, columns = codes.shape
    header = PacketHeader(
        rows=rows * scale,
        columns=columns * scale,
        frames=frames,
        dtype=dtype,
        value_range=(0, high),
        low=0,
        high=high,
        levels=levels,
        scale=scale,
        kernel="area",
        quality=quality,
        codec="jpeg2000",  # any that leaves no coefficients to fit to
        kind="tiff",
    )
    packet = DecodedPacket(codes=(b"",) * frames, header=header, small=codes)
    pixels = (restorer or _restorer(model))(packet).pixels
    if array.ndim == 4:
        return pixels[..., None]
    return pixels[0] if array.ndim == 2 else pixels


@functools.lru_cache(maxsize=4)
def _restorer(model: str) -> Restorer:
    return Restorer(model)
