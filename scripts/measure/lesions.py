"""What is left of small lesions: synthetic ones in real radiographs, sent, and looked for by model observers.

    python scripts/measure/lesions.py --data FOLDER [--folders val/chest test/chest] [--limit N] [--page] [--tiny]

Masses and calcifications of known diameter and contrast (evaluation/studies/lesions.py) are put into the central
512x512 of chest radiographs, on a jittered grid of places with tissue around them, all lesions of a kind in one copy of
the image. The copy and the image without them go through each method:

  original        nothing
  small           downsampled by 4 and enlarged by bicubic, not coded: what shrinking alone costs
  bicubic         the link at scale 4, JPEG at q, enlarged by bicubic
  restored        the same packet restored by --model
  JPEG 2000, AVIF at full resolution, in as many bytes as the packet has, or fewer

Printed for each lesion and method: the contrast that is left in the lesion's disc, of what was put in; the ratio of
contrast to noise; and d' of a non-prewhitening matched filter and of a channelised Hotelling observer
(evaluation/studies/observers.py), with 95 % bootstrap intervals over images, and the area under the curve of the
second. A d' of 1 is 76 % of pairs told apart, of 2 is 92 %. The observer knows the lesion's place, so this is an upper
bound of what a search finds. What was cut out of each image is kept below --results, and a run that was stopped goes on
from there.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import dataclasses
import io
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from lesion_tables import draw, section, table
from PIL import Image as PillowImage

from medsr_jax.errors import MedsrError
from medsr_jax.evaluation.baselines import enlarge
from medsr_jax.evaluation.link import central_crop
from medsr_jax.evaluation.studies.full_size import FULL_SIZE
from medsr_jax.evaluation.studies.lesions import BALL, MASS, Lesion, insert, patches, places
from medsr_jax.evaluation.studies.observers import (
    area_under_curve,
    channelised_hotelling,
    contrast_to_noise,
    detectability,
    matched_filter,
)
from medsr_jax.evaluation.studies.records import PAGE, subsample, write_section
from medsr_jax.evaluation.studies.sample_set import data_set
from medsr_jax.files import atomic_write
from medsr_jax.imaging import Image, read_image
from medsr_jax.restoration import Restorer
from medsr_jax.restoration.compilation import keep_compiled_programs
from medsr_jax.transmission import compress
from medsr_jax.transmission.downscaling import downscale
from medsr_jax.transmission.packet_io import packet_bytes

SIDE, SCALE = 512, 4
HALF = 24  # of a patch, in pixels
SPACING = 64
LEVELS = (30, 225)
LESIONS = {
    "mass 24 px, 4 levels": Lesion(24, 4, MASS),
    "mass 16 px, 6 levels": Lesion(16, 6, MASS),
    "mass 12 px, 8 levels": Lesion(12, 8, MASS),
    "mass 8 px, 12 levels": Lesion(8, 12, MASS),
    "mass 6 px, 16 levels": Lesion(6, 16, MASS),
    "mass 4 px, 24 levels": Lesion(4, 24, MASS),
    "ball 3 px, 24 levels": Lesion(3, 24, BALL),
    "ball 2 px, 32 levels": Lesion(2, 32, BALL),
}
PEERS = ("JPEG 2000", "AVIF")
METHODS = ("original", "small", "bicubic", "restored", *PEERS)
RESAMPLES = 200

Patches = dict[str, np.ndarray]
Cut = dict[str, np.ndarray]


def main() -> None:
    options = _options()
    keep_compiled_programs()
    try:
        restorer = Restorer(options.model)
        files = [(f, file) for f in options.folders for file in subsample(options.data / f, limit=options.limit)]
    except MedsrError as error:
        sys.exit(str(error))
    collected: list[Cut] = []
    for number, (folder, file) in enumerate(files):
        kept = options.results / f"{restorer.name}-q{options.quality}" / folder / f"{file.stem}.npz"
        if not kept.is_file():
            _keep(kept, _cut(central_crop(read_image(file), side=SIDE), number, restorer, options))
            print(f"{number + 1}/{len(files)} {folder}/{file.name}", file=sys.stderr, flush=True)
        with np.load(kept) as arrays:
            collected.append(dict(arrays))
    collected = [cut for cut in collected if cut]
    if len(collected) < 2:
        sys.exit("fewer than two images have places with tissue around them; name more with --folders")
    groups = np.concatenate([np.full(len(cut[_name(METHODS[0])]), i) for i, cut in enumerate(collected)])
    rows = [
        _row(name, lesion, method, *_patches(collected, method, name), groups)
        for name, lesion in options.lesions.items()
        for method in METHODS
    ]
    about = (
        f"{len(collected)} images, {len(groups)} places; scale {SCALE}, JPEG q {options.quality},"
        f" {np.mean([cut['bytes'] for cut in collected]):.0f} bytes a packet; model {restorer.name}"
    )
    print(f"{about}\n\n{table(rows)}")
    picture = options.out / "lesions.png"
    draw(picture, rows, images=len(collected), methods=METHODS)
    print(f"\n{picture}")
    if options.page:
        write_section("lesions", section(about, rows, command=_command(options)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="of a data set [$MEDSR_DATA, else data]")
    parser.add_argument("--folders", nargs="+", default=["val/chest", "test/chest"])
    parser.add_argument("--limit", type=int, help="images of each folder, spread evenly [all]")
    parser.add_argument("--model", default="xray-x4")
    parser.add_argument("--quality", type=int, default=60, help="of the JPEG [60]")
    parser.add_argument("--results", type=pathlib.Path, default=pathlib.Path("out/lesions"), help="to go on from")
    parser.add_argument("-o", "--out", type=pathlib.Path, help="folder of the figure [out; docs/figures if --page]")
    parser.add_argument("--page", action="store_true", help="write docs/results.md")
    parser.add_argument("--tiny", action="store_true", help="one lesion, one image of each folder")
    chosen = parser.parse_args()
    chosen.data = data_set(chosen.data, tiny=chosen.tiny)
    chosen.lesions = dict(list(LESIONS.items())[:1]) if chosen.tiny else LESIONS
    if chosen.tiny:
        chosen.limit, chosen.results = 1, chosen.results.with_name(f"{chosen.results.name}-tiny")
    chosen.out = chosen.out or (PAGE.parent / "figures" if chosen.page else pathlib.Path("out"))
    return chosen


def _command(options: argparse.Namespace) -> str:
    limit = "" if options.limit is None else f" --limit {options.limit}"
    return f"python scripts/measure/lesions.py --data DATA{limit} --page"


def _name(method: str, lesion: str = "none") -> str:
    return f"{lesion} | {method}"


def _cut(image: Image, number: int, restorer: Restorer, options: argparse.Namespace) -> Cut:
    """Patches (places, rows, columns) of every method with each lesion and without; empty without fit places."""
    if image.pixels.dtype != np.uint8 or min(image.pixels.shape[1:]) < SIDE:
        return {}
    pixels = image.pixels[0]
    where = places(pixels, spacing=SPACING, margin=HALF, levels=LEVELS, seed=number)
    if not where:
        return {}
    results, size = _results(image, restorer, quality=options.quality)
    cut: Cut = {"bytes": np.asarray(size)}
    cut |= {_name(method): patches(result, where, half=HALF) for method, result in results.items()}
    for name, lesion in options.lesions.items():
        ill = dataclasses.replace(image, pixels=insert(pixels, lesion, where)[None])
        for method, result in _results(ill, restorer, quality=options.quality)[0].items():
            cut[_name(method, name)] = patches(result, where, half=HALF)
    return cut


def _keep(path: pathlib.Path, cut: Cut) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, **cut)  # type: ignore[arg-type]
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, stream.getvalue())


def _patches(collected: list[Cut], method: str, lesion: str) -> tuple[np.ndarray, np.ndarray]:
    """With the lesion and without, of all images."""
    ill, well = (np.concatenate([cut[_name(method, name)] for cut in collected]) for name in (lesion, "none"))
    return ill, well


def _results(image: Image, restorer: Restorer, *, quality: int) -> tuple[Patches, int]:
    """The image as each method gives it back, and the packet's bytes."""
    pixels = image.pixels[0]
    packet = compress(image, scale=SCALE, quality=quality, codec="jpeg", preprocess=False)
    size = len(packet_bytes(packet))
    small = PillowImage.fromarray(downscale(pixels, scale=SCALE, kernel="area").astype(np.float32))
    results = {
        "original": pixels,
        "small": np.clip(np.asarray(small.resize(pixels.shape[::-1], PillowImage.Resampling.BICUBIC)), 0, 255),
        "bicubic": enlarge(packet)[0],
        "restored": restorer(packet).pixels[0],
    }
    for name in PEERS:
        results[name] = _at_most(size, pixels, FULL_SIZE[name].encode, FULL_SIZE[name].decode, *SPANS[name])
    return results, size


