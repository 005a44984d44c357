"""Small images restored as arrays, for notebooks and programs that have no packet."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.imaging.image import Image
from medsr_jax.jpeg.tables import luminance_table
from medsr_jax.restoration.restorer import Restorer
from medsr_jax.transmission.codecs import CODECS
from medsr_jax.transmission.mapping import to_codes
from medsr_jax.transmission.options import AUTO, SCALES
from medsr_jax.transmission.packet import Packet, PacketHeader

_TYPES = ("uint8", "uint16", "int16")


def restore_array(
    small: Any,
    *,
    scale: int = 4,
    quality: int | None = None,
    codec: str = "jpeg",
    value_range: tuple[float, float] | None = None,
    model: str = AUTO,
    restorer: Restorer | None = None,
) -> np.ndarray:
    """Enlarge small images as the receiver would, were they sent.

    What is assumed: each pixel is the mean of a full square of ``scale`` x ``scale`` of the original, and high values
    are white. Nothing is fitted to code streams, since there are none: restore packets where there are some.

    Args:
        small: grey, (rows, columns), (frames, rows, columns) or (frames, rows, columns, 1), NumPy's or JAX's; uint8,
            uint16, int16 or floats.
        scale: rows and columns of the result for one of the small image.
        quality: 1..100, of the codec that the small image has been through; None for none.
        codec: that has this quality, a name of `transmission.codecs.CODECS`.
        value_range: least and greatest value, which the network takes for black and white, as (0, 4095) of 12 bits.
            None for all that an integer type holds, and (0, 1) for floats.
        model: as of `Restorer`; it is kept for the next call. "auto" takes bicubic interpolation for scales that no
            packaged model is for.
        restorer: in place of a model.

    Returns:
        An array of the same number of axes and type (float32 of floats), ``scale`` times as large, within the range.

    Raises:
        MedsrError: the array is no such image, a number is out of its range, or the model isn't for the scale.
    """
    array = np.asarray(small)
    floats = array.dtype.kind == "f"
    if not floats and array.dtype.name not in _TYPES:
        raise MedsrError(f"an array of {array.dtype} is no small image", remedy=f"give {', '.join(_TYPES)} or floats")
    if not isinstance(scale, int | np.integer) or scale not in SCALES:
        raise MedsrError(f"scale is an integer from 1 to 8, not {scale}")
    if quality is not None and not (isinstance(quality, int | np.integer) and 1 <= quality <= 100):
        raise MedsrError(f"quality is an integer from 1 to 100, or None for an image that was not coded, not {quality}")
    if codec not in CODECS:
        raise MedsrError(f"codec is one of {', '.join(CODECS)}, not {codec}")
    limits = (0.0, 1.0) if floats and value_range is None else value_range
    image = Image.from_array(array.astype(np.float32) if floats else array, value_range=limits)
    packet = _packet(image, scale=scale, quality=quality, codec=codec)
    pixels = (restorer or _restorer(model))(packet).pixels
    if array.ndim == 4:
        return pixels[..., None]
    return pixels[0] if array.ndim == 2 else pixels


@dataclasses.dataclass(frozen=True, repr=False)
class _CodedAs(Packet):
    """Small images in place of code streams, and how coarsely they were quantised.

    Attributes:
        small: (frames, rows, columns) codes.
        table: (8, 8) steps of the JPEG that they have been through, zeros for none; None for another codec.
    """

    small: np.ndarray | None = None
    table: np.ndarray | None = None

    def decode(self) -> np.ndarray:
        """The small images."""
        assert self.small is not None
        return self.small

    def coefficients(self) -> None:
        """None: there is no code stream."""

    def quantisation(self) -> np.ndarray | None:
        """The table."""
        return self.table


def _packet(image: Image, *, scale: int, quality: int | None, codec: str) -> _CodedAs:
    low, high = image.value_range
    levels = 255 if image.pixels.dtype == np.uint8 and (low, high) == (0, 255) else 65535
    small = to_codes(image.pixels, low=low, high=high, levels=levels)
    frames, rows, columns = small.shape
    header = PacketHeader(
        rows=rows * scale,
        columns=columns * scale,
        frames=frames,
        dtype=image.pixels.dtype.name,
        value_range=(low, high),
        low=low,
        high=high,
        levels=levels,
        scale=scale,
        kernel="area",
        quality=quality or 100,
        codec="jpeg2000",  # whose packets may have 16 bits, and no coefficients to fit to
        kind="tiff",
    )
    table = None
    if quality is None:
        table = np.zeros((8, 8), np.int32)
    elif codec == "jpeg":
        table = luminance_table(quality)
    return _CodedAs(streams=(b"",) * frames, header=header, small=small, table=table)


@functools.lru_cache(maxsize=4)
def _restorer(model: str) -> Restorer:
    return Restorer(model)
