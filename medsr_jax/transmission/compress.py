"""The sender: ``I_compressed = C_q(I_downscaled)`` of the paper's section 2.1, as a packet.

The order is: smoothing where the image is dark or noisy (`preprocess`), downscaling (`downscale`), mapping to codes
(`mapping`), choice of quality (`quality`), coding (`codecs`).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable

import numpy as np

from medsr_jax.errors import MedsrError, named
from medsr_jax.imaging.image import Image
from medsr_jax.transmission import quality as rules
from medsr_jax.transmission.codecs import CODECS, Codec
from medsr_jax.transmission.downscale import KERNELS, SCALES, downscale
from medsr_jax.transmission.mapping import Window, choose_window, to_codes
from medsr_jax.transmission.packet import Packet, PacketHeader
from medsr_jax.transmission.packet_io import packet_bytes
from medsr_jax.transmission.preprocess import is_dark
from medsr_jax.transmission.preprocess import preprocess as smooth_if_noisy


def compress(
    image: Image,
    *,
    scale: int = 4,
    quality: int | str = "auto",
    codec: str = "jpeg",
    max_bytes: int | None = None,
    preprocess: bool = True,
    kernel: str = "area",
    window: Window | None = None,
) -> Packet:
    """Makes the packet of an image.

    Args:
        image: any size and any stored type.
        scale: 1..8, how many times fewer rows and columns travel.
        quality: 1..100, or "auto": 50..75 by the image's own content (`quality.choose_quality`).
        codec: a name of `CODECS`.
        max_bytes: the most bytes that the packet's whole file may have; the best quality that fits is taken, in
            place of `quality`.
        preprocess: smooth images that are dark or noisy; others are never touched.
        kernel: of the downscaling.
        window: the stored values that become the codes' range (`mapping.choose_window`): "data", "full", (low, high).

    Returns:
        The packet. Codes are of 16 bits where the source has more than 8 and the codec carries them.

    Raises:
        MedsrError: for an option outside its range, a codec that the kind of file can't carry, or a budget that no
            quality meets.
    """
    try:
        return _compress(
            image, scale, quality, _checked(image, scale, quality, codec, kernel), max_bytes, preprocess, kernel, window
        )
    except MedsrError as error:
        raise named(image.name, str(error)) if image.name else error from error


def _checked(image: Image, scale: int, quality: int | str, codec: str, kernel: str) -> Codec:
    if scale not in SCALES:
        raise MedsrError(f"scale is an integer from 1 to 8, not {scale}")
    if kernel not in KERNELS:
        raise MedsrError(f"kernel is one of {', '.join(KERNELS)}, not {kernel}")
    if codec not in CODECS:
        raise MedsrError(f"codec is one of {', '.join(CODECS)}, not {codec}")
    if quality != "auto" and (isinstance(quality, str) or not 1 <= quality <= 100):
        raise MedsrError(f"quality is 'auto' or an integer from 1 to 100, not {quality}")
    chosen = CODECS[codec]
    if image.dataset is not None and chosen.transfer_syntax is None:
        raise MedsrError(f"can't be sent as {codec}: {chosen.refusal}; choose jpeg or jpeg2000")
    if image.dataset is not None:
        from medsr_jax.imaging.sop_class import check_derivable

        check_derivable(image.dataset)  # before any work: doses and segmentations aren't pictures
    if image.dataset is None and len(image.pixels) != 1:
        raise MedsrError(f"has {len(image.pixels)} pages, and a {codec} file holds one; send each page as a file")
    return chosen


def _compress(
    image: Image,
    scale: int,
    quality: int | str,
    codec: Codec,
    max_bytes: int | None,
    preprocess: bool,
    kernel: str,
    window: Window | None,
) -> Packet:
    pixels, done = image.pixels, []
    if window is None and preprocess and pixels.dtype.itemsize == 1 and _dark(image):
        # A gain that the mapping records and the receiver inverts: restored brightness is the original's.
        window = "data"
        done.append("dark, codes span the data")
    low, high = choose_window(pixels, window, value_range=image.value_range, padding=image.padding)
    if image.padding is not None:
        # Else the value that marks "no image", often far outside, would be averaged into the rim of the image.
        pixels = np.clip(pixels, low, high).astype(pixels.dtype)
    levels = _levels(image, codec)
    small = []
    for frame in pixels:
        if preprocess:
            frame, what = smooth_if_noisy(frame, low=low, high=high)
            if what and not any("smoothed" in entry for entry in done):
                done.append(what)
        small.append(to_codes(downscale(frame, scale=scale, kernel=kernel), low=low, high=high, levels=levels))
    header = PacketHeader(
        rows=pixels.shape[1],
        columns=pixels.shape[2],
        frames=len(pixels),
        dtype=pixels.dtype.name,
        value_range=image.value_range,
        low=low,
        high=high,
        levels=levels,
        scale=scale,
        kernel=kernel,
        quality=1,
        codec=codec.name,
        preprocess=", ".join(done),
        kind=image.kind,
        inverted=image.inverted,
        spacing=image.spacing,
        notes=image.notes,
    )
    make = _maker(small, header, codec, image)
    if max_bytes is not None:
        return rules.best_that_fits(make, max_bytes=max_bytes, size=lambda packet: len(packet_bytes(packet)))
    if quality == "auto":
        middle = len(small) // 2
        quality = rules.choose_quality(
            small[middle], pixels[middle], scale=scale, low=low, high=high, levels=levels, codec=codec
        )
    return make(int(quality))


def _dark(image: Image) -> bool:
    return is_dark(image.pixels, value_range=image.value_range, inverted=image.inverted)


def _levels(image: Image, codec: Codec) -> int:
    # A modality LUT becomes one with an entry a code: 65536 of them would be a hundred times the image.
    has_table = image.dataset is not None and "ModalityLUTSequence" in image.dataset
    return 65535 if codec.bits > 8 and image.pixels.dtype.itemsize > 1 and not has_table else 255


def _maker(small: list[np.ndarray], header: PacketHeader, codec: Codec, image: Image) -> Callable[[int], Packet]:
    def make(quality: int) -> Packet:
        try:
            codes = tuple(codec.encode(frame, quality) for frame in small)
        except Exception as error:  # each library has its own exception for sides beyond its format
            rows, columns = small[0].shape
            raise MedsrError(f"{codec.name} can't code {rows}x{columns} pixels ({error}); raise the scale") from error
        return Packet(codes=codes, header=dataclasses.replace(header, quality=quality), dataset=image.dataset)

    return make


def compress_file(
    source: str | os.PathLike[str], target: str | os.PathLike[str], **options: object
) -> tuple[Packet, int]:
    """Reads an image, compresses it with the options of `compress` and writes the packet.

    Returns:
        The packet and the size of its file.

    Raises:
        MedsrError: as `read_image`, `compress` and `write_packet`.
    """
    from medsr_jax.imaging.reading import read_image
    from medsr_jax.transmission.packet_io import write_packet

    packet = compress(read_image(source), **options)  # type: ignore[arg-type]
    return packet, write_packet(target, packet)
