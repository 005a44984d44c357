"""Headers of JPEG and JPEG-LS streams, read without decoding (ISO 10918-1 Annex B, ISO 14495-1 Annex C)."""

from __future__ import annotations

import dataclasses
import re

from medsr_jax.jpeg.segments import START_OF_SCAN, segments

_END_OF_IMAGE = 0xD9
_JPEG_LS = 0xF7
_LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF, _JPEG_LS)
_NOT_FRAMES = (0xC4, 0xC8, 0xCC)
_PROCESSES = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive", 0xC3: "lossless", _JPEG_LS: "JPEG-LS"}
# Markers inside coded data, restart markers aside. JPEG stuffs FF with a zero byte and JPEG-LS with a zero bit.
_MARKER = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")

# A scan of a progressive JPEG costs a pass over the whole image, however few bytes it has.
_USUAL_SCANS, _MOST_SCANS, _MOST_SCANNED_PIXELS = 16, 100, 2**30


@dataclasses.dataclass(frozen=True)
class JpegHeader:
    """The header of a stream, up to its first scan.

    Attributes:
        precision: bits a sample.
        rows, columns, components: size of the frame.
        lossless: the frame is coded without loss, by prediction (JPEG-LS: with a NEAR of 0).
        adobe_transform: the colour transform that an Adobe segment states (1 is YCbCr), if there is one.
        jfif: there is a JFIF segment, so that three components are YCbCr.
        process: baseline, extended, progressive, lossless, JPEG-LS, or another by its marker.
        identifiers: the identifier of each component.
        subsampled: components have different sampling factors.
        adobe_flags: the first flags of the Adobe segment, which Adobe's own programs set and libjpeg leaves 0.
        near: the largest error of a JPEG-LS sample.
    """

    precision: int
    rows: int
    columns: int
    components: int
    lossless: bool
    adobe_transform: int | None
    jfif: bool
    process: str = "baseline"
    identifiers: bytes = b""
    subsampled: bool = False
    near: int = 0
    adobe_flags: int = 0

    @property
    def colour(self) -> str | None:
        """What the stream states of three components, "RGB" or "YBR_FULL", or None where it states nothing.

        The precedence is libjpeg's: a JFIF segment, an Adobe segment, component identifiers. Subsampled chroma
        is no RGB either.
        """
        if self.components != 3:
            return None
        if self.jfif:
            return "YBR_FULL"
        if self.adobe_transform is not None:
            return "RGB" if self.adobe_transform == 0 else "YBR_FULL"
        if self.identifiers == b"RGB":
            return "RGB"
        return "YBR_FULL" if self.subsampled else None


def read_header(stream: bytes) -> JpegHeader:
    """Reads the marker segments up to the first scan.

    Raises:
        ValueError: the stream has no frame header.
    """
    adobe: int | None = None
    adobe_flags = 0
    jfif = False
    frame: tuple[int, bytes] | None = None
    near = 0
    for marker, _, _, body in segments(stream, last=START_OF_SCAN):
        if marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12 and adobe is None:
            adobe, adobe_flags = body[11], int.from_bytes(body[7:9], "big")
        elif marker == 0xE0 and body.startswith(b"JFIF"):
            jfif = True
        elif frame is None and _is_frame(marker) and len(body) >= 6:
            frame = marker, body
        elif marker == START_OF_SCAN:
            near = body[1 + 2 * body[0]] if body and len(body) > 1 + 2 * body[0] else 0
    if frame is None:
        raise ValueError("no frame header in the JPEG stream")
    marker, body = frame
    rows, columns = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    near = near if marker == _JPEG_LS else 0
    return JpegHeader(
        precision=body[0],
        rows=rows,
        columns=columns,
        components=body[5],
        lossless=marker in _LOSSLESS and not near,
        adobe_transform=adobe,
        jfif=jfif,
        process=_PROCESSES.get(marker, f"process {marker:02X}"),
        identifiers=body[6::3],
        subsampled=len(set(body[7::3])) > 1,
        near=near,
        adobe_flags=adobe_flags,
    )


def is_whole(stream: bytes) -> bool:
    """Whether an end-of-image marker follows the first scan; coded data can't hold its bytes."""
    return stream.rfind(b"\xff\xd9") > stream.find(b"\xff\xda") > 0


def scans_and_end(stream: bytes, *, start: int = 0) -> tuple[int, int | None]:
    """The number of scans of the image at `start`, and the position after its end, None where it has none."""
    scans, at = 0, start + 2
    while match := _MARKER.search(stream, at):
        marker = stream[match.start() + 1]
        if marker == _END_OF_IMAGE:
            return scans, match.end()
        scans += marker == START_OF_SCAN
        length = int.from_bytes(stream[match.end() : match.end() + 2], "big")
        at = match.end() + max(length, 2)
    return scans, None


def too_many_scans(stream: bytes, *, rows: int, columns: int) -> int:
    """The number of scans where they are too many for the size of the image, else 0."""
    scans, _ = scans_and_end(stream)
    allowed = max(_USUAL_SCANS, min(_MOST_SCANS, _MOST_SCANNED_PIXELS // max(rows * columns, 1)))
    return scans if scans > allowed else 0


def _is_frame(marker: int) -> bool:
    return (0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES) or marker == _JPEG_LS
