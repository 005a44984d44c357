"""The packet: what travels, and what the receiver needs to know to give back the original's size, type and values."""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import math
import re
from typing import TYPE_CHECKING

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.jpeg.coefficients import JpegParts, parse
from medsr_jax.jpeg.coefficients import coefficients as coefficients_of
from medsr_jax.transmission.codecs import CODECS
from medsr_jax.transmission.downscaling import small_shape
from medsr_jax.transmission.options import KERNELS, QUALITIES, SCALES
from medsr_jax.transmission.padding import Padding
from medsr_jax.transmission.thin.av1 import code_stream
from medsr_jax.transmission.thin.streams import split

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

VERSION = 2
KINDS = ("png", "jpeg", "tiff", "dicom")
_DTYPES = {"u8": "uint8", "i8": "int8", "u16": "uint16", "i16": "int16"}
_DTYPES |= {"u32": "uint32", "i32": "int32", "f16": "float16", "f32": "float32", "f64": "float64"}
_SHORT = {name: short for short, name in _DTYPES.items()}
# Millimetres: an electron microscope's pixel, and more than a room. Formats overflow beyond.
_FINEST, _COARSEST = 1e-6, 1e5
_LARGEST_SIDE, _LARGEST_IMAGE, _MOST_FRAMES = 1 << 20, 1 << 32, 1 << 20


@dataclasses.dataclass(frozen=True)
class PacketHeader:
    """What travels beside the code streams. Every field is checked where a header is made, so that none is hostile.

    Attributes:
        rows, columns, frames: of the original.
        dtype: NumPy's name of the original's stored type.
        value_range: least and greatest stored value that the original's storage allows.
        low, high, levels: stored value = low + (high - low) * code / levels; levels is 255 or 65535.
        scale, kernel: how the small image was made (`downscale`).
        quality, codec: how it was coded (`CODECS`).
        preprocess: what was done before downscaling, "" for nothing.
        kind: of the original file: "png", "jpeg", "tiff" or "dicom".
        inverted: low values are white.
        spacing: millimetres per row and per column of the original, or None.
        padding: where the image is padding; None where nothing is known of any.
        notes: what reading the original changed. They travel in DICOM only: in 1.7 KB each word counts.
        version: of this format.

    Raises:
        MedsrError: for values that no sender writes.
    """

    rows: int
    columns: int
    dtype: str
    value_range: tuple[float, float]
    low: float
    high: float
    levels: int
    scale: int
    kernel: str
    quality: int
    codec: str
    preprocess: str = ""
    frames: int = 1
    kind: str = "png"
    inverted: bool = False
    spacing: tuple[float, float] | None = None
    padding: Padding | None = None
    notes: tuple[str, ...] = ()
    version: int = VERSION

    def __post_init__(self) -> None:
        problem = _problem(self)
        if problem:
            raise MedsrError(f"the packet's metadata is damaged: {problem}")

    @property
    def bits(self) -> int:
        """Bits of a source pixel that count: those its value range needs (BitsStored); all for floats."""
        if self.dtype.startswith("float"):
            return int(self.dtype.removeprefix("float"))
        low, high = self.value_range
        return max(1, math.ceil(math.log2(high - low + 1)))

    @property
    def source_bytes(self) -> int:
        """Size of the original's pixels at `bits` each, uncompressed, without any header."""
        return math.ceil(self.rows * self.columns * self.frames * self.bits / 8)

    @property
    def small_shape(self) -> tuple[int, int]:
        """Rows and columns of the small image."""
        return small_shape(self.rows, self.columns, scale=self.scale)


