"""What is left of small lesions: synthetic ones in real radiographs, sent, and looked for by model observers.

    python scripts/measure_lesions.py --data FOLDER [--folders val/chest test/chest] [--limit N] [--tiny] [-o FOLDER]

Masses and calcifications of known diameter and contrast (evaluation/lesions.py) are put into the central 512x512 of
chest radiographs, on a jittered grid of places with tissue around them, all lesions of a kind in one copy of the
image. The copy and the image without them go through each method:

  original        nothing
  small           downsampled by 4 and enlarged by bicubic, not coded: what shrinking alone costs
  bicubic         the link at scale 4, JPEG at q, enlarged by bicubic
  restored        the same packet restored by --model
  JPEG 2000, AVIF at full resolution, in as many bytes as the packet has, or fewer

Printed for each lesion and method: the contrast that is left in the lesion's disc, of what was put in; the ratio of
contrast to noise; and d' of a non-prewhitening matched filter and of a channelised Hotelling observer
(evaluation/observers.py), with 95 % bootstrap intervals over images, and the area under the curve of the second. A d'
of 1 is 76 % of pairs told apart, of 2 is 92 %. The observer knows the lesion's place, so this is an upper bound of what
a search finds.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from medsr_jax.errors import MedsrError
from medsr_jax.evaluation.baselines import enlarge
from medsr_jax.evaluation.full_size import FULL_SIZE
from medsr_jax.evaluation.lesions import BALL, MASS, Lesion, insert, patches, places
from medsr_jax.evaluation.link import central_crop
from medsr_jax.evaluation.observers import (
    area_under_curve,
    channelised_hotelling,
    contrast_to_noise,
    detectability,
    matched_filter,
)
from medsr_jax.imaging import Image, find_inputs, read_image
from medsr_jax.restoration import Restorer
from medsr_jax.restoration.compilation import keep_compiled_programs
from medsr_jax.transmission import compress
from medsr_jax.transmission.downscale import downscale
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


def main() -> None:
    options = _options()
    keep_compiled_programs()
    try:
        restorer = Restorer(options.model)
        files = [file for folder in options.folders for file, _ in find_inputs([options.data / folder])]
    except MedsrError as error:
        sys.exit(str(error))
    if options.limit is not None and options.limit < len(files):
        files = [files[i] for i in np.linspace(0, len(files) - 1, options.limit).round().astype(int)]
    absent: dict[str, list[np.ndarray]] = {}
    present: dict[str, dict[str, list[np.ndarray]]] = {name: {} for name in LESIONS}
    groups: list[int] = []
    sizes: list[int] = []
    for number, file in enumerate(files):
        image = central_crop(read_image(file), side=SIDE)
        if image.pixels.dtype != np.uint8 or min(image.pixels.shape[1:]) < SIDE:
            print(f"left out: {file}: is no 8-bit image of {SIDE}x{SIDE} or more", file=sys.stderr)
            continue
        where = places(image.pixels[0], spacing=SPACING, margin=HALF, levels=LEVELS, seed=number)
        if not where:
            continue
        groups += [number] * len(where)
        results, size = _results(image, restorer, quality=options.quality)
        sizes.append(size)
        for method, pixels in results.items():
            absent.setdefault(method, []).append(patches(pixels, where, half=HALF))
        for name, lesion in LESIONS.items():
            ill = dataclasses.replace(image, pixels=insert(image.pixels[0], lesion, where)[None])
            for method, pixels in _results(ill, restorer, quality=options.quality)[0].items():
                present[name].setdefault(method, []).append(patches(pixels, where, half=HALF))
        print(f"{number + 1}/{len(files)} {file.name}: {len(where)} places", file=sys.stderr, flush=True)
    if len(set(groups)) < 2:
        sys.exit("fewer than two images have places with tissue around them; name more with --folders")
    without = {method: np.concatenate(parts) for method, parts in absent.items()}
    rows = []
    print(f"{len(set(groups))} images, {len(groups)} places; scale {SCALE}, JPEG q {options.quality},"
          f" {np.mean(sizes):.0f} bytes a packet; model {restorer.name}\n")  # fmt: skip
    print(f"{'':22}{'':12}{'contrast':>10}{'CNR':>8}   {'d, matched filter':>22}   {'d, Hotelling':>22}{'area':>8}")
    for name, lesion in LESIONS.items():
        for method in METHODS:
            ill = np.concatenate(present[name][method])
            rows.append(_row(name, lesion, method, ill, without[method], np.asarray(groups)))
            _print(rows[-1])
        print()
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "lesions.json").write_text(json.dumps(rows, indent=1) + "\n")
        _draw(options.out / "lesions.png", rows, images=len(set(groups)))
        print(options.out / "lesions.png")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(os.environ.get("MEDSR_DATA", "data")))
    parser.add_argument("--folders", nargs="+", default=["val/chest", "test/chest"])
    parser.add_argument("--limit", type=int, help="images, spread evenly [all]")
    parser.add_argument("--model", default="xray-x4")
    parser.add_argument("--quality", type=int, default=60, help="of the JPEG [60]")
    parser.add_argument("--tiny", action="store_true", help="four images")
    parser.add_argument("-o", "--out", type=pathlib.Path, help="folder for the figure and its numbers")
    chosen = parser.parse_args()
    if chosen.tiny:
        chosen.limit = 4
    return chosen


def _results(image: Image, restorer: Restorer, *, quality: int) -> tuple[Patches, int]:
    """The image as each method gives it back, and the packet's bytes."""
    pixels = image.pixels[0]
    packet = compress(image, scale=SCALE, quality=quality, preprocess=False)
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


def _print(row: dict[str, Any]) -> None:
    def interval(values: tuple[float, float, float]) -> str:
        return f"{values[0]:.2f} [{values[1]:.2f}, {values[2]:.2f}]"

    print(
        f"{row['lesion']:22}{row['method']:12}{row['contrast']:>10.0%}{row['cnr']:>8.2f}"
        f"   {interval(row['matched']):>22}   {interval(row['hotelling']):>22}{row['area']:>8.3f}"
    )


def _draw(path: pathlib.Path, rows: list[dict[str, Any]], *, images: int) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.8), layout="constrained", dpi=100)
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    names = list(dict.fromkeys(row["lesion"] for row in rows))
    for number, method in enumerate(METHODS):
        chosen = [row for row in rows if row["method"] == method]
        at = np.arange(len(names)) + (number - 2.5) * 0.12
        values = np.array([row["hotelling"] for row in chosen])
        left.errorbar(at, values[:, 0], np.abs(values[:, 1:] - values[:, :1]).T, fmt="o", ms=4, label=method)
        right.plot(at, [100 * row["contrast"] for row in chosen], "o", ms=4, label=method)
    for axis, title in ((left, "d' of a channelised Hotelling observer"), (right, "contrast that is left, %")):
        axis.set_xticks(np.arange(len(names)), [name.replace(", ", "\n") for name in names], fontsize=8)
        axis.set_title(title)
        axis.grid(alpha=0.3, axis="y")
    left.set_yscale("log")
    left.legend(fontsize=8)
    figure.suptitle(
        f"Synthetic lesions in {images} chest radiographs of {SIDE}x{SIDE}, all methods in the bytes of one packet"
    )
    figure.savefig(path)


if __name__ == "__main__":
    main()
