"""An image that is ready to be shrunk: codec, value mapping, smoothing, attributes, and the search of a budget."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.imaging.image import Image
from medsr_jax.transmission import av1_rate, vvc_rate
from medsr_jax.transmission.av1_rate import Av1Rate
from medsr_jax.transmission.budget import Attempt, Budget, attempt, best_scale, codec_for, compares_scales
from medsr_jax.transmission.codecs import CODECS, Codec
from medsr_jax.transmission.downscaling import downscale
from medsr_jax.transmission.enlargement import enlargement_error
from medsr_jax.transmission.mapping import above, choose_window, to_codes
from medsr_jax.transmission.options import AUTO, SendingOptions
from medsr_jax.transmission.packet import Packet, PacketHeader
from medsr_jax.transmission.padding import encode_padding
from medsr_jax.transmission.preprocess import is_dark
from medsr_jax.transmission.preprocess import preprocess as smooth_if_noisy
from medsr_jax.transmission.quality import choose_quality
from medsr_jax.transmission.shrunk import Shrunk
from medsr_jax.transmission.vvc_rate import VvcRate

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

DEFAULT_SCALE = 4


@dataclasses.dataclass(frozen=True)
class Source:
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
    def of(cls, image: Image, options: SendingOptions, max_bytes: int | None) -> Source:
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

    def shrunk(self, scale: int) -> Shrunk:
        """The frames' codes at a scale."""
        low, high = self.low - self.base, self.high - self.base
        small = (downscale(frame, scale=scale, kernel=self.options.kernel) for frame in self.frames)
        values = list(small) if self._is_paced else None  # else a frame at a time, since there may be thousands
        frames = [to_codes(frame, low=low, high=high, levels=self.levels) for frame in values or small]
        first = None if values is None else values[0]
        return Shrunk(
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

    def _search(self, small: Shrunk, first: int | None, budget: Budget) -> Av1Rate | VvcRate:
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
    deep = codec.bits > 8 and image.pixels.dtype.itemsize > 1 and not has_table
    return 65535 if deep else codec.usual_levels
