"""The pixel data of a DICOM object as arrays of stored values.

The pixel data outrank the data set: of number of frames, codec, precision, sign, components and colour, what the
code streams state is used, with a note where the data set differs. Sizes that disagree are refused.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from medsr_jax.errors import MedsrError, first_line
from medsr_jax.imaging.dicom import code_stream, encapsulation, native_pixels, overlay_bits, stored_bits
from medsr_jax.imaging.dicom.code_stream import HTJ2K, JPEG, JPEG_2000, JPEG_LS, JPEG_XL, RLE, StreamHeader
from medsr_jax.imaging.dicom.pixel_attributes import PixelAttributes, read_attributes
from medsr_jax.imaging.limits import check_size

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Array = np.ndarray[Any, Any]

_TS = "1.2.840.10008.1.2.4."
# The codec that a transfer syntax promises; None for native data.
_CODECS: dict[str, str | None] = {
    **{f"{_TS}{last}": JPEG for last in (*range(50, 67), 70)},
    **{f"{_TS}{last}": JPEG_LS for last in (80, 81)},
    **{f"{_TS}{last}": JPEG_2000 for last in range(90, 94)},
    **{f"{_TS}{last}": HTJ2K for last in range(201, 204)},
    **{f"{_TS}{last}": JPEG_XL for last in range(110, 113)},
    "1.2.840.10008.1.2.5": RLE,
    **dict.fromkeys(("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")),
}
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_LOSSLESS_ONLY = {f"{_TS}{last}" for last in (57, 58, 65, 66, 70, 80, 90, 92, 110, 201, 202)}
_BASELINE = f"{_TS}50"


@dataclasses.dataclass(frozen=True)
class Frames:
    """Decoded pixel data.

    Attributes:
        pixels: (frames, rows, columns) or, in colour, (frames, rows, columns, 3); stored values.
        bits: bits that hold a stored value.
        signed: stored values are signed.
        photometric: photometric interpretation of `pixels`, which decoding may have changed.
        notes: what was mended, and where the data set was not believed.
    """

    pixels: Array
    bits: int
    signed: bool
    photometric: str
    notes: tuple[str, ...]


def decode_frames(dataset: Dataset, *, name: str, max_pixels: int) -> Frames:
    """Decodes all frames of a data set with Pixel Data, and moves overlays out of unused bits into the data set.

    Raises:
        MedsrError: missing or impossible attributes, an unknown transfer syntax, damaged pixel data.
    """
    attributes = read_attributes(dataset, name=name)
    check_size(attributes.rows, attributes.columns, frames=attributes.frames, name=name, max_pixels=max_pixels)
    syntax = _transfer_syntax(dataset, name=name)
    data = dataset.PixelData or b""
    try:
        if _holds_items(data, attributes, syntax):
            return _encapsulated(dataset, data, attributes, syntax, name=name, max_pixels=max_pixels)
        return _native(dataset, data, attributes, syntax, name=name, max_pixels=max_pixels)
    except (MedsrError, MemoryError):
        raise
    except Exception as error:  # Each codec has its own exceptions.
        from pydicom.uid import UID

        raise MedsrError(
            f"has damaged or truncated pixel data ({UID(syntax).name}): {first_line(error)}", path=name
        ) from error


def _transfer_syntax(dataset: Dataset, *, name: str) -> str:
    """The transfer syntax; where the file states none, that with which the data set was parsed."""
    from pydicom.uid import UID

    syntax = str(dataset.file_meta.get("TransferSyntaxUID", "") or "")
    if not syntax:
        implicit, little = dataset.original_encoding
        syntax = "1.2.840.10008.1.2" if implicit else "1.2.840.10008.1.2.1" if little else _BIG_ENDIAN
        dataset.file_meta.TransferSyntaxUID = UID(syntax)
    if syntax not in _CODECS:
        what = UID(syntax).name
        what = what if what == syntax else f"{what} ({syntax})"
        raise MedsrError(f"has transfer syntax {what}, which can't be decoded", path=name)
    return syntax


def _holds_items(data: bytes, attributes: PixelAttributes, syntax: str) -> bool:
    """Whether the data are encapsulated, by their first bytes and, since native data may begin so, length."""
    if not encapsulation.is_encapsulated(data):
        return False
    samples = attributes.frames * attributes.rows * attributes.columns * attributes.samples
    return _CODECS[syntax] is not None or abs(len(data) - samples * attributes.allocated // 8) > 1


def _native(
    dataset: Dataset, data: bytes, attributes: PixelAttributes, syntax: str, *, name: str, max_pixels: int
) -> Frames:
    notes: tuple[str, ...] = ()
    if _CODECS[syntax] is not None:
        expected = attributes.frames * attributes.rows * attributes.columns * attributes.samples
        if len(data) - expected * attributes.allocated // 8 not in (0, 1):
            raise ValueError("the data hold no items")
        notes += (f"pixel data are native, not {_CODECS[syntax]} as the transfer syntax says",)
    pixel_bytes = attributes.frames * attributes.rows * attributes.columns * attributes.allocated // 8
    if attributes.samples == 1 and attributes.photometric[:3] in ("RGB", "YBR") and len(data) // 3 >= pixel_bytes:
        attributes = dataclasses.replace(attributes, samples=3)
        notes += ("pixel data hold 3 samples a pixel, as used; Samples per Pixel is 1",)
    pixels, native_notes = native_pixels.unpack_native(
        data, attributes, big_endian=syntax == _BIG_ENDIAN, words=dataset["PixelData"].VR == "OW"
    )
    notes += native_notes + _count_note(len(pixels), attributes)
    check_size(attributes.rows, attributes.columns, frames=len(pixels), name=name, max_pixels=max_pixels)
    return _native_values(dataset, pixels, attributes, notes)


def _native_values(dataset: Dataset, pixels: Array, attributes: PixelAttributes, notes: tuple[str, ...]) -> Frames:
    pixels, overlay_notes = _without_overlays(dataset, pixels, attributes, precision=attributes.allocated)
    values = stored_bits.native_values(pixels, attributes)
    notes += overlay_notes + values.notes
    return Frames(values.pixels, values.bits, values.signed, attributes.photometric, notes)


def _without_overlays(
    dataset: Dataset, pixels: Array, attributes: PixelAttributes, *, precision: int
) -> tuple[Array, tuple[str, ...]]:
    """The samples with the bits of overlay planes cleared, once the planes have data of their own."""
    mask = overlay_bits.overlay_mask(dataset)
    if not mask or pixels.ndim != 3 or attributes.allocated == 1 or precision <= attributes.stored:
        return pixels, ()
    shift = max(attributes.high + 1 - attributes.stored, 0)
    taken = (1 << attributes.stored) - 1 << shift
    notes = overlay_bits.move_overlays(dataset, pixels, taken=taken)
    width = 8 * pixels.dtype.itemsize
    kept = ~(mask & ~taken) & ((1 << width) - 1)
    unsigned = pixels.view(f"u{pixels.dtype.itemsize}")
    return (unsigned & unsigned.dtype.type(kept)).view(pixels.dtype), notes


def _encapsulated(
    dataset: Dataset, data: bytes, attributes: PixelAttributes, syntax: str, *, name: str, max_pixels: int
) -> Frames:
    streams, notes = encapsulation.split_frames(data, offsets=_offsets(dataset))
    if len(streams) < attributes.frames:
        count = f"{len(streams)} of {attributes.frames}"
        raise MedsrError(f"has {count} frames", path=name, remedy="the file is truncated or damaged")
    notes += _count_note(len(streams), attributes)
    check_size(attributes.rows, attributes.columns, frames=len(streams), name=name, max_pixels=max_pixels)
    if all(code_stream.codec_of(stream) == RLE for stream in streams):
        if _CODECS[syntax] != RLE:
            notes += (_other_codec(RLE, syntax),)
        first = native_pixels.decode_rle(streams[0], attributes)
        pixels = np.empty((len(streams), *first.shape), first.dtype)
        for number, stream in enumerate(streams):
            pixels[number] = native_pixels.decode_rle(stream, attributes)
        return _native_values(dataset, pixels, attributes, notes)
    header = _common_header(streams, attributes, name=name, max_pixels=max_pixels)
    pixels = _decoded(streams, header, name=name)
    photometric, colour_notes = _colours(header, attributes, name=name)
    pixels, overlay_notes = _without_overlays(dataset, pixels, attributes, precision=header.precision)
    values = stored_bits.stream_values(pixels, attributes, precision=header.precision, signed_stream=header.signed)
    notes += (*_codec_notes(header, syntax), *colour_notes, *overlay_notes, *values.notes)
    return Frames(values.pixels, values.bits, values.signed, photometric, notes)


def _offsets(dataset: Dataset) -> bytes:
    offsets = dataset.get("ExtendedOffsetTable")
    return offsets if isinstance(offsets, bytes) else b""


def _count_note(present: int, attributes: PixelAttributes) -> tuple[str, ...]:
    if present <= attributes.frames:
        return ()
    stated = f"is {attributes.frames}" if attributes.counted else "is missing"
    return (f"Number of Frames {stated}; {present} frames are present and used",)


def _common_header(streams: list[bytes], attributes: PixelAttributes, *, name: str, max_pixels: int) -> StreamHeader:
    """The header that all frames share, checked before anything is decoded; precision is the largest of all."""
    headers = [code_stream.read_stream_header(stream) for stream in streams]
    for header in headers:
        if header.rows * header.columns > max_pixels or (header.rows, header.columns) != (
            attributes.rows,
            attributes.columns,
        ):
            sizes = f"{attributes.rows} x {attributes.columns}", f"{header.rows} x {header.columns}"
            raise MedsrError(
                f"says {sizes[0]} pixels but its code stream holds {sizes[1]}", path=name, remedy="get the file anew"
            )
        if header.scans:
            raise MedsrError(
                f"has a JPEG of {header.scans} scans, too many to decode", path=name, remedy="recompress it as baseline"
            )
    first = headers[0]
    for header in headers:
        if (header.components, header.signed, header.colour) != (first.components, first.signed, first.colour):
            raise MedsrError(
                "has frames that differ in components, sign or colour", path=name, remedy="split it into single frames"
            )
    if first.components not in (1, 3):
        raise MedsrError(
            f"has code streams of {first.components} components", path=name, remedy="grey and three colours are read"
        )
    if first.signed and first.components == 3:
        raise MedsrError("has code streams of signed colour samples", path=name, remedy="convert them to unsigned ones")
    lossy = next((header for header in headers if not header.lossless), first)
    return dataclasses.replace(lossy, precision=max(header.precision for header in headers))


def _decoded(streams: list[bytes], common: StreamHeader, *, name: str) -> Array:
    """(frames, rows, columns) or (frames, rows, columns, 3) samples."""
    shape = (common.rows, common.columns) + ((3,) if common.components == 3 else ())
    pixels: Array | None = None
    for number, stream in enumerate(streams):
        frame = code_stream.decode_stream(stream, code_stream.read_stream_header(stream))
        if frame.shape != shape:
            sizes = [" x ".join(str(side) for side in sides) for sides in (shape, frame.shape)]
            raise MedsrError(f"has a code stream of {sizes[0]} pixels that decodes to {sizes[1]}", path=name)
        if pixels is None:
            width = max(frame.dtype.itemsize, (common.precision + 7) // 8)
            if len(streams) == 1 and width == frame.dtype.itemsize:
                return frame[np.newaxis]
            pixels = np.empty((len(streams), *shape), f"{frame.dtype.kind}{1 << (width - 1).bit_length()}")
        pixels[number] = frame
    assert pixels is not None
    return pixels


def _codec_notes(header: StreamHeader, syntax: str) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    if header.codec != _CODECS[syntax] or (syntax == _BASELINE and header.process != "baseline JPEG"):
        notes += (_other_codec(header.process, syntax),)
    if syntax in _LOSSLESS_ONLY and not header.lossless:
        notes += (f"already lossy: the code stream is {header.process} under a lossless transfer syntax",)
    return notes


def _other_codec(process: str, syntax: str) -> str:
    from pydicom.uid import UID

    return f"pixel data are {process}, not {UID(syntax).name} as the transfer syntax says"


def _colours(header: StreamHeader, attributes: PixelAttributes, *, name: str) -> tuple[str, tuple[str, ...]]:
    """The photometric interpretation of decoded samples, and a note where the data set says another."""
    stated = attributes.photometric
    notes: tuple[str, ...] = ()
    if header.components != attributes.samples:
        count = f"{header.components} component{'s' if header.components > 1 else ''}"
        notes += (f"the code stream has {count}, as used; Samples per Pixel is {attributes.samples}",)
    if header.components == 1:
        grey = stated.startswith("MONOCHROME") or (stated == "PALETTE COLOR" and attributes.samples == 1)
        return (stated if grey or attributes.samples == 1 else "MONOCHROME2"), notes
    if stated == "PALETTE COLOR":
        raise MedsrError(
            "says PALETTE COLOR but its code stream holds three components", path=name, remedy="correct one of them"
        )
    undone = header.codec in (JPEG_2000, HTJ2K, JPEG_XL)
    if undone and stated in ("YBR_ICT", "YBR_RCT"):
        if header.colour == "RGB":
            return "RGB", notes
        return header.colour or "RGB", (*notes, f"the code stream holds no colour transform, though {stated} says so")
    spaces = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420")
    usual = "YBR_FULL" if header.codec == JPEG and not header.lossless else "RGB"
    chosen = header.colour or (stated if stated in spaces else usual)
    if chosen[:3] == stated[:3]:
        return stated if stated in spaces else chosen, notes
    what = "YCbCr" if chosen.startswith("YBR") else chosen
    return chosen, (*notes, f"colours taken as {what}, as the code stream says; {stated or 'nothing'} is stated")
