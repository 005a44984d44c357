"""The sender: ``I_compressed = C_q(I_downscaled)`` of the paper's section 2.1, as a packet.

The order is: smoothing where the image is dark or noisy (`preprocess`), downscaling (`downscaling`), mapping to codes
(`mapping`), choice of quality (`quality`), coding (`codecs`). With a budget of bytes, all but the first are tried at
several scales (`budget`).
"""

from __future__ import annotations

import math
import os

from medsr_jax.errors import MedsrError, concerning
from medsr_jax.imaging.image import Image
from medsr_jax.transmission.budget import Budget
from medsr_jax.transmission.options import AUTO, SendingOptions, Window
from medsr_jax.transmission.packet import Packet, PacketHeader
from medsr_jax.transmission.packet_io import packet_bytes
from medsr_jax.transmission.source import Source

COARSEST_SCALE = 8
_SHORTEST_STREAM = b"\xff\xd8\xff\xd9"  # stands for code streams that are not there yet; real ones are longer


def compress(
    image: Image,
    *,
    scale: int | str | None = AUTO,
    quality: int | str = AUTO,
    codec: str | None = AUTO,
    max_bytes: int | None = None,
    ratio: float | str | None = None,
    effort: str = "normal",
    preprocess: bool = True,
    kernel: str = "area",
    window: Window | None = None,
    headers: str = "all",
    container: str = AUTO,
    key: bytes | None = None,
) -> Packet:
    """Make the packet of an image.

    Args:
        image: any size and any stored type.
        scale, quality, codec, max_bytes, ratio, effort, preprocess, kernel, window, headers, container: as the
            attributes of `SendingOptions`.
        key: that the file will be signed with (`packet_bytes`), since a budget counts the signature.

    Returns:
        The packet. Codes are of 16 bits where the source has more than 8 and the codec carries them.

    Raises:
        ParameterError: an option is out of its range.
        MedsrError: the kind of file can't carry the codec, nothing meets the budget, or the image is no `Image`.
    """
    options = SendingOptions(
        scale=scale,
        quality=quality,
        codec=codec,
        max_bytes=max_bytes,
        ratio=ratio,
        effort=effort,
        preprocess=preprocess,
        kernel=kernel,
        window=window,
        headers=headers,
        container=container,
    )
    if not isinstance(image, Image):
        raise MedsrError(
            f"compress takes an Image, not a {type(image).__name__}: read_image(path) reads one, and"
            " Image.from_array(array) makes one"
        )
    with concerning(image.name):
        coded_bytes = None if options.ratio_number is None else _coded_bytes(image, options.ratio_number)
        source = Source.of(image, options, coded_bytes)
        if coded_bytes is not None:
            return _of_ratio(coded_bytes, source)
        if max_bytes is not None:
            return _within(max_bytes, source, key)
        return source.of_quality()


def compress_file(
    source: str | os.PathLike[str], target: str | os.PathLike[str], **options: object
) -> tuple[Packet, int]:
    """Read an image, compress it with the options of `compress` and write the packet.

    Returns:
        The packet and the size of its file.

    Raises:
        MedsrError: as `read_image`, `compress` and `write_packet`.
    """
    from medsr_jax.imaging.reading import read_image
    from medsr_jax.transmission.packet_io import write_packet

    packet = compress(read_image(source), **options)  # type: ignore[arg-type]
    return packet, write_packet(target, packet)


def _within(max_bytes: int, source: Source, key: bytes | None) -> Packet:
    """The best packet whose file has at most so many bytes."""

    def size(packet: Packet) -> int:
        return len(packet_bytes(packet, key=key))

    fixed = source.fixed_scale
    scale = fixed or COARSEST_SCALE
    if source.dataset is not None:
        # Attributes don't depend on pixels: a budget that they exceed is refused before anything is coded.
        streams = (_SHORTEST_STREAM,) * len(source.frames)
        stub = Packet(streams, source.header(scale), source.dataset, container=source.container)
        attributes = size(stub) - stub.coded_bytes
        if attributes >= max_bytes:
            minimal = " or send minimal headers" if source.options.headers == "all" else ""
            raise MedsrError(
                f"doesn't fit into {max_bytes} bytes: its attributes alone take {attributes}",
                remedy=f"raise the budget{minimal}",
            )
    return source.within(Budget(most=max_bytes, size=size))


def _coded_bytes(image: Image, ratio: float) -> int:
    """The least bytes of code streams whose ratio, as `Packet.ratio` counts it, is not above one."""
    header = PacketHeader(
        rows=image.pixels.shape[1],
        columns=image.pixels.shape[2],
        frames=len(image.pixels),
        dtype=image.pixels.dtype.name,
        value_range=image.value_range,
        low=0,
        high=0,
        levels=255,
        scale=1,
        kernel="area",
        quality=1,
        codec="jpeg",
    )
    return max(math.ceil(header.source_bytes / ratio), 1)


def _of_ratio(coded_bytes: int, source: Source) -> Packet:
    """The packet whose code streams have so many bytes, or a few more."""
    budget = Budget(most=coded_bytes, size=lambda packet: packet.coded_bytes, least=coded_bytes)
    try:
        return source.within(budget)
    except MedsrError as error:
        remedy = None if error.remedy is None else error.remedy.replace("raise the budget", "lower the ratio")
        ratio = f"a ratio of {source.options.ratio_number:g}:1 leaves {coded_bytes} bytes"
        raise MedsrError(f"{error.problem}; {ratio}", remedy=remedy) from error
