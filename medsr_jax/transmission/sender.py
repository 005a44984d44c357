"""The sender: ``I_compressed = C_q(I_downscaled)`` of the paper's section 2.1, as a packet.

The order is: smoothing where the image is dark or noisy (`preprocess`), downscaling (`downscaling`), mapping to codes
(`mapping`), choice of quality (`quality`), coding (`codecs`). With a budget of bytes, all but the first are tried at
several scales (`budget`).
"""

from __future__ import annotations

import dataclasses
import math
import os
from typing import TYPE_CHECKING

import numpy as np

from medsr_jax.errors import MedsrError, concerning
from medsr_jax.imaging.image import Image
from medsr_jax.transmission import av1_rate, vvc_rate
from medsr_jax.transmission.av1_rate import Av1Rate
from medsr_jax.transmission.budget import Attempt, Budget, attempt, best_scale, codec_for, compares_scales
from medsr_jax.transmission.codecs import CODECS, Codec
from medsr_jax.transmission.downscaling import downscale
from medsr_jax.transmission.enlargement import enlargement_error
from medsr_jax.transmission.fidelity import Fidelity
from medsr_jax.transmission.mapping import above, choose_window, to_codes, widened
from medsr_jax.transmission.options import AUTO, SendingOptions, Window
from medsr_jax.transmission.packet import Packet, PacketHeader
from medsr_jax.transmission.packet_io import packet_bytes
from medsr_jax.transmission.padding import encode_padding
from medsr_jax.transmission.preprocess import is_dark
from medsr_jax.transmission.preprocess import preprocess as smooth_if_noisy
from medsr_jax.transmission.quality import choose_quality
from medsr_jax.transmission.vvc_rate import VvcRate

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

DEFAULT_SCALE, COARSEST_SCALE = 4, 8
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
        source = _Source.of(image, options, coded_bytes)
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


def _within(max_bytes: int, source: _Source, key: bytes | None) -> Packet:
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


def _of_ratio(coded_bytes: int, source: _Source) -> Packet:
    """The packet whose code streams have so many bytes, or a few more."""
    budget = Budget(most=coded_bytes, size=lambda packet: packet.coded_bytes, least=coded_bytes)
    try:
        return source.within(budget)
    except MedsrError as error:
        remedy = None if error.remedy is None else error.remedy.replace("raise the budget", "lower the ratio")
        ratio = f"a ratio of {source.options.ratio_number:g}:1 leaves {coded_bytes} bytes"
        raise MedsrError(f"{error.problem}; {ratio}", remedy=remedy) from error


