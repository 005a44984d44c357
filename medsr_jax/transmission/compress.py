"""The sender: ``I_compressed = C_q(I_downscaled)`` of the paper's section 2.1, as a packet.

The order is: smoothing where the image is dark or noisy (`preprocess`), downscaling (`downscale`), mapping to codes
(`mapping`), choice of quality (`quality`), coding (`codecs`). Under a budget of bytes all but the first is tried with
several scales (`budget`).
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from medsr_jax.errors import MedsrError, named
from medsr_jax.imaging.image import Image
from medsr_jax.transmission.budget import Maker, best_scale, best_that_fits, codec_for
from medsr_jax.transmission.codecs import CODECS, Codec, has_avif
from medsr_jax.transmission.downscale import KERNELS, SCALES, downscale
from medsr_jax.transmission.fidelity import Fidelity
from medsr_jax.transmission.mapping import Window, above, choose_window, to_codes
from medsr_jax.transmission.packet import Packet, PacketHeader
from medsr_jax.transmission.packet_io import packet_bytes
from medsr_jax.transmission.padding import encode_padding
from medsr_jax.transmission.preprocess import is_dark
from medsr_jax.transmission.preprocess import preprocess as smooth_if_noisy
from medsr_jax.transmission.quality import choose_quality

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

DEFAULT_SCALE = 4


def compress(
    image: Image,
    *,
    scale: int | str | None = None,
    quality: int | str = "auto",
    codec: str | None = None,
    max_bytes: int | None = None,
    preprocess: bool = True,
    kernel: str = "area",
    window: Window | None = None,
    headers: str = "all",
    key: bytes | None = None,
) -> Packet:
    """Makes the packet of an image.

    Args:
        image: any size and any stored type.
        scale: 1..8, how many times fewer rows and columns travel. None or "auto" is 4; under a budget, what serves
            best (`budget.best_scale`).
        quality: 1..100, which is the fidelity of a JPEG of that quality, whatever the codec (`fidelity`); or "auto":
            50..75 by the image's own content (`quality.choose_quality`).
        codec: a name of `CODECS`. None or "auto" is "jpeg", and "jpeg2000" for several DICOM frames of more than 8
            bits; under a budget, what serves best (`budget.codec_for`).
        max_bytes: the most bytes that the packet's whole file may have; the best quality that fits is taken, in
            place of `quality`.
        preprocess: smooth images that are dark or noisy; others are never touched.
        kernel: of the downscaling.
        window: the stored values that become the codes' range (`mapping.choose_window`): "data", "full", (low, high).
        key: that the file will be signed with (`packet_bytes`), since a budget counts the signature.
        headers: of DICOM: "all" attributes travel, or the "minimal" ones (`headers.MODULES`).

    Returns:
        The packet. Codes are of 16 bits where the source has more than 8 and the codec carries them.

    Raises:
        MedsrError: for an option outside its range, a codec that the kind of file can't carry, or a budget that
            nothing meets; or the image is no `Image`.
    """
    if not isinstance(image, Image):
        raise MedsrError(
            f"compress takes an Image, not a {type(image).__name__}: read_image(path) reads one, and"
            " Image.from_array(array) makes one"
        )
    try:
        chosen = _checked_codec(image, codec, max_bytes)
        whole = _checked_scale(scale, max_bytes)
        if kernel not in KERNELS:
            raise MedsrError(f"kernel is one of {', '.join(KERNELS)}, not {kernel}")
        if quality != "auto" and (isinstance(quality, str) or not 1 <= quality <= 100):
            raise MedsrError(f"quality is 'auto' or an integer from 1 to 100, not {quality}")
        if headers not in ("all", "minimal"):
            raise MedsrError(f"headers are 'all' or 'minimal', not {headers!r}")
        source = _prepared(image, chosen, preprocess, kernel, window, max_bytes, minimal=headers == "minimal")
        if max_bytes is None:
            assert whole is not None
            return source.of_quality(whole, quality)
        fitting: dict[str, Any] = {"max_bytes": max_bytes, "size": lambda packet: len(packet_bytes(packet, key=key))}
        if whole is None:
            return best_scale(source.maker, source.pixels, **fitting)
        return best_that_fits(source.maker(whole), **fitting)[0]
    except MedsrError as error:
        raise named(image.name, str(error)) if image.name else error from error


def _checked_scale(scale: int | str | None, max_bytes: int | None) -> int | None:
    """The scale; None where it is to be found."""
    if scale is None or scale == "auto":
        return DEFAULT_SCALE if max_bytes is None else None
    if isinstance(scale, str) or scale not in SCALES:
        raise MedsrError(f"scale is 'auto' or an integer from 1 to 8, not {scale}")
    return scale


def _checked_codec(image: Image, codec: str | None, max_bytes: int | None) -> Codec:
    if max_bytes is not None and max_bytes < 1:
        raise MedsrError(f"max_bytes is a number of bytes from 1 up, not {max_bytes}")
    asked = None if codec == "auto" else codec
    if asked is None and max_bytes is None and _has_deep_frames(image):
        asked = "jpeg2000"
    name = codec_for(asked, dicom=image.dataset is not None, max_bytes=max_bytes)
    if name not in CODECS:
        raise MedsrError(f"codec is 'auto' or one of {', '.join(CODECS)}, not {name}")
    chosen = CODECS[name]
    if name == "avif" and not has_avif():
        raise MedsrError("can't be sent as avif: Pillow was built without it here; choose jpeg or jpeg2000")
    if image.dataset is not None and chosen.transfer_syntax is None:
        raise MedsrError(f"can't be sent as {name}: {chosen.refusal}; choose jpeg or jpeg2000")
    if image.dataset is not None:
        from medsr_jax.imaging.dicom.sop_class import check_derivable

        check_derivable(image.dataset)  # before any work: doses and segmentations aren't pictures
    if image.dataset is None and len(image.pixels) != 1:
        raise MedsrError(f"has {len(image.pixels)} pages, and a {name} file holds one; send each page as a file")
    return chosen


def _has_deep_frames(image: Image) -> bool:
    """Several DICOM frames of more than 8 bits: 8-bit codes of them have no class that allows their rescale."""
    return image.dataset is not None and len(image.pixels) > 1 and image.pixels.dtype.itemsize > 1


@dataclasses.dataclass(frozen=True)
class _Source:
    """An image that is ready to be shrunk, by one scale or several.

    Attributes:
        image: the original.
        pixels: of the original, without padding: what is to be restored.
        frames: the same smoothed where they are noisy.
        codec, kernel: as of `compress`; by name the latter.
        low, high, levels: of the mapping.
        preprocess: what was done.
        base: what was subtracted from the values of `frames`, so that float32 holds what is left.
        dataset: for DICOM, the attributes that travel.
        notes: what reading the original changed, and what does not travel.
        max_bytes: the budget, or None.
    """

    image: Image
    pixels: np.ndarray
    frames: list[np.ndarray]
    codec: Codec
    kernel: str
    low: float
    high: float
    levels: int
    preprocess: str
    base: float
    dataset: Dataset | None
    notes: tuple[str, ...]
    max_bytes: int | None

    def small(self, scale: int) -> list[np.ndarray]:
        """The frames' codes, shrunk."""
        shrunk = (downscale(frame, scale=scale, kernel=self.kernel) for frame in self.frames)
        low, high = self.low - self.base, self.high - self.base
        return [to_codes(frame, low=low, high=high, levels=self.levels) for frame in shrunk]

    def maker(self, scale: int) -> Maker:
        """setting of the codec -> packet, of a scale."""
        small, header = self.small(scale), self._header(scale)
        middle = len(small) // 2
        fidelity = Fidelity(small[middle])

        def make(setting: float) -> Packet:
            encode = self.codec.encode
            streams = tuple(self._named(functools.partial(encode, frame, setting), frame) for frame in small)
            quality = fidelity.quality_of(self.codec, setting, streams[middle])
            return Packet(codes=streams, header=dataclasses.replace(header, quality=quality), dataset=self.dataset)

        return make

    def of_quality(self, scale: int, quality: int | str) -> Packet:
        """The packet of a quality; each frame has the fidelity that it would have as a JPEG."""
        small = self.small(scale)
        middle = len(small) // 2
        fidelity = Fidelity(small[middle])
        if quality == "auto":
            line: dict[str, Any] = {"scale": scale, "low": self.low, "high": self.high, "levels": self.levels}
            line |= {"codec": self.codec, "fidelity": fidelity}
            quality = choose_quality(small[middle], self.pixels[middle], **line)

        def stream(number: int) -> bytes:
            measured = fidelity if number == middle else Fidelity(small[number])
            return self._named(lambda: measured.stream(self.codec, int(quality)), small[number])

        streams = tuple(map(stream, range(len(small))))
        header = dataclasses.replace(self._header(scale), quality=int(quality))
        return Packet(codes=streams, header=header, dataset=self.dataset)

    def _named(self, encode: Callable[[], bytes], frame: np.ndarray) -> bytes:
        """A code stream, or an error that names the codec."""
        try:
            return encode()
        except Exception as error:  # each library has its own exception for sides beyond its format
            rows, columns = frame.shape
            raise MedsrError(
                f"{self.codec.name} can't code {rows}x{columns} pixels ({error}); raise the scale"
            ) from error

    def _header(self, scale: int) -> PacketHeader:
        """Of a packet whose quality is not known yet."""
        image = self.image
        padding, padding_notes = None, tuple[str, ...]()
        if image.padding is not None:
            padding, padding_notes = encode_padding(image.pixels, image.padding, scale=scale, max_bytes=self.max_bytes)
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
            kernel=self.kernel,
            quality=1,
            codec=self.codec.name,
            preprocess=self.preprocess,
            kind=image.kind,
            inverted=image.inverted,
            spacing=image.spacing,
            padding=padding,
            notes=(*self.notes, *padding_notes),
        )


