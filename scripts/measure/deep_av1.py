"""Does AV1 with 10 or 12 bits a sample pay, for 8-bit and for deeper sources?

    python scripts/measure/deep_av1.py [--data FOLDER_OF_IMAGES] [--limit 12] [--shrink 1]

libavif as imagecodecs has it codes 8, 10 and 12 bits, but can't be tuned for squared error; Pillow's can, and takes 8
bits. So the first three columns compare depths under the encoder's default tuning, and the others are what the sender
has: 8 bits tuned for squared error, and JPEG 2000 of 16-bit codes. Central 512x512 of each image after shrinking, codes
span the data, whole files, speed 4, PSNR of the range of the data at equal bytes (interpolated in the logarithm of
the size), mean over images; nan where the smallest file of one is larger. --data defaults to val/chest of $MEDSR_DATA.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import math
import pathlib
from collections.abc import Callable

import imagecodecs
import numpy as np

from medsr_jax.evaluation.studies.sample_set import data_set
from medsr_jax.files import find_inputs
from medsr_jax.imaging.reading import read_image
from medsr_jax.transmission.codecs import decode_jpeg2000, encode_avif_at, encode_jpeg2000
from medsr_jax.transmission.downscaling import downscale

SIDE, BUDGETS, SPEED = 512, (1000, 1740, 4000, 8000), 4
QUALITIES = (0, 6, 12, 20, 30, 40, 50, 60, 70)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="a folder of images [val/chest of $MEDSR_DATA, else data]")
    parser.add_argument("--limit", type=int, default=12, help="images, evenly spread over the folder")
    parser.add_argument("--shrink", type=int, default=1, help="1..8: shrink images first, which makes 8 bits deep ones")
    parser.add_argument("--tiny", action="store_true", help="one image, to see that it works")
    options = parser.parse_args()
    folder = options.data or data_set(None, tiny=options.tiny) / "val" / "chest"
    files = [file for file, _ in find_inputs([folder])]
    limit = 1 if options.tiny else options.limit
    frames = [_frame(file, options.shrink) for file in files[:: max(len(files) // limit, 1)][:limit]]
    frames = [frame for frame in frames if frame is not None]
    print(f"{len(frames)} images of {folder}; dB at {', '.join(map(str, BUDGETS))} bytes")
    columns: dict[str, Callable[[np.ndarray, int], tuple[int, np.ndarray]]] = {
        f"AVIF, {bits} bits": lambda frame, quality, bits=bits: _untuned(frame, quality, bits) for bits in (8, 10, 12)
    }
    columns |= {"AVIF, 8 bits, tuned": _tuned, "JPEG 2000, 16 bits": _jpeg2000}
    for name, code in columns.items():
        found = np.mean([_at_budgets([code(frame, quality) for quality in QUALITIES], frame) for frame in frames], 0)
        print(f"{name:20}", " ".join(f"{decibels:7.2f}" for decibels in found), flush=True)


def _frame(file: pathlib.Path, shrink: int) -> np.ndarray | None:
    """(512, 512) float64 in [0, 1], the data's range; None for smaller images."""
    values = downscale(read_image(file).pixels[0], scale=shrink).astype(np.float64)
    rows, columns = values.shape
    if min(rows, columns) < SIDE:
        return None
    top, left = (rows - SIDE) // 2, (columns - SIDE) // 2
    values = values[top : top + SIDE, left : left + SIDE]
    values = values - values.min()
    return values / max(values.max(), 1)


def _codes(frame: np.ndarray, bits: int) -> np.ndarray:
    return np.rint(frame * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)


def _untuned(frame: np.ndarray, quality: int, bits: int) -> tuple[int, np.ndarray]:
    data = imagecodecs.avif_encode(
        _codes(frame, bits), quality, speed=SPEED, bitspersample=bits, pixelformat="400", codec="aom", numthreads=1
    )
    return len(data), imagecodecs.avif_decode(data) / (2**bits - 1)


def _tuned(frame: np.ndarray, quality: int) -> tuple[int, np.ndarray]:
    data = encode_avif_at(_codes(frame, 8), quality, SPEED)
    return len(data), imagecodecs.avif_decode(data) / 255


def _jpeg2000(frame: np.ndarray, quality: int) -> tuple[int, np.ndarray]:
    data = encode_jpeg2000(_codes(frame, 16), 20 + quality)
    return len(data), decode_jpeg2000(data) / 65535


def _at_budgets(coded: list[tuple[int, np.ndarray]], frame: np.ndarray) -> list[float]:
    points = sorted((math.log(size), -10 * math.log10(np.mean((image - frame) ** 2))) for size, image in coded)
    sizes, decibels = zip(*points, strict=True)
    return [float(np.interp(math.log(budget), sizes, decibels, left=math.nan)) for budget in BUDGETS]


if __name__ == "__main__":
    main()
