"""An image through both ends of the link, measured against itself and beside bicubic enlargement."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from medsr_jax.evaluation.baselines import enlarge
from medsr_jax.evaluation.metrics import psnr, ssim
from medsr_jax.imaging import Image
from medsr_jax.imaging.limits import MAX_PIXELS
from medsr_jax.restoration import Restored
from medsr_jax.transmission.mapping import to_codes
from medsr_jax.transmission.packet import Packet
from medsr_jax.transmission.packet_io import packet_bytes, parse_packet
from medsr_jax.transmission.sender import compress

Receiver = Callable[[Packet], Restored]


@dataclasses.dataclass(frozen=True)
class Measured:
    """One image sent and restored.

    Attributes:
        file: the packet's whole file, as the sender writes it.
        packet, restored, bicubic: what the receiver reads in it and the two results; ``bicubic`` is (frames, rows,
            columns).
        ratio: of the original's pixels, at the bits that count, to the code streams (`Packet.ratio`).
        quality: of the codec.
        psnr, ssim: of the restored image; PSNR in dB, of the pixels that are no padding.
        psnr_bicubic, ssim_bicubic: of bicubic enlargement of the same packet.
    """

    file: bytes
    packet: Packet
    restored: Restored
    bicubic: np.ndarray
    ratio: float
    quality: int
    psnr: float
    ssim: float
    psnr_bicubic: float
    ssim_bicubic: float

    @property
    def sent_bytes(self) -> int:
        """Size of the packet's file."""
        return len(self.file)

    @property
    def scale(self) -> int:
        """How many times fewer rows and columns travelled."""
        return self.packet.header.scale

    @property
    def codec(self) -> str:
        """The name of the codec."""
        return self.packet.header.codec

    @property
    def model(self) -> str:
        """What restored it."""
        return self.restored.model


def eight_bits(image: Image) -> Image:
    """The image; a deeper one mapped to 8 bits over the range of its values, since most codecs carry no more."""
    if image.pixels.dtype == np.uint8:
        return image
    low, high = float(image.pixels.min()), float(image.pixels.max())
    codes = to_codes(image.pixels, low=low, high=high, levels=255)
    return Image(pixels=codes, value_range=(0, 255), kind="png", inverted=image.inverted, name=image.name)


def measure(image: Image, restorer: Receiver, *, key: bytes | None = None, **options: Any) -> Measured:
    """Send and restore an image in memory: the file that would travel is made, and read as the receiver reads it.

    Args:
        image: the original, which is the truth.
        restorer: a `Restorer`, or a function composed of one.
        key: to sign the packet with; None for none.
        options: of `transmission.sender.compress`.
    """
    file = packet_bytes(compress(image, **options, key=key), key=key)
    packet = parse_packet(file, max_pixels=max(MAX_PIXELS, image.pixels.size), key=key)
    restored = restorer(packet)
    bicubic = enlarge(packet)
    values = {"value_range": measured_range(image)}
    valid = valid_pixels(image)
    return Measured(
        file=file,
        packet=packet,
        restored=restored,
        bicubic=bicubic,
        ratio=packet.ratio(),
        quality=packet.header.quality,
        psnr=psnr(restored.pixels, image.pixels, valid=valid, **values),
        ssim=ssim(restored.pixels, image.pixels, **values),
        psnr_bicubic=psnr(bicubic, image.pixels, valid=valid, **values),
        ssim_bicubic=ssim(bicubic, image.pixels, **values),
    )


def valid_pixels(image: Image) -> np.ndarray | None:
    """Which pixels are no padding, (frames, rows, columns); None where all count."""
    if image.padding is None:
        return None
    return (image.pixels < image.padding[0]) | (image.pixels > image.padding[1])


def measured_range(image: Image) -> tuple[float, float]:
    """The range that PSNR's peak is taken from: all of 8 bits, else what the image's values span.

    A CT slice of 16 bits may span a tenth of what its storage allows; the whole storage as a peak would flatter
    every method.
    """
    if image.value_range[1] - image.value_range[0] <= 255:
        return image.value_range
    valid = valid_pixels(image)
    pixels = image.pixels if valid is None or not valid.any() else image.pixels[valid]
    low, high = float(pixels.min()), float(pixels.max())
    return (low, high) if high > low else image.value_range


def central_crop(image: Image, *, side: int) -> Image:
    """The central (side, side) pixels of every frame, or all where the image is smaller."""
    rows, columns = image.pixels.shape[1:]
    top, left = (max(extent - side, 0) // 2 for extent in (rows, columns))
    return dataclasses.replace(image, pixels=image.pixels[:, top : top + side, left : left + side])