def _prepared(
    image: Image,
    codec: Codec,
    preprocess: bool,
    kernel: str,
    window: Window | None,
    max_bytes: int | None,
    *,
    minimal: bool,
) -> _Source:
    pixels, done = image.pixels, []
    if window is None and preprocess and pixels.dtype.itemsize == 1 and _dark(image) and _may_be_rescaled(image):
        # A gain that the mapping records and the receiver inverts: restored brightness is the original's.
        window = "data"
        done.append("dark, codes span the data")
    low, high = choose_window(pixels, window, value_range=image.value_range, padding=image.padding)
    if image.padding is not None:
        # Else the value that marks "no image", often far outside, would be averaged into the rim of the image.
        pixels = np.clip(pixels, low, high).astype(pixels.dtype)
    frames = []
    base = low if pixels.dtype.itemsize > 2 else 0
    for frame in pixels:
        if base:
            frame = above(frame, base)
        if preprocess:
            frame, what = smooth_if_noisy(frame, low=low - base, high=high - base)
            if what and not any("smoothed" in entry for entry in done):
                done.append(what)
        frames.append(frame)
    dataset, left_out = image.dataset, tuple[str, ...]()
    if dataset is not None:
        from medsr_jax.transmission.original_form import without_bulk

        if minimal:
            from medsr_jax.transmission import headers

            dataset, missing = headers.minimal(dataset)
            left_out = (missing.note,) if missing.note else ()
        dataset, bulk = without_bulk(dataset)
        left_out += bulk
    levels, notes = _levels(image, codec), (*image.notes, *left_out)
    preprocessed = ", ".join(done)
    return _Source(
        image, pixels, frames, codec, kernel, low, high, levels, preprocessed, base, dataset, notes, max_bytes
    )


def _may_be_rescaled(image: Image) -> bool:
    """Several DICOM frames of 8 bits keep their class only with the values as they are (PS3.3 A.7, A.8.3)."""
    return image.dataset is None or len(image.pixels) == 1


def _dark(image: Image) -> bool:
    return is_dark(image.pixels, value_range=image.value_range, inverted=image.inverted)


def _levels(image: Image, codec: Codec) -> int:
    # A modality LUT becomes one with an entry a code: 65536 of them would be a hundred times the image.
    has_table = image.dataset is not None and "ModalityLUTSequence" in image.dataset
    return 65535 if codec.bits > 8 and image.pixels.dtype.itemsize > 1 and not has_table else 255


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
