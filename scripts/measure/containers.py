"""Thin packets against standard ones: header and bytes saved by codec, what they gain, and DICOM objects.

    python scripts/measure/containers.py [--data FOLDER] [--folder val/chest] [--limit N] [--budgets N ...] [--tiny]

Of the central 512x512 of each image: the packet of each codec that the sender makes for a budget of a thin file, in
both containers; and how far the PSNR of the bicubic enlargement rises where the budget is a thin file's and no longer a
standard one's. Then, of pydicom's DICOM files, whole objects at scale 4 and q 60 in JPEG 2000, in both containers.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import logging
import pathlib
import sys
import warnings

import numpy as np
from pydicom.data import get_testdata_file

from medsr_jax.errors import MedsrError
from medsr_jax.evaluation.link import central_crop
from medsr_jax.evaluation.studies.records import subsample
from medsr_jax.evaluation.studies.sample_set import data_set
from medsr_jax.imaging import Image, read_image
from medsr_jax.transmission import CODECS, compress, to_standard, to_thin
from medsr_jax.transmission.budget import packet_error
from medsr_jax.transmission.packet_io import packet_bytes
from medsr_jax.transmission.thin.header import read_header

SIDE, CHECKSUM = 512, 4
DICOM = ("693_J2KI.dcm", "CT_small.dcm", "MR_small.dcm", "examples_overlay.dcm", "JPEG2000.dcm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="of a data set [$MEDSR_DATA, else data]")
    parser.add_argument("--folder", default="val/chest")
    parser.add_argument("--limit", type=int, default=8, help="images, spread evenly [8]")
    parser.add_argument("--budgets", type=int, nargs="+", default=[1000, 1740, 4000])
    parser.add_argument("--tiny", action="store_true", help="one image and one budget")
    options = parser.parse_args()
    if options.tiny:
        options.limit, options.budgets = 1, [1000]
    try:
        files = subsample(data_set(options.data, tiny=options.tiny) / options.folder, limit=options.limit)
        images = [central_crop(read_image(file), side=SIDE) for file in files]
        print(f"{len(images)} images of {options.folder}, means\n")
        print("| codec | budget | header and checksum | thin | standard | saved | gain, dB |\n|-|-|-|-|-|-|-|")
        for codec in CODECS:
            for budget in options.budgets:
                print(_row(images, codec, budget), flush=True)
        print("\n| DICOM object | pixels | attributes | thin | standard |\n|-|-|-|-|-|")
        for name in DICOM:
            print(_dicom_row(name), flush=True)
    except MedsrError as error:
        sys.exit(str(error))


def _row(images: list[Image], codec: str, budget: int) -> str:
    headers, thin, standard, gains = [], [], [], []
    for image in images:
        packet = compress(image, codec=codec, max_bytes=budget)
        data = packet_bytes(packet)
        headers.append(read_header(data).end + CHECKSUM)
        thin.append(len(data))
        standard.append(len(packet_bytes(to_standard(packet))))
        other = compress(image, codec=codec, max_bytes=budget, container="standard")
        gains.append(10 * np.log10(packet_error(other, image.pixels[0]) / packet_error(packet, image.pixels[0])))
    saved = np.mean(standard) - np.mean(thin)
    sizes = " | ".join(f"{np.mean(sizes):.0f}" for sizes in (headers, thin, standard))
    return f"| {codec} | {budget:,} | {sizes} | {saved:.0f} | {np.mean(gains):+.2f} |"


def _dicom_row(name: str) -> str:
    path = get_testdata_file(name, download=False)
    if path is None:
        return f"| {name} | not found | | | |"
    image = read_image(str(path))
    packet = compress(image, scale=4, codec="jpeg2000", quality=60)
    data = packet_bytes(to_thin(packet))
    attributes = read_header(data).attributes or b""
    rows, columns = image.pixels.shape[1:]
    standard = len(packet_bytes(packet))
    return f"| {name} | {rows}x{columns} | {len(attributes)} | {len(data)} | {standard} |"


if __name__ == "__main__":
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