def _problem(h: PacketHeader) -> str:
    if not (0 < h.rows <= _LARGEST_SIDE and 0 < h.columns <= _LARGEST_SIDE and 0 < h.frames <= _MOST_FRAMES):
        return f"{h.rows}x{h.columns} pixels in {h.frames} frames"
    if h.rows * h.columns * h.frames > _LARGEST_IMAGE:
        return f"{h.rows}x{h.columns} pixels in {h.frames} frames are more than this software handles"
    if h.dtype not in _SHORT or h.kind not in KINDS or h.codec not in CODECS or h.kernel not in KERNELS:
        return f"one of {h.dtype!r}, {h.kind!r}, {h.codec!r}, {h.kernel!r} is unknown"
    numbers = (*h.value_range, h.low, h.high, *(h.spacing or (1.0, 1.0)))
    if not all(map(math.isfinite, numbers)) or h.low > h.high or h.value_range[0] > h.value_range[1]:
        return f"values {h.value_range[0]}:{h.value_range[1]} in a window {h.low}:{h.high}"
    if not h.dtype.startswith("float"):
        limits = np.iinfo(h.dtype)
        if h.value_range[0] < limits.min or h.value_range[1] > limits.max:
            return f"values {h.value_range[0]}:{h.value_range[1]} don't fit {h.dtype}"
    if h.spacing is not None and not all(_FINEST <= side <= _COARSEST for side in h.spacing):
        return f"a pixel spacing of {h.spacing} mm"
    if h.padding is not None and (problem := _padding_problem(h, h.padding)):
        return problem
    if h.scale not in SCALES or h.levels not in (255, 65535) or h.quality not in QUALITIES:
        return f"scale {h.scale}, {h.levels} levels, quality {h.quality}"
    if h.levels > 255 and CODECS[h.codec].bits < 16:
        return f"{h.codec} has no 16 bits"
    return ""


def _padding_problem(h: PacketHeader, p: Padding) -> str:
    ends = (p.low, p.high, p.fill)
    if not all(map(math.isfinite, ends)) or not p.low <= p.fill <= p.high or p.step not in (1, h.scale):
        return f"padding {p.low}:{p.high} filled with {p.fill} by squares of {p.step}"
    limits: np.iinfo | np.finfo = np.finfo(h.dtype) if h.dtype.startswith("float") else np.iinfo(h.dtype)
    if p.low < limits.min or p.high > limits.max:
        return f"padding {p.low}:{p.high} doesn't fit {h.dtype}"
    return ""


def header_text(header: PacketHeader) -> str:
    """The header as a line of ASCII, e.g. ``medsr2 512x512 u8 /4 area q60``; what goes without saying is left out.

    Rows and columns, type, ``LEAST:GREATEST`` unless it is all of the type, ``wLOW:HIGH`` unless that is the same,
    scale, kernel, quality; then where they apply ``16bit`` codes, ``nFRAMES``, the kind if not png, ``inverted``,
    ``mmROW:COLUMN``, ``padLOW:HIGH=FILL`` and ``/STEP:MASK`` (base64url) of padding, and ``pre=`` with what was done to
    the image first. The codec follows from the code stream itself.
    """
    h = header
    words = [f"medsr{h.version}", f"{h.rows}x{h.columns}", _SHORT[h.dtype]]
    if h.value_range != _whole_range(h.dtype):
        words.append("{}:{}".format(*map(_number, h.value_range)))
    if (h.low, h.high) != h.value_range:
        words.append(f"w{_number(h.low)}:{_number(h.high)}")
    words += [f"/{h.scale}", h.kernel, f"q{h.quality}"]
    words += ["16bit"] if h.levels == 65535 else []
    words += [f"n{h.frames}"] if h.frames > 1 else []
    words += [h.kind] if h.kind != "png" else []
    words += ["inverted"] if h.inverted else []
    words += ["mm{}:{}".format(*map(_number, h.spacing))] if h.spacing else []
    words += [_padding_word(h.padding)] if h.padding else []
    words += ["pre=" + h.preprocess.replace(" ", "_")] if h.preprocess else []
    return " ".join(words)


