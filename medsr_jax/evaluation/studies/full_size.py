"""Codecs at full resolution, what this link is to be compared with: each as good as its encoder gets on grey images.

Whole files are counted, with the least header that a decoder of the kind accepts. JPEG and JPEG 2000 are the sender's
own (`transmission.codecs`), which leave out optional segments.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Sequence

import imagecodecs
import numpy as np
from PIL import Image

from medsr_jax.transmission.codecs import (
    decode_jpeg,
    decode_jpeg2000,
    encode_jpeg,
    encode_jpeg2000,
    jpeg2000_setting,
)

_HALVINGS = 9


@dataclasses.dataclass(frozen=True)
class FullSizeCodec:
    """One codec and the levels at which it is measured, from the smallest file to the largest.

    Attributes:
        name: as tables have it.
        encode: (rows, columns) uint8 and a level -> a file.
        decode: a file -> (rows, columns) uint8.
        levels: of the encoder's own scale.
        settings: what was chosen, in a few words.
    """

    name: str
    encode: Callable[[np.ndarray, float], bytes]
    decode: Callable[[bytes], np.ndarray]
    levels: Sequence[float]
    settings: str

    def within(self, image: np.ndarray, max_bytes: int) -> bytes | None:
        """The best file of at most so many bytes between the first level and the last; None where there is none.

        Args:
            image: (rows, columns) uint8.
            max_bytes: of the file.
        """
        low, high = self.levels[0], self.levels[-1]
        best = self.encode(image, low)
        if len(best) > max_bytes:
            return None
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            data = self.encode(image, middle)
            if len(data) <= max_bytes:
                best, low = data, middle
            else:
                high = middle
        return best


def _jpeg2000(image: np.ndarray, level: float) -> bytes:
    return encode_jpeg2000(image, jpeg2000_setting(level))


def _jpegxl(image: np.ndarray, level: float) -> bytes:
    # Effort 7 is the last that gains in PSNR: 9 moves bits to what it takes for the eye's.
    return bytes(imagecodecs.jpegxl_encode(image, distance=level, effort=7, usecontainer=False))


def _avif(image: np.ndarray, level: float) -> bytes:
    target = io.BytesIO()
    Image.fromarray(image).save(
        target,
        "AVIF",
        quality=int(level),
        subsampling="4:0:0",
        range="full",
        codec="aom",
        speed=2,
        advanced={"tune": "psnr"},
    )
    return target.getvalue()


def _htj2k(image: np.ndarray, level: float) -> bytes:
    return bytes(imagecodecs.htj2k_encode(np.ascontiguousarray(image), level=level, reversible=False))


def _webp(image: np.ndarray, level: float) -> bytes:
    target = io.BytesIO()
    Image.fromarray(image).save(target, "WEBP", quality=int(level), method=6)
    return target.getvalue()


def _decode_webp(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("L"))


def _grey(decode: Callable[[bytes], np.ndarray]) -> Callable[[bytes], np.ndarray]:
    return lambda data: np.squeeze(np.asarray(decode(data)))


FULL_SIZE: dict[str, FullSizeCodec] = {
    codec.name: codec
    for codec in (
        FullSizeCodec(
            "JPEG",
            lambda image, level: encode_jpeg(image, int(level)),
            decode_jpeg,
            (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 55, 70),
            "baseline, fitted Huffman tables",
        ),
        FullSizeCodec(
            "JPEG 2000",
            _jpeg2000,
            decode_jpeg2000,
            (27, 29, 31, 32, 33, 34, 35, 36, 38, 40, 42, 44, 47),
            "9-7 wavelet, raw code stream, levels are the target PSNR",
        ),
        FullSizeCodec(
            "JPEG XL",
            _jpegxl,
            _grey(imagecodecs.jpegxl_decode),
            (25, 22, 19, 16, 13, 10, 8, 6, 4, 2.5, 1.5),
            "VarDCT, effort 7, raw code stream, levels are distances",
        ),
        FullSizeCodec(
            "AVIF",
            _avif,
            _grey(imagecodecs.avif_decode),
            (1, 4, 8, 12, 16, 20, 25, 30, 38, 46, 55, 65, 78),
            "aom, 4:0:0, tune psnr, speed 2",
        ),
        FullSizeCodec(
            "HTJ2K",
            _htj2k,
            _grey(imagecodecs.htj2k_decode),
            (0.5, 0.4, 0.3, 0.22, 0.16, 0.12, 0.08, 0.06, 0.04, 0.025),
            "OpenJPH, 9-7 wavelet, levels are the quantisation step",
        ),
        FullSizeCodec("WebP", _webp, _decode_webp, (1, 3, 6, 10, 15, 20, 30, 40, 55, 70, 85), "VP8, method 6"),
    )
}
