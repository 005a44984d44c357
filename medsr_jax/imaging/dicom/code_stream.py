"""The images inside encapsulated Pixel Data: codec, header and samples of a code stream."""

from __future__ import annotations

import dataclasses
import itertools
import re
import struct
from typing import Any

import numpy as np

from medsr_jax.imaging.jpeg_2000_markers import J2K_START, JP2_START, read_jpeg_2000_header
from medsr_jax.imaging.jpeg_xl_markers import XL_BOXES, XL_START, read_jpeg_xl_header
from medsr_jax.jpeg.headers import is_whole, read_header, scans_and_end, too_many_scans

Array = np.ndarray[Any, Any]

JPEG, JPEG_LS, JPEG_2000, HTJ2K, JPEG_XL, RLE = "JPEG", "JPEG-LS", "JPEG 2000", "HTJ2K", "JPEG XL", "RLE"
_RLE_HEADER = 64
_LONGEST_START = 64  # Bytes that tell the codec: an RLE header is the longest.
_NOT_ZERO = re.compile(rb"[^\0]")


@dataclasses.dataclass(frozen=True)
class StreamHeader:
    """The header of a code stream.

    Attributes:
        codec: one of the names above.
        rows, columns, components: size of the image.
        precision: bits a sample.
        signed: whether samples are signed, where the codec has signed samples; else None.
        colour: "RGB" or "YBR_FULL" of the three components once decoded, or None where the stream states nothing.
        lossless: decoding gives back what was encoded.
        process: what to call the coding process, such as "progressive JPEG".
        scans: the number of scans where they are too many to decode, else 0.
    """

    codec: str
    rows: int
    columns: int
    components: int
    precision: int
    signed: bool | None
    colour: str | None
    lossless: bool
    process: str
    scans: int = 0


def codec_of(stream: bytes) -> str | None:
    """The codec by a stream's first bytes, or None; HTJ2K is distinguished from JPEG 2000 by its header only."""
    if stream.startswith(b"\xff\xd8\xff"):
        return JPEG
    if stream.startswith((J2K_START, JP2_START)):
        return JPEG_2000
    if stream.startswith((XL_START, XL_BOXES)):
        return JPEG_XL
    return RLE if _starts_rle(stream) else None


def read_stream_header(stream: bytes) -> StreamHeader:
    """Reads the header of a JPEG, JPEG-LS, JPEG 2000, HTJ2K or JPEG XL stream without decoding it.

    Raises:
        ValueError: it is none of these, damaged, or of a kind that no DICOM object holds.
    """
    codec = codec_of(stream)
    if codec == JPEG:
        return _jpeg(stream)
    if codec == JPEG_2000:
        return _jpeg_2000(stream)
    if codec == JPEG_XL:
        return _jpeg_xl(stream)
    raise ValueError("the code stream is no JPEG, JPEG-LS, JPEG 2000 or JPEG XL")


def decode_stream(stream: bytes, header: StreamHeader) -> Array:
    """(rows, columns) or (rows, columns, 3) samples; colour transforms outside JPEG 2000 and JPEG XL are kept."""
    import imagecodecs

    if header.codec == JPEG_LS:
        return np.asarray(imagecodecs.jpegls_decode(stream))
    if header.codec == JPEG:
        if header.components == 1:
            return np.asarray(imagecodecs.jpeg8_decode(stream))
        # With RGB as the stated colour space libjpeg leaves samples as they were coded.
        return np.asarray(imagecodecs.jpeg8_decode(stream, colorspace="RGB", outcolorspace="RGB"))
    if header.codec == JPEG_XL:
        return np.asarray(imagecodecs.jpegxl_decode(stream))
    # The naked code stream: a JP2 file's boxes would have the decoder convert colours.
    start = stream.find(J2K_START)
    decode = imagecodecs.htj2k_decode if header.codec == HTJ2K else imagecodecs.jpeg2k_decode
    return np.asarray(decode(stream[start:]))


def split_images(data: bytes) -> list[bytes]:
    """The images that follow each other in `data`; a single one where no second image is found."""
    images: list[bytes] = []
    start = 0
    # By position: to cut off each image in turn would take time that grows with the square of their number.
    while (end := _end_of_image(data, start)) is not None:
        # Zeros may pad an image; JP2 and JPEG XL signatures start with zeros of their own.
        behind = _NOT_ZERO.search(data, end)
        follow = (end, behind.start() if behind else len(data))
        begin = next((at for at in follow if codec_of(data[at : at + _LONGEST_START])), None)
        if begin is None:
            break
        images.append(data[start:end])
        start = begin
    return [*images, data[start:]]