@dataclasses.dataclass(frozen=True)
class _Source:
    """An image that is ready to be shrunk, by one scale or several.

    Attributes:
        image: the original.
        options: how it is sent.
        codec: that was chosen.
        pixels: of the original, clipped to the window where it has padding: the truth of the restored image.
        frames: the same smoothed where they are noisy, less `base`.
        low, high, levels: of the mapping.
        base: was subtracted from the values of `frames`, so that float32 holds them.
        preprocess: what was done.
        dataset: for DICOM, the attributes that are sent.
        notes: what reading the original changed, and what is not sent.
    """

    image: Image
    options: SendingOptions
    codec: Codec
    pixels: np.ndarray
    frames: list[np.ndarray]
    low: float
    high: float
    levels: int
    base: float
    preprocess: str
    dataset: Dataset | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, image: Image, options: SendingOptions, max_bytes: int | None) -> _Source:
        """Smoothing, mapping and attributes, none of which depends on the scale; `max_bytes` is of the ratio if any."""
        codec = _codec(image, options, max_bytes)
        pixels, window, done = image.pixels, options.window, list[str]()
        if window is None and options.preprocess and _is_dark_and_may_be_rescaled(image):
            # A gain that the mapping records and the receiver inverts: restored brightness is the original's.
            window = "data"
            done.append("dark, codes span the data")
        low, high = choose_window(pixels, window, value_range=image.value_range, padding=image.padding)
        if image.padding is not None:
            # Else the value that marks "no image", often far outside, would be averaged into the rim of the image.
            pixels = np.clip(pixels, low, high).astype(pixels.dtype)
        base = low if pixels.dtype.itemsize > 2 else 0
        frames = [above(frame, base) if base else frame for frame in pixels]
        if options.preprocess:
            smoothed = [smooth_if_noisy(frame, low=low - base, high=high - base) for frame in frames]
            frames = [frame for frame, _ in smoothed]
            done += [what for _, what in smoothed if what][:1]
        dataset, not_sent = _attributes(image.dataset, minimal=options.headers == "minimal")
        return cls(
            image=image,
            options=options,
            codec=codec,
            pixels=pixels,
            frames=frames,
            low=low,
            high=high,
            levels=_levels(image, codec),
            base=base,
            preprocess=", ".join(done),
            dataset=dataset,
            notes=(*image.notes, *not_sent),
        )

    def header(self, scale: int) -> PacketHeader:
        """Of a packet of a scale, whose quality is not known yet."""
        image = self.image
        padding, padding_notes = None, tuple[str, ...]()
        if image.padding is not None:
            padding, padding_notes = encode_padding(
                image.pixels, image.padding, scale=scale, max_bytes=self.options.max_bytes
            )
        return PacketHeader(
            rows=image.pixels.shape[1],
            columns=image.pixels.shape[2],
            frames=len(image.pixels),
            dtype=image.pixels.dtype.name,
            value_range=image.value_range,
            low=self.low,
            high=self.high,
            levels=self.levels,
            scale=scale,
            kernel=self.options.kernel,
            quality=1,
            codec=self.codec.name,
            preprocess=self.preprocess,
            kind=image.kind,
            inverted=image.inverted,
            spacing=image.spacing,
            padding=padding,
            notes=(*self.notes, *padding_notes),
        )

    def shrunk(self, scale: int) -> _Shrunk:
        """The frames' codes at a scale."""
        low, high = self.low - self.base, self.high - self.base
        small = (downscale(frame, scale=scale, kernel=self.options.kernel) for frame in self.frames)
        values = list(small) if self._is_paced else None  # else a frame at a time, since there may be thousands
        frames = [to_codes(frame, low=low, high=high, levels=self.levels) for frame in values or small]
        first = None if values is None else values[0]
        return _Shrunk(
            frames, self.header(scale), self.codec, self.dataset, self.container, values=first, base=self.base
        )

    @property
    def _is_paced(self) -> bool:
        """Whether the codec's speed can be chosen; the windows of several frames can't be widened one by one."""
        return self.codec.paced is not None and len(self.frames) == 1

    @property
    def container(self) -> str:
        """Of the packet's file."""
        return "thin" if self.options.thin else "standard"

    @property
    def fixed_scale(self) -> int | None:
        """The scale, where the options leave no choice."""
        return None if self.options.scale == AUTO else int(self.options.scale or DEFAULT_SCALE)

    def within(self, budget: Budget) -> Packet:
        """The best packet of a budget."""
        if self.fixed_scale is not None:
            return self._attempt(self.fixed_scale, None, budget).finish()
        return best_scale(
            lambda scale, first: self._attempt(scale, first, budget),
            self.pixels,
            budget=budget,
            codec=self.codec.name,
        )

    def _attempt(self, scale: int, first: int | None, budget: Budget) -> Attempt:
        small = self.shrunk(scale)
        if not self._is_paced:
            return attempt(small.packet, budget=budget, first=first, fractions=self.codec.setting_of is not None)
        found = self._search(small, first, budget).attempt()
        return dataclasses.replace(found, finish=lambda: small.with_quality(found.finish()))

    def _search(self, small: _Shrunk, first: int | None, budget: Budget) -> Av1Rate | VvcRate:
        effort, pixels = self.options.effort, small.frames[0].size
        if self.codec.name == "vvc":
            pace = vvc_rate.pace_of(effort, pixels=pixels, max_bytes=budget.most)
            compared = self.fixed_scale is None and compares_scales(self.pixels.size, budget, codec="vvc")
            return VvcRate(small.paced, budget=budget, pace=pace, pixels=pixels, first=first, compared=compared)
        pace = av1_rate.pace_of(effort, pixels=pixels, max_bytes=budget.most)
        return Av1Rate(small.paced, budget=budget, pace=pace, first=first)

    def of_quality(self) -> Packet:
        """The packet of the quality and scale of the options."""
        scale, quality = self.options.scale, self.options.quality
        small = self.shrunk(DEFAULT_SCALE if scale == AUTO else int(scale or DEFAULT_SCALE))
        if quality == AUTO:
            middle = small.middle
            lost = enlargement_error(small.frames[middle], self.pixels[middle], header=small.header)
            quality = choose_quality(small.fidelity, codec=self.codec, lost=lost)
        return small.of_quality(int(quality))


