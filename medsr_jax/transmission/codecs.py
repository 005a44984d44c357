"""The codecs that carry a small grey image, by name in `CODECS`.

Each takes one (rows, columns) image of uint8, or uint16 where it can, and a setting from 1 to 100, on a scale of its
own, that raises size and fidelity; `fidelity` relates settings to qualities. Code streams carry no metadata and no
header that a decoder can do without: a packet is about 1.7 KB, so that twenty bytes are one percent of it.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable

import imagecodecs
import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.jpeg.segments import COMMENT, COMMENT_2000, START_OF_SCAN, START_OF_TILE_PART, segments, without
from medsr_jax.transmission.vvc import decode_vvc, encode_vvc, encode_vvc_at, padded_shape

_HUFFMAN, _JFIF = 0xC4, 0xE0


@dataclasses.dataclass(frozen=True)
class Codec:
    """One way to code a small image.

    Attributes:
        name: the name on the command line and in the packet.
        encoder: (image, setting) -> code stream.
        decoder: code stream -> image.
        bits: the most bits a sample may have.
        stream_bits: those that the stream holds of a sample, where they are fewer; else None.
        usual_levels: the greatest code, where nothing else is said.
        suffix: of the file that a packet of one frame becomes.
        transfer_syntax: the DICOM transfer syntax that carries the stream, or None.
        method: the term for LossyImageCompressionMethod (0028,2114).
        setting_of: PSNR in dB -> the setting that gives it, where the encoder can be given a PSNR; else None. Such
            settings need not be whole.
        paced: (image, setting, speed 0..10) -> code stream, where the encoder has speeds; else None.
        padded_shape: (rows, columns) of an image -> those of its picture, where the format has no other; else None.
    """

    name: str
    encoder: Callable[[np.ndarray, float], bytes]
    decoder: Callable[[bytes], np.ndarray]
    bits: int
    suffix: str
    transfer_syntax: str | None = None
    method: str | None = None
    setting_of: Callable[[float], float] | None = None
    paced: Callable[[np.ndarray, float, int], bytes] | None = None
    padded_shape: Callable[[tuple[int, int]], tuple[int, int]] | None = None
    stream_bits: int | None = None
    usual_levels: int = 255

    def encode(self, image: np.ndarray, setting: float, *, speed: int | None = None) -> bytes:
        """The code stream of a (rows, columns) image, of a codec with speeds at one of them or its usual one.

        Raises:
            MedsrError: the format can't hold its sides.
        """
        try:
            if speed is not None and self.paced is not None:
                return self.paced(image, setting, speed)
            return self.encoder(image, setting)
        except Exception as error:  # each library has its own exception for sides beyond its format
            rows, columns = image.shape
            if isinstance(error, MedsrError):
                raise
            raise MedsrError(
                f"{self.name} can't code {rows}x{columns} pixels ({error})", remedy="raise the scale"
            ) from error

    def decode(self, stream: bytes, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """The (rows, columns) image of a code stream.

        Args:
            stream: as `encode` gives it.
            shape: of the image; what its format added to that is cut off. None keeps it.

        Raises:
            MedsrError: it is damaged, or isn't one grey image.
        """
        image = self.decoder(stream)
        if shape is not None and self.padded_shape is not None and image.shape == self.picture_shape(shape):
            image = image[: shape[0], : shape[1]]
        return image

    def picture_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Rows and columns of the picture in the code stream of an image."""
        return shape if self.padded_shape is None else self.padded_shape((shape[0], shape[1]))

    def levels(self, levels: int) -> int:
        """How many levels the stream tells apart of codes from 0 to `levels`."""
        return min(levels + 1, 1 << (self.stream_bits or self.bits))

    def check_dicom(self) -> None:
        """Refuse a codec that DICOM has no place for.

        Raises:
            MedsrError: it has no transfer syntax.
        """
        if self.transfer_syntax is None:
            raise MedsrError(
                f"can't be sent as {self.name}: DICOM has no transfer syntax for it",
                remedy="choose jpeg or jpeg2000, or thin packets",
            )


def encode_jpeg(image: np.ndarray, quality: float) -> bytes:
    """Baseline JPEG of a uint8 image; `quality` is libjpeg's q, the tables are Annex K's scaled by it.

    Huffman tables are fitted to the image (135 bytes less than Annex K's own on a 128x128 radiograph); progressive
    scans would be larger at this size, and are no baseline. The JFIF segment, which only states a pixel aspect of 1,
    is left out and both Huffman tables share one segment: 22 bytes less, and all decoders read it.
    """
    return _lean(bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(image), int(quality), optimize=True)))


def _lean(stream: bytes) -> bytes:
    *found, scan = segments(stream, last=START_OF_SCAN)
    tables = b"".join(segment.body for segment in found if segment.marker == _HUFFMAN)
    kept = (stream[s.start : s.end] for s in found if s.marker not in (_HUFFMAN, _JFIF, COMMENT))
    merged = bytes([0xFF, _HUFFMAN]) + (len(tables) + 2).to_bytes(2, "big") + tables
    return b"".join([stream[:2], *kept, merged, stream[scan.start :]])