def _end_of_image(data: bytes, start: int) -> int | None:
    """The position after the image at `start`, None where only decoding would show it."""
    codec = codec_of(data[start : start + _LONGEST_START])
    if codec == JPEG:
        return scans_and_end(data, start=start)[1]
    if codec == JPEG_2000:
        try:
            return read_jpeg_2000_header(data, start=start).end
        except (ValueError, IndexError, struct.error):
            return None
    if codec is None:
        return None
    # The other codecs have no end marker: a second image is one that begins with the same header.
    first = data[start : start + _LONGEST_START]
    boxed = first.startswith(XL_BOXES)
    signature = XL_BOXES if boxed else XL_START if codec == JPEG_XL else first[:8]
    at = data.find(signature, start + len(signature))
    while at >= 0 and not (boxed or _same_start(first, data[at : at + _LONGEST_START], codec)):
        at = data.find(signature, at + 1)
    return at if at >= 0 else None


def _same_start(first: bytes, second: bytes, codec: str) -> bool:
    if codec == RLE:
        return _starts_rle(second)
    try:
        return read_jpeg_xl_header(first) == read_jpeg_xl_header(second)
    except ValueError:
        return False


def _starts_rle(stream: bytes) -> bool:
    """Whether an RLE header comes first (PS3.5 G.5): 1 to 15 segments, the first right behind the header."""
    if len(stream) < _RLE_HEADER:
        return False
    numbers = np.frombuffer(stream[:_RLE_HEADER], "<u4").tolist()
    count, offsets = numbers[0], numbers[1:]
    if not 1 <= count <= 15 or offsets[0] != _RLE_HEADER:
        return False
    return not any(offsets[count:]) and all(a < b for a, b in itertools.pairwise(offsets[:count]))


def _jpeg(stream: bytes) -> StreamHeader:
    header = read_header(stream)
    # libjpeg would fill what is missing with grey, and CharLS can spend seconds on it.
    if not is_whole(stream):
        raise ValueError("truncated: the end of the JPEG image is missing")
    is_ls = header.process == "JPEG-LS"
    process = "JPEG-LS" if is_ls else f"{header.process} JPEG"
    return StreamHeader(
        codec=JPEG_LS if is_ls else JPEG,
        rows=header.rows,
        columns=header.columns,
        components=header.components,
        precision=header.precision,
        signed=None,
        colour=header.colour,
        lossless=header.lossless,
        process=f"near-lossless JPEG-LS (NEAR {header.near})" if header.near else process,
        scans=0 if is_ls else too_many_scans(stream, rows=header.rows, columns=header.columns),
    )


def _jpeg_2000(stream: bytes) -> StreamHeader:
    header = read_jpeg_2000_header(stream)
    if header.palette:
        raise ValueError("a JP2 file with a palette of its own")
    if header.subsampled or len(set(header.precisions)) > 1 or len(set(header.signs)) > 1:
        raise ValueError("JPEG 2000 components of different size, precision or sign")
    name = HTJ2K if header.high_throughput else JPEG_2000
    colour = None
    if len(header.precisions) == 3:
        colour = "RGB" if header.transformed else "YBR_FULL" if header.ycc else None
    return StreamHeader(
        codec=name,
        rows=header.rows,
        columns=header.columns,
        components=len(header.precisions),
        precision=header.precisions[0],
        signed=header.signs[0],
        colour=colour,
        lossless=header.reversible,
        process=name if header.reversible else f"irreversible {name}",
    )


def _jpeg_xl(stream: bytes) -> StreamHeader:
    header = read_jpeg_xl_header(stream)
    if header.floating:
        raise ValueError("JPEG XL with floating-point samples")
    if header.extra:
        raise ValueError("JPEG XL with an alpha or other extra channel")
    turned = header.orientation >= 5  # The decoder turns the image.
    return StreamHeader(
        codec=JPEG_XL,
        rows=header.columns if turned else header.rows,
        columns=header.rows if turned else header.columns,
        components=header.components,
        precision=header.precision,
        signed=None,
        colour="RGB" if header.components == 3 else None,
        lossless=not header.transformed,
        process="lossy JPEG XL" if header.transformed else "JPEG XL",
    )