def _padding_word(padding: Padding) -> str:
    word = f"pad{_number(padding.low)}:{_number(padding.high)}={_number(padding.fill)}"
    if padding.mask:
        word += f"/{padding.step}:{base64.urlsafe_b64encode(padding.mask).decode().rstrip('=')}"
    return word


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def _whole_range(dtype: str) -> tuple[float, float] | None:
    if dtype.startswith("float"):
        return None
    return (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


_NUM = r"-?\d{1,40}(?:\.\d{1,40})?(?:e[+-]?\d{1,3})?"
_GRAMMAR = re.compile(
    rf"medsr(?P<version>\d{{1,6}}) (?P<rows>\d{{1,9}})x(?P<columns>\d{{1,9}}) (?P<dtype>[uif]\d{{1,2}})"
    rf"(?: (?P<least>{_NUM}):(?P<greatest>{_NUM}))?(?: w(?P<low>{_NUM}):(?P<high>{_NUM}))?"
    r" /(?P<scale>\d) (?P<kernel>[a-z]+) q(?P<quality>\d{1,3})(?P<wide> 16bit)?(?: n(?P<frames>\d{1,9}))?"
    rf"(?: (?P<kind>jpeg|tiff|dicom))?(?P<inverted> inverted)?(?: mm(?P<mm_row>{_NUM}):(?P<mm_column>{_NUM}))?"
    rf"(?: pad(?P<pad_low>{_NUM}):(?P<pad_high>{_NUM})=(?P<pad_fill>{_NUM})"
    r"(?:/(?P<pad_step>\d):(?P<pad_mask>[A-Za-z0-9_-]+))?)?"
    r"(?: pre=(?P<preprocess>[\x21-\x7e]{1,200}))?"
)


def check_version(text: str) -> None:
    """Refuses a header of a later version.

    Raises:
        MedsrError: it has one.
    """
    begin = re.match(r"medsr(\d{1,6}) ", text)
    if begin and int(begin[1]) > VERSION:
        raise MedsrError(f"the packet has format {begin[1]} and this software reads up to {VERSION}: update medsr-jax")


def parse_header(text: str, *, codec: str, notes: tuple[str, ...] = ()) -> PacketHeader:
    """The inverse of `header_text`.

    Raises:
        MedsrError: for text that no sender writes, and for one of a later version of the format.
    """
    check_version(text)
    found = _GRAMMAR.fullmatch(text)
    if not found:
        raise MedsrError(f"the packet's metadata is damaged: {text[:80]!r}")
    dtype = _DTYPES.get(found["dtype"], found["dtype"])
    if found["least"]:
        value_range = (_value(found["least"]), _value(found["greatest"]))
    elif dtype in _SHORT and not dtype.startswith("float"):
        value_range = _whole_range(dtype) or (0, 0)
    else:
        raise MedsrError(f"the packet's metadata is damaged: {text[:80]!r}")
    low, high = (_value(found["low"]), _value(found["high"])) if found["low"] else value_range
    return PacketHeader(
        rows=int(found["rows"]),
        columns=int(found["columns"]),
        dtype=dtype,
        value_range=value_range,
        low=low,
        high=high,
        levels=65535 if found["wide"] else 255,
        scale=int(found["scale"]),
        kernel=found["kernel"],
        quality=int(found["quality"]),
        codec=codec,
        preprocess=(found["preprocess"] or "").replace("_", " "),
        frames=int(found["frames"] or 1),
        kind=found["kind"] or "png",
        inverted=bool(found["inverted"]),
        spacing=(_value(found["mm_row"]), _value(found["mm_column"])) if found["mm_row"] else None,
        padding=_padding(found) if found["pad_low"] else None,
        notes=notes,
        version=int(found["version"]),
    )


def _padding(found: re.Match[str]) -> Padding:
    try:
        mask = base64.urlsafe_b64decode((found["pad_mask"] or "") + "==")
    except ValueError as error:
        raise MedsrError("the packet's metadata is damaged: its padding is no base64") from error
    return Padding(
        low=_value(found["pad_low"]),
        high=_value(found["pad_high"]),
        fill=_value(found["pad_fill"]),
        step=int(found["pad_step"] or 1),
        mask=mask,
    )


def _value(text: str) -> float:
    return int(text) if re.fullmatch(r"-?\d+", text) else float(text)


@dataclasses.dataclass(frozen=True, repr=False)
class Packet:
    """A small image as it travels.

    Attributes:
        streams: one code stream a frame, without metadata of ours.
        header: what the receiver needs to know.
        dataset: for DICOM, the attributes of the original (spacing, rescale, window and all), without pixels; after
            reading, with what the way there lawfully changed (`dicom_seal`).
        sent: for DICOM, after reading: the packet's own identity, history and marks of lossy compression, which the
            restored object's begin with.
        container: of its file: "standard" or "thin". Either can be written of any packet.
    """

    streams: tuple[bytes, ...]
    header: PacketHeader
    dataset: Dataset | None = None
    sent: Dataset | None = None
    container: str = "standard"

    def __repr__(self) -> str:
        h = self.header
        frames = f"{h.frames} frames of " if h.frames > 1 else ""
        sent = f"{h.codec} q {h.quality} of 1/{h.scale}, {self.coded_bytes} bytes"
        return f"{type(self).__name__}({h.kind}, {frames}{h.rows}x{h.columns} {h.dtype} as {sent})"

    @property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of header and code streams: what UIDs of derived objects are computed from.

        The same in both containers: of an AVIF file the picture's units count, and not the boxes around them.
        """
        digest = hashlib.sha256(header_text(self.header).encode())
        for stream in self.code_streams:
            digest.update(len(stream).to_bytes(8, "big") + stream)
        return digest.hexdigest()

    def decode(self) -> np.ndarray:
        """The small images as the codec gives them: (frames, rows, columns) of uint8 or uint16 codes; decoded once.

        Raises:
            MedsrError: a code stream is damaged or differs from the header.
        """
        return self._small

    @functools.cached_property
    def _small(self) -> np.ndarray:
        codec = CODECS[self.header.codec]
        dtype = np.uint8 if self.header.levels == 255 else np.uint16
        frames = []
        for stream in self.streams:
            frame = codec.decode(stream, self.header.small_shape)
            if frame.shape != self.header.small_shape or frame.dtype != dtype:
                raise MedsrError(
                    f"the code stream holds {frame.shape} {frame.dtype}, the packet's metadata says "
                    f"{self.header.small_shape} {np.dtype(dtype)}: one of them is damaged"
                )
            frames.append(frame)
        return np.stack(frames)

    @functools.cached_property
    def jpeg_parts(self) -> tuple[JpegParts, ...]:
        """The marker segments of each frame's JPEG; empty for other codecs.

        Raises:
            MedsrError: one is damaged.
        """
        return tuple(map(parse, self.streams)) if self.header.codec == "jpeg" else ()

    def quantisation(self) -> np.ndarray | None:
        """(8, 8) int32 step sizes of the JPEG's DCT coefficients, natural order; None for other codecs and for colour.

        All frames of a packet are coded with one quality, hence with one table.
        """
        first = next(iter(self.jpeg_parts), None)
        return first.table if first is not None and first.components == 1 and first.baseline else None

    def coefficients(self) -> np.ndarray | None:
        """int16 (frames, block rows, block columns, 8, 8) indices as sent; times `quantisation` they are the DCT.

        The truth lies within half a step of them, but for the encoder's own integer arithmetic: on radiographs the
        largest excess is 0.03 of a step at q 50..75. Decoded once.

        Raises:
            MedsrError: a code stream is damaged.
        """
        return self._indices

    @functools.cached_property
    def _indices(self) -> np.ndarray | None:
        if self.quantisation() is None:
            return None
        frames = [coefficients_of(parts) for parts in self.jpeg_parts]
        return None if any(frame is None for frame in frames) else np.stack(frames)  # type: ignore[arg-type]

    @functools.cached_property
    def code_streams(self) -> tuple[bytes, ...]:
        """The streams of a codec without the boxes of a file: of JPEG and JPEG 2000, `streams`."""
        return tuple(map(code_stream, self.streams)) if self.header.codec == "avif" else self.streams

    @property
    def coded_bytes(self) -> int:
        """Size of the code streams alone, as (0028,2112) LossyImageCompressionRatio counts it.

        A thin packet may be smaller than that: it carries its code streams without what can be rebuilt.
        """
        return sum(map(len, self.code_streams))

    @functools.cached_property
    def carried_bytes(self) -> int:
        """Bytes of the packet's file that are code streams, as they travel in its container."""
        payloads = split(self.header, self.streams)[1] if self.container == "thin" else self.streams
        return sum(map(len, payloads))

    def size_text(self, size: int) -> str:
        """The bytes of the packet's file, and how many of them are pixels."""
        if self.container == "thin":
            return f"{size} bytes for a code stream of {self.coded_bytes}"
        return f"{size} bytes, {self.coded_bytes} of them pixels"

    def ratio(self) -> float:
        """The compression ratio, as the standard counts it and all commands and attributes state it.

        Size of the original's pixels without compression, at the bits that count (`PacketHeader.source_bytes`), over
        that of the code streams (`coded_bytes`): PS3.3 C.7.6.1.1.5.2, LossyImageCompressionRatio. Headers and
        attributes count on neither side, so that the whole file's bytes are to be stated beside it.
        """
        return self.header.source_bytes / self.coded_bytes
