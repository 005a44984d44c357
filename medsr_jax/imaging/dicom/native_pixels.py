"""Native and RLE Pixel Data as arrays of stored values (PS3.5 sections 8.1 and 8.2, Annexes D and G)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from medsr_jax.imaging.dicom.pixel_attributes import PixelAttributes

Array = np.ndarray[Any, Any]


def unpack_native(
    data: bytes, attributes: PixelAttributes, *, big_endian: bool, words: bool
) -> tuple[Array, tuple[str, ...]]:
    """Every frame that is present, whether or not it is counted.

    Args:
        data: the value of Pixel Data.
        attributes: of the data set; of YBR_FULL_422 and its like, a pair of pixels shares its chroma samples.
        big_endian: byte order of the file.
        words: Pixel Data are OW: where they are big-endian, so is every pair of bytes.

    Returns:
        (frames, rows, columns) or (frames, rows, columns, 3), as allocated, and notes.

    Raises:
        ValueError: there are fewer samples than the data set counts.
    """
    halved = attributes.samples == 3 and attributes.photometric.endswith("_422")
    samples = attributes.rows * attributes.columns * attributes.samples
    if halved:
        samples = attributes.rows * ((attributes.columns + 1) // 2) * 4
    bits = samples * attributes.allocated
    full = attributes.samples * attributes.rows * attributes.columns * attributes.allocated
    if halved and 8 * len(data) >= full * attributes.frames:
        # One chroma sample a pixel all the same, as many writers do.
        halved, bits = False, full
    expected = (bits * attributes.frames + 7) // 8
    if len(data) < expected:
        raise ValueError(f"less than expected ({len(data)} vs {expected} bytes)")
    frames = attributes.frames
    if len(data) > expected + 1:  # A single byte more is padding to even length.
        frames = max(8 * len(data) // bits, frames)
    used = (bits * frames + 7) // 8
    notes: tuple[str, ...] = ()
    if len(data) - used > 1 and data[used:].strip(b"\0"):
        notes += (f"{len(data) - used} bytes behind the last frame were ignored",)
    used += used % 2  # Words are swapped whole, padding and all.
    values = _values(data[:used], attributes.allocated, signed=attributes.signed, swap=big_endian, words=words)
    values = values[: bits // attributes.allocated * frames]
    if halved:
        return _whole_chroma(values, attributes, frames), notes
    if attributes.samples == 1:
        return values.reshape(frames, attributes.rows, attributes.columns), notes
    if attributes.planar:
        planes = values.reshape(frames, 3, attributes.rows, attributes.columns)
        return np.ascontiguousarray(np.moveaxis(planes, 1, -1)), notes
    return values.reshape(frames, attributes.rows, attributes.columns, 3), notes


def _values(data: bytes, allocated: int, *, signed: bool, swap: bool, words: bool) -> Array:
    if allocated <= 8:
        stored = np.frombuffer(data, np.uint8)
        if swap and words:
            stored = np.frombuffer(data + b"\0" * (len(data) % 2), np.uint16).byteswap().view(np.uint8)
        if allocated == 1:
            return np.unpackbits(stored, bitorder="little")
        return stored.view(np.int8) if signed else stored
    width = allocated // 8
    stored = np.frombuffer(data, f"{'>' if swap else '<'}{'i' if signed else 'u'}{width}")
    return stored.astype(stored.dtype.newbyteorder("="), copy=False)


def _whole_chroma(values: Array, attributes: PixelAttributes, frames: int) -> Array:
    """Y1 Y2 Cb Cr of each pair of pixels (PS3.3 C.7.6.3.1.2) as one Y, Cb, Cr a pixel."""
    pairs = values.reshape(frames, attributes.rows, -1, 4)
    pixels = np.empty((frames, attributes.rows, 2 * pairs.shape[2], 3), values.dtype)
    pixels[:, :, 0::2, 0], pixels[:, :, 1::2, 0] = pairs[..., 0], pairs[..., 1]
    for chroma in (1, 2):
        pixels[..., chroma] = np.repeat(pairs[..., chroma + 1], 2, axis=2)
    return pixels[:, :, : attributes.columns]


def decode_rle(stream: bytes, attributes: PixelAttributes) -> Array:
    """(rows, columns) or (rows, columns, 3) of one RLE frame: byte planes, the most significant first.

    Raises:
        ValueError: the segments are not as many, or not as long, as the data set has it.
    """
    import imagecodecs

    width = max(attributes.allocated // 8, 1)
    count = int.from_bytes(stream[:4], "little")
    if attributes.allocated < 8 or count != attributes.samples * width:
        what = f"{attributes.samples} samples of {attributes.allocated} bits"
        raise ValueError(f"the data set has {what} a pixel but the RLE stream holds {count} byte planes")
    starts = [*np.frombuffer(stream[4 : 4 + 4 * count], "<u4").tolist(), len(stream)]
    size = attributes.rows * attributes.columns
    pixels = np.empty((attributes.samples, size, width), np.uint8)
    for number, (first, last) in enumerate(itertools.pairwise(starts)):
        segment = stream[first:last]
        # A segment's run of n bytes takes two at least, so that none unpacks to more than 64 times its size.
        plane = np.frombuffer(imagecodecs.packbits_decode(segment), np.uint8)
        if plane.size < size:
            raise ValueError(f"an RLE segment holds {plane.size} of {size} bytes")
        sample, byte = divmod(number, width)
        pixels[sample, :, width - 1 - byte] = plane[:size]
    kind = "i" if attributes.signed else "u"
    values = pixels.view(f"<{kind}{width}").reshape(attributes.samples, attributes.rows, attributes.columns)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    return values[0] if attributes.samples == 1 else np.ascontiguousarray(np.moveaxis(values, 0, -1))
