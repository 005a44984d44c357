"""How fast training data comes: `medsr prepare` in images a second, and batches of random crops from the set it made.

    python scripts/benchmark/input.py [--data FOLDER] [--images 200] [--batch 16] [--side 256] [--repeats 40]

Without a folder of images, parts of one radiograph. Crops are made on one thread. "first pass" decodes every image that
is drawn for the first time; "in memory" is what a run sees once all have been; "no cache" decodes a PNG for every crop.
Ends with `ratio NAME OURS/TARGET target 1.0`, in seconds a crop; the target is 20 crops a second.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import pathlib
import tempfile
import time

import numpy as np
from timing import parser, ratio

from medsr_jax.evaluation.studies.samples import radiograph

CROPS_A_SECOND = 20.0


def main() -> None:
    from medsr_jax.data.collection import PrepareSettings
    from medsr_jax.data.crops import Crops
    from medsr_jax.data.loading import batches
    from medsr_jax.data.prepare import prepare
    from medsr_jax.data.sources import load_images

    options = _options()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        _link(options, folder / "in")
        begin = time.perf_counter()
        settings = PrepareSettings(validation=0, min_side=options.side)
        report = prepare([folder / "in"], folder / "set", settings=settings)
        count = sum(report.images.values())
        size = sum(path.stat().st_size for path in (folder / "set").iterdir())
        print(f"medsr prepare: {count / (time.perf_counter() - begin):.1f} images a second ({count} images,"
              f" {size / 1e6:.0f} MB)")  # fmt: skip

        rates = {}
        images = load_images(folder / "set")
        kept = Crops(images, side=options.side, seed=0)
        uncached = Crops(load_images(folder / "set", cache_gib=0), side=options.side, seed=0)
        rates["first pass"] = _rate(batches(kept, batch=options.batch), options, count // options.batch + 1)
        list(images)  # the rest of them
        rates["in memory"] = _rate(batches(kept, batch=options.batch), options, options.repeats)
        rates["no cache"] = _rate(batches(uncached, batch=options.batch), options, options.repeats)
        for row, rate in rates.items():
            print(f"{row:12} {rate:8.0f} crops a second, {options.batch} of {options.side}x{options.side} a batch")
    print(ratio("input_crop_first_pass", 1 / rates["first pass"], 1 / CROPS_A_SECOND, 1.0))


def _options() -> argparse.Namespace:
    options = parser(__doc__, repeats=40)
    options.add_argument("--data", type=pathlib.Path, help="a folder of images [parts of one radiograph]")
    options.add_argument("--images", type=int, default=200, help="the most that are taken, evenly [200]")
    options.add_argument("--batch", type=int, default=16)
    options.add_argument("--side", type=int, default=256)
    options.add_argument("--tiny", action="store_true", help="4 images, to see that it works")
    chosen = options.parse_args()
    if chosen.tiny:
        chosen.images, chosen.batch, chosen.repeats = 4, 2, 2
    return chosen


def _link(options: argparse.Namespace, folder: pathlib.Path) -> None:
    """Links to the images, or parts of a radiograph."""
    from PIL import Image

    from medsr_jax.files import find_inputs

    folder.mkdir()
    if options.data is not None:
        files = [file for file, _ in find_inputs([options.data])]
        for number in np.unique(np.linspace(0, len(files) - 1, min(options.images, len(files))).round().astype(int)):
            (folder / f"{number}").symlink_to(files[number].resolve())
        return
    pixels = radiograph(None)
    pixels = np.tile(pixels, [-(-1024 // extent) for extent in pixels.shape])
    random = np.random.default_rng(0)
    for number in range(options.images):
        top, left = (int(random.integers(extent - 512 + 1)) for extent in pixels.shape)
        Image.fromarray(pixels[top : top + 512, left : left + 512]).save(folder / f"{number}.png")


def _rate(data: object, options: argparse.Namespace, count: int) -> float:
    """Crops a second over ``count`` batches, from the first on."""
    begin = time.perf_counter()
    for _ in range(count):
        next(data)  # type: ignore[call-overload]
    return count * options.batch / (time.perf_counter() - begin)


if __name__ == "__main__":
    main()