class _Shrunk:
    """Small images that are ready to be coded; the middle frame stands for all where one is judged.

    Args:
        frames: of codes, (rows, columns) each.
        header: with any quality.
        codec: that codes them.
        dataset, container: of the packet.
        values: of the one frame, less `base`, before they became codes; where the codec has speeds.
        base: was subtracted from `values`.
    """

    def __init__(
        self,
        frames: list[np.ndarray],
        header: PacketHeader,
        codec: Codec,
        dataset: Dataset | None,
        container: str,
        *,
        values: np.ndarray | None = None,
        base: float = 0,
    ) -> None:
        self.frames, self.header, self._codec, self._dataset = frames, header, codec, dataset
        self._container = container
        self._values, self._base = values, base
        self.middle = len(frames) // 2
        self.fidelity = Fidelity(frames[self.middle])

    def packet(self, setting: float) -> Packet:
        """Of one setting of the codec for all frames."""
        streams = tuple(self._codec.encode(frame, setting) for frame in self.frames)
        return self._packet(streams, self.fidelity.quality_of(self._codec, setting, streams[self.middle]))

    def paced(self, setting: float, contrast: float, speed: int) -> Packet:
        """Of one setting of a codec with speeds; its quality is 100 until `with_quality`."""
        header = self.header
        header = dataclasses.replace(header, high=widened(header.low, header.high, contrast=contrast), quality=100)
        stream = self._codec.encode(self._codes(header), setting, speed=speed)
        return Packet((stream,), header, self._dataset, container=self._container)

    def with_quality(self, packet: Packet) -> Packet:
        """A packet of `paced` with its quality."""
        codes = self._codes(packet.header)
        fidelity = self.fidelity if codes is self.frames[0] else Fidelity(codes)
        quality = fidelity.quality_of(self._codec, 1, packet.streams[0])
        return dataclasses.replace(packet, header=dataclasses.replace(packet.header, quality=quality))

    def _codes(self, header: PacketHeader) -> np.ndarray:
        """The codes of the one frame under a header's window."""
        if header.high == self.header.high or self._values is None:
            return self.frames[0]
        low, high = header.low - self._base, header.high - self._base
        return to_codes(self._values, low=low, high=high, levels=header.levels, dithered=True)

    def of_quality(self, quality: int) -> Packet:
        """Of one quality: each frame has the fidelity that it would have as a JPEG."""
        measured = (
            self.fidelity if number == self.middle else Fidelity(frame) for number, frame in enumerate(self.frames)
        )
        return self._packet(tuple(one.stream(self._codec, quality) for one in measured), quality)

    def _packet(self, streams: tuple[bytes, ...], quality: int) -> Packet:
        header = dataclasses.replace(self.header, quality=quality)
        return Packet(streams, header, self._dataset, container=self._container)


def _codec(image: Image, options: SendingOptions, max_bytes: int | None) -> Codec:
    """The codec, refused where the image can't be sent with it."""
    dicom = image.dataset is not None
    deep_frames = dicom and _has_deep_frames(image)
    name = codec_for(
        options,
        dicom=dicom and not options.thin,
        deep_frames=deep_frames,
        several=len(image.pixels) > 1,
        max_bytes=max_bytes,
    )
    codec = CODECS[name]
    if image.dataset is not None:
        if not options.thin:
            codec.check_dicom()
        from medsr_jax.imaging.dicom.sop_class import check_derivable

        check_derivable(image.dataset)  # before any work: doses and segmentations aren't pictures
    elif len(image.pixels) != 1:
        raise MedsrError(
            f"has {len(image.pixels)} pages, and a {codec.name} file holds one", remedy="send each page as a file"
        )
    return codec


def _has_deep_frames(image: Image) -> bool:
    return len(image.pixels) > 1 and image.pixels.dtype.itemsize > 1


def _attributes(dataset: Dataset | None, *, minimal: bool) -> tuple[Dataset | None, tuple[str, ...]]:
    """The DICOM attributes that are sent, and notes on those that are not."""
    if dataset is None:
        return None, ()
    from medsr_jax.transmission import headers
    from medsr_jax.transmission.original_form import without_bulk

    notes: tuple[str, ...] = ()
    if minimal:
        dataset, left_out = headers.minimal(dataset)
        notes = (left_out.note,) if left_out.note else ()
    dataset, bulk = without_bulk(dataset)
    return dataset, notes + bulk


def _is_dark_and_may_be_rescaled(image: Image) -> bool:
    """8 bits and under-exposed; several DICOM frames keep their class only with the values as they are.

    PS3.3 A.7, A.8.3.
    """
    several = image.dataset is not None and len(image.pixels) > 1
    if image.pixels.dtype.itemsize != 1 or several:
        return False
    return is_dark(image.pixels, value_range=image.value_range, inverted=image.inverted)


def _levels(image: Image, codec: Codec) -> int:
    # A modality LUT becomes one with an entry a code: 65536 of them would be a hundred times the image.
    has_table = image.dataset is not None and "ModalityLUTSequence" in image.dataset
    if codec.name == "vvc":
        return 65535  # of 8-bit values too: they pass through its 10 bits unrounded
    return 65535 if codec.bits > 8 and image.pixels.dtype.itemsize > 1 and not has_table else 255
