"""The figures of README's first page: bytes, ratios, and how far results contradict their packets.

    python scripts/measure/claims.py --data FOLDER [--limit N]

FOLDER (default $MEDSR_DATA, else data) holds val/chest, test/chest, test/radiograph and dicom; those that are there are
measured with `medsr compress`'s defaults. Sizes are of whole files, ratios of code streams (`Packet.ratio`). Violations
are of central 512x512 crops at q 60, in quantisation steps: of the truth, of the generator alone, and of the result.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import pathlib
import sys
from collections.abc import Sequence

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.evaluation.link import central_crop
from medsr_jax.evaluation.studies.sample_set import data_set
from medsr_jax.files import find_inputs
from medsr_jax.imaging import Image, read_image
from medsr_jax.restoration import Restorer
from medsr_jax.restoration.compilation import keep_compiled_programs
from medsr_jax.restoration.consistency import largest_violation
from medsr_jax.transmission.downscaling import downscale
from medsr_jax.transmission.packet_io import packet_bytes
from medsr_jax.transmission.sender import compress

FOLDERS = ("val/chest", "test/chest", "test/radiograph", "dicom")
CROPPED = FOLDERS[:2]
SIDE, QUALITY = 512, 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="of a data set [$MEDSR_DATA, else data]")
    parser.add_argument("--limit", type=int, help="images of each folder [all]")
    parser.add_argument("--tiny", action="store_true", help="two images of each folder, to see that it works")
    options = parser.parse_args()
    options.data = data_set(options.data, tiny=options.tiny)
    options.limit = 2 if options.tiny else options.limit
    if not any((options.data / folder).is_dir() for folder in FOLDERS):
        sys.exit(f"{options.data}: none of {', '.join(FOLDERS)} is there; name the data set with --data")
    keep_compiled_programs()
    restorer = Restorer("xray-x4")
    for folder in FOLDERS:
        if (options.data / folder).is_dir():
            images = _images(options.data / folder)[: options.limit]
            print(f"{folder}: {_sizes(images)}")
            if folder in CROPPED:
                print(f"{folder}: {_violations(images, restorer)}")


def _images(folder: pathlib.Path) -> list[Image]:
    images = []
    for file, _ in find_inputs([folder]):
        try:
            images.append(read_image(file))
        except MedsrError as error:
            print(f"left out: {error}")
    return images


def _sizes(images: Sequence[Image]) -> str:
    sizes, pixels, ratios = [], [], []
    for image in images:
        packet = compress(image)
        sizes.append(len(packet_bytes(packet)))
        pixels.append(packet.coded_bytes)
        ratios.append(packet.ratio())
    attributes = 1 - sum(pixels) / sum(sizes)
    return (
        f"{len(sizes)} images, bytes {min(sizes)}..{max(sizes)}, mean {np.mean(sizes):.0f}, median"
        f" {np.median(sizes):.0f},"
        f" {np.mean(np.array(sizes) < 2000):.0%} under 2,000; {attributes:.0%} of the bytes are headers and attributes;"
        f" ratio {min(ratios):.0f}:1..{max(ratios):.0f}:1, median {np.median(ratios):.0f}:1"
    )


def _violations(images: Sequence[Image], restorer: Restorer) -> str:
    found: dict[str, list[float]] = {"truth": [], "generator alone": [], "result": []}
    for image in images:
        crop = central_crop(image, side=SIDE)
        packet = compress(crop, scale=4, quality=QUALITY, preprocess=False)
        restored = restorer(packet)
        table, indices = packet.quantisation(), packet.coefficients()
        if table is None or indices is None or crop.pixels.dtype != np.uint8:
            continue
        small = downscale(crop.pixels[0], scale=4)
        found["truth"].append(largest_violation(small, indices[0], table))
        found["generator alone"].append(restored.violation_before or 0.0)
        found["result"].append(restored.violation or 0.0)
    return "; ".join(f"{name} at most {max(v):.2f} steps, median {np.median(v):.2f}" for name, v in found.items() if v)


if __name__ == "__main__":
    main()
