"""The gains of the automatic models over bicubic interpolation that a sender counts with, by codec, scale and rate.

    python scripts/measure/expected_gains.py --data FOLDER [--folder val/chest] [--limit 12] [--write] [--tiny]

Each image's central 512x512 is sent at every scale that has an automatic model, with each codec and budget, in a thin
packet, restored and enlarged by bicubic. The mean difference in PSNR, at the mean bits for each pixel of the original,
is a point of the table; a gain below 0 counts as 0. --write puts it into medsr_jax/transmission/expected_gain.py.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import pathlib
import re
import sys

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.evaluation.link import central_crop, measure
from medsr_jax.evaluation.studies.records import subsample
from medsr_jax.evaluation.studies.sample_set import data_set
from medsr_jax.files import atomic_write
from medsr_jax.imaging import Image, read_image
from medsr_jax.restoration import Restorer
from medsr_jax.restoration.compilation import keep_compiled_programs
from medsr_jax.restoration.restorer import AUTOMATIC
from medsr_jax.transmission.codecs import CODECS

SIDE = 512
BUDGETS = (400, 700, 1_000, 1_740, 3_000)
TABLE = pathlib.Path(__file__).resolve().parents[2] / "medsr_jax" / "transmission" / "expected_gain.py"
_BLOCK = re.compile(r"(?<=^# Written by scripts/measure/expected_gains.py\n).*?(?=^# End\n)", re.M | re.S)

Points = tuple[tuple[float, float], ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="of a data set [$MEDSR_DATA, else data]")
    parser.add_argument("--folder", default="val/chest")
    parser.add_argument("--limit", type=int, default=12, help="images, spread evenly [12]")
    parser.add_argument("--write", action="store_true", help="into the source")
    parser.add_argument("--tiny", action="store_true", help="two images and budgets")
    options = parser.parse_args()
    options.data = data_set(options.data, tiny=options.tiny)
    keep_compiled_programs()
    budgets = BUDGETS[1:3] if options.tiny else BUDGETS
    try:
        restorer = Restorer()
        files = subsample(options.data / options.folder, limit=2 if options.tiny else options.limit)
    except MedsrError as error:
        sys.exit(str(error))
    images = [central_crop(read_image(file), side=SIDE) for file in files]
    images = [image for image in images if image.pixels.dtype == np.uint8]
    gains: dict[tuple[str, int], Points] = {}
    for codec in CODECS:
        for scale in AUTOMATIC:
            points = [point for budget in budgets if (point := _point(images, restorer, codec, scale, budget))]
            gains[codec, scale] = tuple(points)
            print(codec, scale, points, flush=True)
    if options.write:
        lines = "".join(f"    {key!r}: {points!r},\n" for key, points in gains.items())
        table = f"GAINS: dict[tuple[str, int], tuple[tuple[float, float], ...]] = {{\n{lines}}}\n".replace("'", '"')
        atomic_write(TABLE, _BLOCK.sub(lambda _: table, TABLE.read_text()).encode())


def _point(images: list[Image], restorer: Restorer, codec: str, scale: int, budget: int) -> tuple[float, float] | None:
    """Mean bits a pixel and mean gain in dB; None where half of the images don't fit."""
    bits, gains = [], []
    for image in images:
        try:
            measured = measure(image, restorer, codec=codec, scale=scale, max_bytes=budget, preprocess=False)
        except MedsrError:
            continue
        bits.append(8 * measured.sent_bytes / image.pixels.size)
        gains.append(measured.psnr - measured.psnr_bicubic)
    if 2 * len(gains) < len(images):
        return None
    return round(float(np.mean(bits)), 4), round(max(float(np.mean(gains)), 0.0), 2)


if __name__ == "__main__":
    main()
