"""Draw the 8-bit crops that a training run on a rented GPU carries along, within a budget of bytes.

    python scripts/reproduce/gpu_crops.py --data FOLDER [-o FOLDER] [--side 384] [--mib 60] [--seed 0]

DATA holds train/GROUP/ and val/GROUP/, as docs/experiments.md uses them, and may have a manifest.csv with the columns
file and value_note. Writes train/GROUP/*.png, random crops, and val/GROUP/*.png, the central 512x512 of each image.

Images that a lossy codec has coded before have lost the fine noise that a codec spends its bits on, so none is drawn
for training: JPEG files, DICOM objects with LossyImageCompression 01, and files whose note in the manifest mentions
JPEG. Deeper images pass through a window drawn as in training. The same seed draws the same crops.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import csv
import io
import pathlib
import shutil
from collections.abc import Iterator

import numpy as np
from PIL import Image as PillowImage

from medsr_jax.data.crops import random_window
from medsr_jax.data.levels import to_eight_bits, to_levels
from medsr_jax.data.windows import through_window
from medsr_jax.errors import MedsrError
from medsr_jax.evaluation.studies.sample_set import data_set
from medsr_jax.files import atomic_write, find_inputs
from medsr_jax.imaging import Image, read_image

VALIDATION_SIDE = 512
MIB = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="data set [$MEDSR_DATA, else data]")
    parser.add_argument("-o", "--out", type=pathlib.Path, default=pathlib.Path("out/crops"))
    parser.add_argument("--side", type=int, default=384, help="of a training crop in pixels [384]")
    parser.add_argument("--mib", type=float, default=60.0, help="of all crops together, at most [60]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--tiny", action="store_true", help="a trial run on images of installed packages, 2 MiB of crops"
    )
    options = parser.parse_args()
    options.data = data_set(options.data, tiny=options.tiny)
    if options.tiny:
        options.mib = 2.0
        shutil.rmtree(options.out, ignore_errors=True)
    if options.out.exists():
        raise MedsrError("exists already", path=options.out, remedy="name a new folder with --out")
    random = np.random.default_rng(options.seed)
    coded = _coded_by_manifest(options.data)

    spent = validation = 0
    for path, crop in _validation_crops(options.data / "val"):
        spent += _write(options.out / "val" / path, crop)
        validation += 1
    sources = _uncoded(options.data / "train", coded)
    drawn = 0
    for path, crop in _training_crops(sources, options.side, random):
        png = _png(crop)
        if spent + len(png) > options.mib * MIB:
            break
        atomic_write(options.out / "train" / path, png)
        spent += len(png)
        drawn += 1
    if not drawn:
        raise MedsrError(f"no training crop fits {options.mib} MiB", remedy="raise --mib or lower --side")
    print(f"{drawn} training crops of {options.side}x{options.side} from {len(sources)} images")
    print(f"{validation} validation images; {spent / MIB:.1f} MiB in {options.out}")


def _coded_by_manifest(data: pathlib.Path) -> set[str]:
    """Files, relative to the folder, whose note mentions JPEG."""
    manifest = data / "manifest.csv"
    if not manifest.is_file():
        return set()
    with manifest.open(newline="") as file:
        return {row["file"] for row in csv.DictReader(file) if "jpeg" in row.get("value_note", "").lower()}


def _uncoded(folder: pathlib.Path, coded: set[str]) -> list[tuple[pathlib.Path, Image]]:
    """Images that no lossy codec has coded, each with its path relative to the folder."""
    kept = []
    for path, _ in find_inputs([folder]):
        relative = path.relative_to(folder)
        if (pathlib.PurePosixPath(folder.name) / relative.as_posix()).as_posix() in coded:
            continue
        image = read_image(path)
        lossy = image.dataset is not None and image.dataset.get("LossyImageCompression") == "01"
        if image.kind != "jpeg" and not lossy:
            kept.append((relative, image))
    return kept


def _training_crops(
    sources: list[tuple[pathlib.Path, Image]], side: int, random: np.random.Generator
) -> Iterator[tuple[pathlib.Path, np.ndarray]]:
    """One random crop of each image that is large enough, then a second one, without end."""
    large = [(path, image) for path, image in sources if min(image.pixels.shape[1:]) >= side]
    if not large:
        raise MedsrError(f"no uncoded training image has both sides of {side} pixels", remedy="lower --side")
    number = 0
    while True:
        for index in random.permutation(len(large)):
            path, image = large[index]
            frames = through_window(image).frames
            frame = frames[random.integers(len(frames))]
            top, left = (int(random.integers(extent - side + 1)) for extent in frame.shape)
            crop = frame[top : top + side, left : left + side]
            if crop.dtype != np.uint8:
                crop = to_levels(crop, *random_window(frame, random), dtype=np.uint8)
            yield path.with_name(f"{path.stem}-{number}.png"), crop
        number += 1


def _validation_crops(folder: pathlib.Path) -> Iterator[tuple[pathlib.Path, np.ndarray]]:
    for path, _ in find_inputs([folder]):
        frame = through_window(read_image(path)).frames[0]
        if frame.dtype != np.uint8:
            frame = to_eight_bits(frame)
        top, left = (max(extent - VALIDATION_SIDE, 0) // 2 for extent in frame.shape)
        crop = frame[top : top + VALIDATION_SIDE, left : left + VALIDATION_SIDE]
        yield path.relative_to(folder).with_suffix(".png"), crop


def _png(crop: np.ndarray) -> bytes:
    target = io.BytesIO()
    PillowImage.fromarray(np.ascontiguousarray(crop)).save(target, "PNG", optimize=True)
    return target.getvalue()


def _write(path: pathlib.Path, crop: np.ndarray) -> int:
    png = _png(crop)
    atomic_write(path, png)
    return len(png)


if __name__ == "__main__":
    main()
