"""The header of a thin packet: a dozen bytes for most images (docs/packet-format.md has it byte by byte).

Three bytes of small fields follow the magic number and the version, then the size and the form of the code stream. What
only some packets have is announced by the bits of a varint and follows in the order of the bits. Bits and numbers that
are not assigned yet are those of later senders, and are refused as such.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.transmission import codecs
from medsr_jax.transmission.options import KERNELS
from medsr_jax.transmission.packet import KINDS, PacketHeader
from medsr_jax.transmission.padding import Padding
from medsr_jax.transmission.thin.numbers import ByteReader, ByteWriter, damaged
from medsr_jax.transmission.thin.phrases import phrase, read_phrase

MAGIC = b"\xd3\x6d"
VERSION = 1
CODECS = ("jpeg", "jpeg2000", "avif", "vvc")
"""By their numbers, which are part of the format: append only; and so of the types."""
TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64")

_RANGE, _WINDOW, _SHARES, _DEPTH, _SPACING, _PADDING, _PREPROCESS, _FRAMES, _SIGNED, _ATTRIBUTES = (
    1 << bit for bit in range(10)
)
_KNOWN = (1 << 10) - 1
_SHARE = 256  # the window's ends may be given in 256ths of the value range
_MOST_FRAMES, _LARGEST_SIDE = 1 << 20, 1 << 20


@dataclasses.dataclass(frozen=True)
class ThinHeader:
    """What stands before the code streams of a thin packet.

    Attributes:
        header: what it says of the image.
        form: what is left out of the code streams.
        lengths: bytes of each but the last of them.
        attributes: of DICOM, as they travel; None for other images.
        signed: a signature ends the packet.
        end: bytes of the header.
    """

    header: PacketHeader
    form: int
    lengths: tuple[int, ...] = ()
    attributes: bytes | None = None
    signed: bool = False
    end: int = 0


def is_thin(start: bytes) -> bool:
    """Whether bytes begin a thin packet."""
    return start.startswith(MAGIC)


def header_bytes(thin: ThinHeader) -> bytes:
    """The header as it travels; its `end` is not used."""
    h, out = thin.header, ByteWriter()
    options, fields = _options(thin)
    out.put(MAGIC)
    out.byte(VERSION)
    out.byte(CODECS.index(h.codec) | h.scale - 1 << 3 | KERNELS.index(h.kernel) << 6)
    out.byte(TYPES.index(h.dtype) | KINDS.index(h.kind) << 4 | h.inverted << 6 | bool(options) << 7)
    square = h.rows == h.columns
    out.byte(h.quality | square << 7)
    out.varint(h.rows)
    if not square:
        out.varint(h.columns)
    out.varint(thin.form)
    if options:
        out.varint(options)
        out.put(fields)
    return out.joined()


def _options(thin: ThinHeader) -> tuple[int, bytes]:
    """Which optional fields a header has, and those."""
    h, out, options = thin.header, ByteWriter(), 0
    if h.value_range != _whole_range(h.dtype):
        options |= _RANGE
        bits = _stored_bits(h)
        out.varint(bits)
        if not bits:
            out.number(h.value_range[0])
            out.number(h.value_range[1])
    if (h.low, h.high) != h.value_range:
        shares = _shares(h)
        if shares is not None:
            options |= _SHARES
            out.number(shares[0])
            out.number(shares[1])
        else:
            options |= _WINDOW
            out.number(h.low)
            out.number(h.high)
    if h.levels != codecs.CODECS[h.codec].usual_levels:
        options |= _DEPTH
        out.byte(h.levels.bit_length())
    if h.spacing is not None:
        options |= _SPACING
        out.number(h.spacing[0])
        out.number(h.spacing[1])
    if (padding := h.padding) is not None:
        options |= _PADDING
        for value in (padding.low, padding.high, padding.fill):
            out.number(value)
        out.varint(len(padding.mask) << 1 | (padding.step != 1))
        out.put(padding.mask)
    if h.preprocess:
        options |= _PREPROCESS
        out.put(phrase(h.preprocess))
    if h.frames > 1:
        options |= _FRAMES
        out.varint(h.frames)
        for length in thin.lengths:
            out.varint(length)
    options |= _SIGNED * thin.signed
    if thin.attributes is not None:
        options |= _ATTRIBUTES
        out.varint(len(thin.attributes))
        out.put(thin.attributes)
    return options, out.joined()


def read_header(data: bytes) -> ThinHeader:
    """The header that begins a thin packet.

    Raises:
        MedsrError: it is damaged, of a later version, or says what no sender writes.
    """
    read = ByteReader(data, len(MAGIC))
    version = read.byte()
    if version > VERSION:
        raise MedsrError(
            f"the thin packet has format {version} and this software reads up to {VERSION}: update medsr-jax"
        )
    coding, kind, quality = read.byte(), read.byte(), read.byte()
    rows = read.varint(_LARGEST_SIDE)
    columns = rows if quality >> 7 else read.varint(_LARGEST_SIDE)
    form = read.varint()
    options = read.varint() if kind >> 7 else 0
    if coding & 7 >= len(CODECS) or coding >> 6 >= len(KERNELS) or kind & 15 >= len(TYPES) or options & ~_KNOWN:
        raise MedsrError("the packet is damaged, or of a later version of this software")
    dtype = TYPES[kind & 15]
    value_range = _read_range(read, dtype) if options & _RANGE else _whole_range(dtype)
    if value_range is None:
        raise damaged("its value range is missing")
    low, high = value_range
    if options & _WINDOW:
        low, high = read.number(), read.number()
    if options & _SHARES:
        low, high = _of_shares(value_range, read.number(), read.number())
    codec = CODECS[coding & 7]
    levels = (1 << read.byte()) - 1 if options & _DEPTH else codecs.CODECS[codec].usual_levels
    spacing = (read.number(), read.number()) if options & _SPACING else None
    scale = 1 + (coding >> 3 & 7)
    padding = _read_padding(read, scale) if options & _PADDING else None
    preprocess = read_phrase(read) if options & _PREPROCESS else ""
    frames, lengths = _read_frames(read, len(data)) if options & _FRAMES else (1, ())
    attributes = read.take(read.varint()) if options & _ATTRIBUTES else None
    header = PacketHeader(
        rows=rows,
        columns=columns,
        dtype=dtype,
        value_range=value_range,
        low=low,
        high=high,
        levels=levels,
        scale=scale,
        kernel=KERNELS[coding >> 6],
        quality=quality & 0x7F,
        codec=codec,
        preprocess=preprocess,
        frames=frames,
        kind=KINDS[kind >> 4 & 3],
        inverted=bool(kind >> 6 & 1),
        spacing=spacing,
        padding=padding,
    )
    return ThinHeader(header, form, lengths, attributes, bool(options & _SIGNED), read.at)


def _read_range(read: ByteReader, dtype: str) -> tuple[float, float]:
    bits = read.varint(64)
    if not bits:
        return read.number(), read.number()
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype.startswith("int") else (0, (1 << bits) - 1)


def _read_padding(read: ByteReader, scale: int) -> Padding:
    low, high, fill = read.number(), read.number(), read.number()
    size = read.varint()
    return Padding(low, high, fill, scale if size & 1 else 1, read.take(size >> 1))


def _read_frames(read: ByteReader, size: int) -> tuple[int, tuple[int, ...]]:
    """The count of frames and the bytes of each but the last."""
    frames = read.varint(_MOST_FRAMES)
    if frames < 2 or frames > size:  # each has a byte of length: checked before there is a list of them
        raise damaged(f"{frames} frames in {size} bytes")
    return frames, tuple(read.varint(size) for _ in range(frames - 1))


def _whole_range(dtype: str) -> tuple[float, float] | None:
    if dtype.startswith("float"):
        return None
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def _stored_bits(h: PacketHeader) -> int:
    """The bits whose whole range the value range is, signed as the type; 0 where there are none."""
    if h.dtype.startswith("float"):
        return 0
    low, high = h.value_range
    bits = int(high).bit_length() + h.dtype.startswith("int")
    whole = (-(1 << bits - 1), (1 << bits - 1) - 1) if h.dtype.startswith("int") else (0, (1 << bits) - 1)
    return bits if bits and (low, high) == whole else 0


def _of_shares(value_range: tuple[float, float], below: float, above: float) -> tuple[float, float]:
    """The window that goes so many 256ths of the value range beyond its ends."""
    least, greatest = value_range
    span = greatest - least
    return least - span * below / _SHARE, greatest + span * above / _SHARE


def _shares(h: PacketHeader) -> tuple[int, int] | None:
    """How far the window goes beyond the value range, in 256ths of it, where that is exact and short."""
    least, greatest = h.value_range
    span = greatest - least
    if not 0 < span < 1e300:
        return None
    below, above = (least - h.low) * _SHARE / span, (h.high - greatest) * _SHARE / span
    if max(abs(below), abs(above)) > _SHARE:
        return None
    shares = round(below), round(above)
    return shares if _of_shares(h.value_range, *shares) == (h.low, h.high) else None
