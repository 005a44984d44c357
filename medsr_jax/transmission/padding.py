"""Padding: pixels outside the image, by value at the sender and by a mask in the packet (PS3.3 C.7.5.1.1.2).

A lossy codec keeps no value exactly, so the pixels that hold a padding value travel as a mask: for each row the columns
where padding begins and ends, as differences from those of the row above, deflated. On the round, turned and ragged
outlines of radiographs (512x512: 194, 58 and 322 bytes) that beats CCITT Group 4 (527, 608, 336) and lossless JPEG XL
(508, 221, 330). The receiver fills the mask again and moves every other pixel out of the padding's range.
"""

from __future__ import annotations

import dataclasses
import zlib

import numpy as np

from medsr_jax.errors import MedsrError

_PIXELS_PER_BYTE = 1024
_LEAST_LIMIT = 256
_MOST_EDGES = 16
_MOST_OF_IT = 0.9


@dataclasses.dataclass(frozen=True)
class Padding:
    """Where a packet's image is padding.

    Attributes:
        low, high: inclusive range of the stored values that mark padding.
        fill: the value that the receiver writes: the most frequent one among the padding.
        step: side of the squares that a bit of the mask stands for: 1, or the scale.
        mask: the deflated outline; empty where no pixel is padding.
    """

    low: float
    high: float
    fill: float
    step: int = 1
    mask: bytes = b""

    def pixels(self, shape: tuple[int, int, int]) -> np.ndarray:
        """Which pixels are padding: bool of (frames, rows, columns).

        Raises:
            MedsrError: for a mask of another size.
        """
        frames, rows, columns = shape
        if not self.mask:
            return np.zeros(shape, bool)
        small = (frames, -(-rows // self.step), -(-columns // self.step))
        marked = _unpacked(self.mask, small)
        return marked.repeat(self.step, 1).repeat(self.step, 2)[:, :rows, :columns]

    def applied(self, pixels: np.ndarray) -> np.ndarray:
        """The restored pixels with their padding: filled where the mask says so, and nowhere else in its range.

        Args:
            pixels: (frames, rows, columns) stored values.
        """
        result = pixels.copy()
        if pixels.dtype.kind in "iu":
            stray = (pixels >= self.low) & (pixels <= self.high)
            if stray.any():
                limits = np.iinfo(pixels.dtype)
                result[stray] = self.high + 1 if self.high < limits.max else self.low - 1
        result[self.pixels(pixels.shape)] = self.fill
        return result


def encode_padding(
    pixels: np.ndarray, padding: tuple[float, float], *, scale: int, max_bytes: int | None = None
) -> tuple[Padding | None, tuple[str, ...]]:
    """The padding of an image as it travels, and notes.

    A mask that costs more than a byte for 1024 pixels travels by squares of scale x scale pixels, which count where all
    of their pixels are padding; None, with a note, where that too costs as much, or loses a tenth of the padding.

    Args:
        pixels: (frames, rows, columns) stored values.
        padding: inclusive range of the values that mark padding.
        scale: of the packet.
        max_bytes: the packet's budget, of which the mask may take a tenth.
    """
    low, high = padding
    marked = (pixels >= low) & (pixels <= high)
    if not marked.any():
        return Padding(low, high, low), ()
    values, counts = np.unique(pixels[marked], return_counts=True)
    fill = values[int(np.argmax(counts))].item()
    limit = max(_LEAST_LIMIT, pixels.size // _PIXELS_PER_BYTE)
    if max_bytes is not None:
        limit = min(limit, max_bytes // 10)
    mask = _packed(marked)
    if mask is not None and len(mask) <= limit:
        notes = () if len(values) == 1 else (f"padding of {len(values)} values is restored as {fill:g}",)
        return Padding(low, high, fill, 1, mask), notes
    squares = _all_of_squares(marked, scale)
    mask = _packed(squares)
    most_of_it = squares.sum() * scale**2 >= _MOST_OF_IT * marked.sum()
    if mask is not None and len(mask) <= limit and most_of_it:
        return Padding(low, high, fill, scale, mask), (f"padding is known to squares of {scale} pixels",)
    return None, ("padding is too scattered to travel: its pixels are restored as the nearest other value",)


def _all_of_squares(marked: np.ndarray, step: int) -> np.ndarray:
    frames, rows, columns = marked.shape
    padded = np.pad(marked, ((0, 0), (0, -rows % step), (0, -columns % step)), mode="edge")
    return np.asarray(padded.reshape(frames, padded.shape[1] // step, step, -1, step).all((2, 4)))


def _packed(marked: np.ndarray) -> bytes | None:
    """The outline deflated; None where rows have more than `_MOST_EDGES` edges on average."""
    rows = marked.reshape(-1, marked.shape[2])
    edges = np.diff(rows.view(np.int8), axis=1, prepend=np.int8(0)) != 0
    if edges.sum() > _MOST_EDGES * len(rows):
        return None
    numbers: list[np.ndarray] = []
    before = np.zeros(0, np.int64)
    for row in edges:
        places = np.flatnonzero(row)
        shared = min(len(places), len(before))
        differences = places.copy()
        differences[:shared] -= before[:shared]
        numbers += [np.array([len(places)]), differences]
        before = places
    flat = np.concatenate(numbers)
    # Signs go into the lowest bit, and bytes of one significance stand together: most are zero.
    zigzag = ((flat << 1) ^ (flat >> 63)).astype("<u4")
    planes = zigzag.view(np.uint8).reshape(-1, 4).T.tobytes()
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(planes) + deflate.flush()


def _unpacked(mask: bytes, shape: tuple[int, int, int]) -> np.ndarray:
    frames, height, columns = shape
    rows = frames * height
    most = 4 * rows * (1 + _MOST_EDGES)
    try:
        data = zlib.decompressobj(-15).decompress(mask, most + 1)
        if len(data) > most or len(data) % 4:
            raise _damaged()
        planes = np.frombuffer(data, np.uint8).reshape(4, -1).T
        zigzag = np.ascontiguousarray(planes).view("<u4")[:, 0].astype(np.int64)
        numbers = (zigzag >> 1) ^ -(zigzag & 1)
        toggles = np.zeros((rows, columns), bool)
        before, at = np.zeros(0, np.int64), 0
        for row in range(rows):
            count = int(numbers[at])
            places = np.array(numbers[at + 1 : at + 1 + count])
            shared = min(count, len(before))
            places[:shared] += before[:shared]
            if count < 0 or len(places) != count or (count and not 0 <= np.min(places) <= np.max(places) < columns):
                raise _damaged()
            toggles[row, places] = True
            before, at = places, at + 1 + count
    except (zlib.error, IndexError, ValueError) as error:
        raise _damaged() from error
    if at != len(numbers):
        raise _damaged()
    return np.logical_xor.accumulate(toggles, axis=1).reshape(shape)


def _damaged() -> MedsrError:
    return MedsrError("the packet's padding is damaged", remedy="have it sent again")