# Levels to search, and how finely.
SPANS = {"JPEG 2000": (24.0, 45.0, 0.1), "AVIF": (0.0, 70.0, 1.0)}


def _at_most(
    size: int,
    pixels: np.ndarray,
    encode: Callable[[np.ndarray, float], bytes],
    decode: Callable[[bytes], np.ndarray],
    low: float,
    high: float,
    step: float,
) -> np.ndarray:
    """The best image of at most so many bytes; the smallest there is where none has."""
    best = encode(pixels, low)
    while high - low > step:
        middle = (low + high) / 2
        data = encode(pixels, middle)
        if len(data) <= size:
            best, low = data, middle
        else:
            high = middle
    return decode(best)


def _row(
    name: str, lesion: Lesion, method: str, present: np.ndarray, absent: np.ndarray, groups: np.ndarray
) -> dict[str, Any]:
    contrast, ratio = contrast_to_noise(present, absent, diameter=lesion.diameter)
    put_in = _inserted_contrast(lesion)
    filtered = matched_filter(present, absent, groups=groups)
    hotelling = channelised_hotelling(present, absent, groups=groups)
    return {
        "lesion": name,
        "diameter": lesion.diameter,
        "method": method,
        "contrast": contrast / put_in,
        "cnr": ratio,
        "matched": _interval(filtered, groups),
        "hotelling": _interval(hotelling, groups),
        "area": area_under_curve(*hotelling),
    }


def _inserted_contrast(lesion: Lesion) -> float:
    """The mean over the disc, as `contrast_to_noise` takes it, of the lesion itself."""
    profile = np.pad(lesion.profile(), HALF // 2)[None]
    return contrast_to_noise(profile, np.zeros_like(profile), diameter=lesion.diameter)[0]


def _interval(responses: tuple[np.ndarray, np.ndarray], groups: np.ndarray) -> tuple[float, float, float]:
    """d' and its 95 % interval over images: whole images are drawn anew, since places of one are alike."""
    random = np.random.default_rng(0)
    of = {group: np.flatnonzero(groups == group) for group in np.unique(groups)}
    names = list(of)
    draws = []
    for _ in range(RESAMPLES):
        chosen = np.concatenate([of[names[i]] for i in random.integers(len(names), size=len(names))])
        draws.append(detectability(responses[0][chosen], responses[1][chosen]))
    low, high = np.percentile(draws, [2.5, 97.5])
    return detectability(*responses), float(low), float(high)


if __name__ == "__main__":
    main()