def decode_jpeg(stream: bytes) -> np.ndarray:
    """The uint8 image of a JPEG, by libjpeg's accurate integer inverse DCT; of a colour JPEG the luma."""
    if b"\xff\xd9" not in stream[-4:]:
        raise MedsrError("the JPEG code stream ends early")  # libjpeg would fill the rest with grey
    return _decoded(imagecodecs.jpeg8_decode, stream, "JPEG", outcolorspace="GRAYSCALE")


def encode_jpeg2000(image: np.ndarray, setting: float) -> bytes:
    """A raw JPEG 2000 code stream (9-7 wavelet, one layer) of a uint8 or uint16 image.

    `setting` is the encoder's target PSNR over the codes' full range: 22 + setting/4 dB up to 75, then 1 dB a step, so
    that 60 is 37 dB and 100 is 65.75 dB. The encoder's own comment is left out, and so are the boxes of a JP2 file
    (85 bytes): decoders that read one read the other.
    """
    decibels = 22 + setting / 4 if setting <= 75 else setting - 34.25
    stream = bytes(
        imagecodecs.jpeg2k_encode(
            np.ascontiguousarray(image),
            decibels,  # type: ignore[arg-type]  # it takes fractions of a decibel, whatever its stub says
            codecformat="j2k",
            reversible=False,
        )
    )
    comments = (s for s in segments(stream, last=START_OF_TILE_PART) if s.marker == COMMENT_2000)
    return without(stream, comments)


def jpeg2000_setting(decibels: float) -> float:
    """The setting of `encode_jpeg2000` for a PSNR in dB."""
    return min(max(4 * (decibels - 22), 1.0), 75.0) if decibels <= 40.75 else min(decibels + 34.25, 100.0)


def decode_jpeg2000(stream: bytes) -> np.ndarray:
    """The uint8 or uint16 image of a JPEG 2000 code stream."""
    if not stream.endswith(b"\xff\xd9"):
        raise MedsrError("the JPEG 2000 code stream ends early")
    return _decoded(imagecodecs.jpeg2k_decode, stream, "JPEG 2000")


def encode_avif(image: np.ndarray, setting: float) -> bytes:
    """A monochrome AVIF still of a uint8 image, tuned for squared error.

    `setting` is the encoder's own quality, of which whole numbers are used. The speed is 4 up to 512x512 pixels and 6
    above.
    """
    return encode_avif_at(image, setting, 4 if image.size <= 1 << 18 else 6)


def encode_avif_at(image: np.ndarray, setting: float, speed: int) -> bytes:
    """As `encode_avif`, at a speed of 0 (slowest) to 10.

    Tuning for squared error instead of for looks saves a quarter of the bytes at equal PSNR, and superblocks of 64
    pixels 0.2 %. At speeds 4 and 5 no blocks below 8x8 are tried, which takes a seventh of the time and 0.5 % of the
    bytes. One thread: the encoder gains nothing from more, and its tiles would differ by machine.
    """
    from PIL import Image  # imagecodecs' encoder can't be tuned

    target = io.BytesIO()
    advanced = {"tune": "psnr", "sb-size": "64"} | ({"min-partition-size": "8"} if speed in (4, 5) else {})
    options = {"speed": speed, "advanced": advanced, "max_threads": 1}
    Image.fromarray(image).save(
        target, "AVIF", quality=int(setting), subsampling="4:0:0", range="full", codec="aom", **options
    )
    return target.getvalue()


def decode_avif(stream: bytes) -> np.ndarray:
    """The uint8 image of a monochrome AVIF."""
    return _decoded(imagecodecs.avif_decode, stream, "AVIF")


def _decoded(decoder: Callable[..., np.ndarray], stream: bytes, name: str, **options: object) -> np.ndarray:
    try:
        image = np.asarray(decoder(stream, **options))
    except Exception as error:  # imagecodecs has one exception type a codec, and ValueError, and others
        raise MedsrError(f"the {name} code stream is damaged ({error})") from error
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim != 2:
        raise MedsrError(f"the {name} code stream isn't one grey image but has shape {image.shape}")
    return image


CODECS: dict[str, Codec] = {
    "jpeg": Codec(
        name="jpeg",
        encoder=encode_jpeg,
        decoder=decode_jpeg,
        bits=8,
        suffix=".jpg",
        transfer_syntax="1.2.840.10008.1.2.4.50",
        method="ISO_10918_1",
    ),
    "jpeg2000": Codec(
        name="jpeg2000",
        encoder=encode_jpeg2000,
        decoder=decode_jpeg2000,
        bits=16,
        suffix=".j2k",
        transfer_syntax="1.2.840.10008.1.2.4.91",
        method="ISO_15444_1",
        setting_of=jpeg2000_setting,
    ),
    "avif": Codec(
        name="avif",
        encoder=encode_avif,
        decoder=decode_avif,
        bits=8,
        suffix=".avif",
        method="AOM_AV1",  # the standard has no term for it
        paced=encode_avif_at,
    ),
    "vvc": Codec(
        name="vvc",
        encoder=encode_vvc,
        decoder=decode_vvc,
        bits=16,
        stream_bits=10,
        usual_levels=65535,  # of 8-bit values too: they pass through the 10 bits unrounded
        suffix=".266",
        method="ISO_23090_3",  # as the standard's own terms are made; it has none for VVC
        paced=encode_vvc_at,
        padded_shape=padded_shape,
    ),
}
