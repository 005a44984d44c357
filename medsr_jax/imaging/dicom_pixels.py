"""The pixel data of a DICOM object as arrays of stored values.

Native and RLE data are unpacked by pydicom, all others by imagecodecs, which knows the still images of PS3.5
Annex A: baseline, extended (12 bits), progressive and lossless JPEG, JPEG-LS, JPEG 2000, HTJ2K and JPEG XL.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from medsr_jax.errors import MedsrError, named
from medsr_jax.imaging.jpeg_markers import JpegHeader, is_whole, read_header
from medsr_jax.imaging.reading import check_size

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Array = np.ndarray[Any, Any]

_JPEG = {f"1.2.840.10008.1.2.4.{last}" for last in (*range(50, 67), 70)}
_JPEG_LS = {"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"}
_JPEG_2000 = {f"1.2.840.10008.1.2.4.{last}" for last in range(90, 94)}
_HTJ2K = {f"1.2.840.10008.1.2.4.{last}" for last in range(201, 204)}
_JPEG_XL = {f"1.2.840.10008.1.2.4.{last}" for last in range(110, 113)}
_RLE = "1.2.840.10008.1.2.5"
_NATIVE = {
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
}


@dataclasses.dataclass(frozen=True)
class Frames:
    """Decoded pixel data.

    Attributes:
      pixels: (frames, rows, columns) or, in colour, (frames, rows, columns, 3); stored values.
      value_range: the lowest and highest value that the bits stored allow.
      photometric: photometric interpretation of `pixels`, which decoding may have changed.
      notes: what was mended.
    """

    pixels: Array
    value_range: tuple[float, float]
    photometric: str
    notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Layout:
    frames: int
    rows: int
    columns: int
    samples: int
    allocated: int
    stored: int
    high: int
    signed: bool
    photometric: str


def decode_frames(dataset: Dataset, *, name: str, max_pixels: int) -> Frames:
    """Decodes all frames of a data set with Pixel Data.

    Raises:
      MedsrError: missing or impossible attributes, an unknown transfer syntax, damaged pixel data.
    """
    layout = _layout(dataset, name=name)
    check_size(layout.rows, layout.columns, frames=layout.frames, name=name, max_pixels=max_pixels)
    syntax = _transfer_syntax(dataset, name=name)
    try:
        if syntax in _NATIVE or syntax == _RLE:
            pixels, precision = _unpack(dataset, layout, syntax), layout.allocated
            photometric = layout.photometric
        else:
            pixels, precision, photometric = _decompress(dataset, layout, syntax, name=name)
    except (MedsrError, MemoryError):
        raise
    except Exception as error:  # Each codec has its own exceptions.
        from pydicom.uid import UID

        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
        raise named(name, f"has damaged or truncated pixel data ({UID(syntax).name}): {reason}") from error
    # Big-endian files give big-endian arrays.
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    pixels, mended = _stored_values(pixels, layout, precision=precision)
    bits = layout.stored
    range_ = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if layout.signed else (0, 2**bits - 1)
    return Frames(pixels, range_, photometric, mended)


def _layout(dataset: Dataset, *, name: str) -> _Layout:
    def number(keyword: str, default: int | None = None) -> int:
        value = dataset.get(keyword)
        if value is None or value == "":
            if default is None:
                raise named(name, f"has pixel data but no {keyword}")
            return default
        return int(value)

    allocated = number("BitsAllocated")
    stored = number("BitsStored", allocated)
    layout = _Layout(
        frames=max(number("NumberOfFrames", 1), 1),
        rows=number("Rows"),
        columns=number("Columns"),
        samples=number("SamplesPerPixel", 1),
        allocated=allocated,
        stored=stored,
        high=number("HighBit", stored - 1),
        signed=bool(number("PixelRepresentation", 0)),
        photometric=str(dataset.get("PhotometricInterpretation", "") or "").strip().upper(),
    )
    if allocated not in (1, 8, 16, 32) or not 1 <= stored <= allocated:
        raise named(name, f"has {stored} bits stored of {allocated} allocated; 1, 8, 16 and 32 are read")
    if layout.samples not in (1, 3) or layout.photometric in ("ARGB", "CMYK", "HSV"):
        what = f"{layout.samples} samples a pixel as {layout.photometric}"
        raise named(name, f"has {what}; grey, palette, RGB and YBR are read")
    return layout


def _transfer_syntax(dataset: Dataset, *, name: str) -> str:
    """The transfer syntax, told by how the data set was parsed where the file does not say."""
    from pydicom.uid import UID

    syntax = str(dataset.file_meta.get("TransferSyntaxUID", "") or "")
    if not syntax:
        implicit, little = dataset.original_encoding
        syntax = "1.2.840.10008.1.2" if implicit else "1.2.840.10008.1.2.1" if little else "1.2.840.10008.1.2.2"
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
    if syntax not in _NATIVE | _JPEG | _JPEG_LS | _JPEG_2000 | _HTJ2K | _JPEG_XL | {_RLE}:
        what = UID(syntax).name
        what = what if what == syntax else f"{what} ({syntax})"
        raise named(name, f"has transfer syntax {what}, which can't be decoded")
    return syntax


def _unpack(dataset: Dataset, layout: _Layout, syntax: str) -> Array:
    """Native or RLE data by pydicom, colour spaces left as they are."""
    from pydicom.pixels.decoders.base import get_decoder

    options: dict[str, Any] = {"view_only": True, "allow_excess_frames": False, "correct_unused_bits": False}
    pixels, _ = get_decoder(syntax).as_array(dataset, raw=True, **options)
    shape = (layout.frames, layout.rows, layout.columns) + ((3,) if layout.samples == 3 else ())
    return pixels.reshape(shape)


def _decompress(dataset: Dataset, layout: _Layout, syntax: str, *, name: str) -> tuple[Array, int, str]:
    """Frames of encapsulated data, precision of their code streams, and photometric interpretation."""
    from pydicom.encaps import generate_frames

    offsets = None
    if dataset.get("ExtendedOffsetTable") and dataset.get("ExtendedOffsetTableLengths"):
        offsets = (dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths)
    streams = generate_frames(dataset.PixelData, number_of_frames=layout.frames, extended_offsets=offsets)
    dtype = np.dtype(f"{'i' if layout.signed else 'u'}{max(layout.allocated // 8, 1)}")
    shape = (layout.rows, layout.columns) + ((3,) if layout.samples == 3 else ())
    pixels: Array | None = None
    photometric, precision, count = layout.photometric, layout.stored, 0
    for stream, _ in zip(streams, range(layout.frames), strict=False):
        frame, precision, photometric = _decode_stream(bytes(stream), layout, syntax, name=name)
        if frame.shape != shape:
            sizes = [" x ".join(str(side) for side in sides) for sides in (shape, frame.shape)]
            raise named(name, f"says {sizes[0]} pixels but its code stream holds {sizes[1]}")
        if pixels is None:
            pixels = np.empty((layout.frames, *shape), f"{dtype.kind}{max(dtype.itemsize, frame.itemsize)}")
        # Kept as bits: the sign is settled by the caller.
        pixels[count] = frame.astype(f"{frame.dtype.kind}{pixels.dtype.itemsize}").view(pixels.dtype)
        count += 1
    if pixels is None or count < layout.frames:
        raise named(name, f"has {count} of {layout.frames} frames; the file is truncated or damaged")
    return pixels, precision, photometric


def _decode_stream(stream: bytes, layout: _Layout, syntax: str, *, name: str) -> tuple[Array, int, str]:
    """One frame (rows, columns[, 3]), its precision in bits, and its photometric interpretation."""
    import imagecodecs

    photometric = layout.photometric
    if syntax in _JPEG or syntax in _JPEG_LS:
        # libjpeg would fill what is missing with grey, and CharLS can spend seconds on it.
        if not is_whole(stream):
            raise named(name, "has truncated pixel data: the end of the JPEG image is missing")
        header = read_header(stream)
        if syntax in _JPEG_LS:
            return imagecodecs.jpegls_decode(stream), header.precision, photometric
        if layout.samples == 1:
            return imagecodecs.jpeg8_decode(stream), header.precision, photometric
        # What libjpeg is told to be RGB keeps its samples as they were coded.
        frame = imagecodecs.jpeg8_decode(stream, colorspace="RGB", outcolorspace="RGB")
        return frame, header.precision, _colours(header, photometric)
    if syntax in _JPEG_XL:
        return imagecodecs.jpegxl_decode(stream), layout.stored, photometric
    decode = imagecodecs.htj2k_decode if syntax in _HTJ2K else imagecodecs.jpeg2k_decode
    frame = decode(stream)
    if photometric in ("YBR_ICT", "YBR_RCT"):  # Undone by the decoder.
        photometric = "RGB"
    return frame, _jpeg_2000_precision(stream, layout.stored), photometric


def _colours(header: JpegHeader, photometric: str) -> str:
    """The colour space of three-component JPEG samples.

    An Adobe segment, then a JFIF one, is believed before the data set, since decoders everywhere believe it.
    """
    if header.adobe_transform is not None:
        return "YBR_FULL" if header.adobe_transform == 1 else "RGB"
    return "YBR_FULL" if header.jfif else photometric


def _jpeg_2000_precision(stream: bytes, default: int) -> int:
    """Bits of the first component, from the SIZ segment (ISO 15444-1, A.5.1)."""
    siz = stream.find(b"\xff\x4f\xff\x51")
    return (stream[siz + 42] & 0x7F) + 1 if siz >= 0 else default


def _stored_values(pixels: Array, layout: _Layout, *, precision: int) -> tuple[Array, tuple[str, ...]]:
    """Leaves only the bits stored, shifted down to bit 0 and sign-extended (PS3.5 section 8.1.1).

    Bits above them held overlays once, and code streams hold no sign extension.
    """
    width = 8 * pixels.dtype.itemsize
    notes: tuple[str, ...] = ()
    bits, shift = layout.stored, layout.high + 1 - layout.stored
    if precision < width and precision != layout.allocated:  # A code stream has its samples at bit 0.
        bits, shift = min(precision, layout.stored), 0
    if layout.allocated == 1 or (bits == width and shift == 0) or shift < 0:
        return pixels, notes
    unsigned = pixels.view(f"u{pixels.dtype.itemsize}")
    values = unsigned >> shift if shift else unsigned
    if shift:
        notes += (f"values shifted down by {shift}: HighBit is {layout.high} with {layout.stored} bits stored",)
    if layout.signed:
        spare = width - bits
        values = (values << spare).view(f"i{pixels.dtype.itemsize}") >> spare
    else:
        values = values & ((1 << bits) - 1)
    if not shift and precision in (layout.allocated, width) and not np.array_equal(values, pixels):
        notes += (f"bits above the {layout.stored} stored were cleared",)
    return values, notes
