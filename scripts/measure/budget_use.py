"""How much of a budget a packet uses, in what time, and with what PSNR.

    python scripts/measure/budget_use.py [--data FOLDER_OF_IMAGES] [--limit 12] [--codecs vvc avif jpeg2000 jpeg]
        [--budgets 1000 1740 4000 8000] [--efforts normal] [--whole]

For each image (central 512x512; --whole: all of it), codec, effort and budget: the share of the budget that the file
takes, seconds of `compress` and the encoders that it runs (CPU time, which other jobs disturb less, and by the clock;
run it under `taskset -c 0` for one core), the scales chosen, and the PSNR of the small image as bicubic interpolation
enlarges it, in dB of the codes' range. Where a budget can't be met by an image, that image is left out. Ends with a
line per figure, `ratio NAME OURS/TARGET=R target 1.0`. --data defaults to val/chest of $MEDSR_DATA.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import collections
import dataclasses
import math
import os
import pathlib
import time

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.evaluation.studies.sample_set import data_set
from medsr_jax.files import find_inputs
from medsr_jax.imaging.image import Image
from medsr_jax.imaging.reading import read_image
from medsr_jax.transmission.budget import packet_error
from medsr_jax.transmission.packet_io import packet_bytes
from medsr_jax.transmission.sender import compress

SIDE = 512
SECONDS, SHARE = 1.0, 0.99


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="a folder of images [val/chest of $MEDSR_DATA, else data]")
    parser.add_argument("--limit", type=int, default=12, help="images, evenly spread over the folder")
    parser.add_argument("--codecs", nargs="+", default=["vvc", "avif", "jpeg2000", "jpeg"])
    parser.add_argument("--budgets", nargs="+", type=int, default=[1000, 1740, 4000, 8000])
    parser.add_argument("--efforts", nargs="+", default=["normal"], help="of VVC and AVIF: fast, normal, thorough")
    parser.add_argument("--whole", action="store_true", help="whole images in place of their central 512x512")
    parser.add_argument("--tiny", action="store_true", help="two images and one budget, to see that it works")
    options = parser.parse_args()
    folder = options.data or data_set(None, tiny=options.tiny) / "val" / "chest"
    if options.tiny:
        options.limit, options.budgets = 2, options.budgets[1:2]
    files = [file for file, _ in find_inputs([folder])]
    files = files[:: max(len(files) // options.limit, 1)][: options.limit]
    images = [image for file in files if (image := _image(file, whole=options.whole)) is not None]
    print(f"{len(images)} images of {folder}")
    lines = []
    for codec in options.codecs:
        for effort in options.efforts if codec in ("avif", "vvc") else ["normal"]:
            for budget in options.budgets:
                lines += _measure(images, codec, effort, budget)
    print(*lines, sep="\n")


def _image(file: pathlib.Path, *, whole: bool) -> Image | None:
    image = read_image(file)
    rows, columns = image.pixels.shape[1:]
    if whole:
        return image
    if min(rows, columns) < SIDE:
        return None
    top, left = (rows - SIDE) // 2, (columns - SIDE) // 2
    pixels = np.ascontiguousarray(image.pixels[:1, top : top + SIDE, left : left + SIDE])
    return dataclasses.replace(image, pixels=pixels, kind="png", dataset=None)


def _measure(images: list[Image], codec: str, effort: str, budget: int) -> list[str]:
    shares, cpu, wall, decibels = [], [], [], []
    scales: collections.Counter[int] = collections.Counter()
    for image in images:
        begin, begin_cpu = time.perf_counter(), _cpu_seconds()
        try:
            packet = compress(image, codec=codec, max_bytes=budget, effort=effort)
        except MedsrError as refusal:
            print(f"left out: {refusal}")
            continue
        cpu.append(_cpu_seconds() - begin_cpu)
        wall.append(time.perf_counter() - begin)
        shares.append(len(packet_bytes(packet)) / budget)
        error = packet_error(packet, image.pixels[0]) * (packet.header.high - packet.header.low) ** 2
        low, high = image.value_range
        decibels.append(10 * math.log10((high - low) ** 2 / max(error, 1e-9)))
        scales[packet.header.scale] += 1
    if not shares:
        return []
    chosen = " ".join(f"{scale}:{count}" for scale, count in sorted(scales.items()))
    print(
        f"{codec:9} {effort:9} {budget:6} bytes  share {np.mean(shares):.4f} (least {min(shares):.3f})  "
        f"{np.mean(cpu):.2f} s of CPU (most {max(cpu):.2f}), {np.median(wall):.2f} s by the clock  "
        f"{np.mean(decibels):.3f} dB  scales {chosen}",
        flush=True,
    )
    name = f"{codec}_{effort}_{budget}"
    return [
        f"ratio sender_seconds_{name} {np.mean(cpu):.2f}/{SECONDS}={np.mean(cpu) / SECONDS:.2f} target 1.0",
        f"ratio budget_unused_{name} {1 - np.mean(shares):.4f}/{1 - SHARE:.4f}="
        f"{(1 - np.mean(shares)) / (1 - SHARE):.2f} target 1.0",
    ]


def _cpu_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
