"""What is left of small lesions: synthetic ones in real radiographs, sent, and looked for by model observers.

    python scripts/measure/lesions.py --data FOLDER [--folders val/chest test/chest] [--limit N] [--blend] [--page]

Masses and calcifications of known diameter and contrast (imaging/lesions.py) are put into the central
512x512 of chest radiographs, on a jittered grid of places with tissue around them, all lesions of a kind in one copy of
the image. The copy and the image without them go through each method:

  original        nothing
  small           downsampled by 4 and enlarged by bicubic, not coded: what shrinking alone costs
  bicubic         the link at scale 4, JPEG at q, enlarged by bicubic
  restored        the same packet restored by --model
  JPEG 2000, AVIF at full resolution, in as many bytes as the packet has, or fewer
  budget          what the sender makes of that many bytes as a budget, enlarged by bicubic where it is not full size

Printed for each lesion and method: the contrast that is left in the lesion's disc, of what was put in; the ratio of
contrast to noise; and d' of a non-prewhitening matched filter and of a channelised Hotelling observer
(evaluation/studies/observers.py), with 95 % bootstrap intervals over images, and the area under the curve of the
second. A d' of 1 is 76 % of pairs told apart, of 2 is 92 %. The observer knows the lesion's place, so this is an upper
bound of what a search finds. What was cut out of each image is kept below --results, that of the methods without a
network apart from the model's, and a run that was stopped goes on from there.

Also printed: blobs of each lesion's size that a method adds to places without lesions (evaluation/studies/blobs.py),
and with --blend the detectability and the PSNR of mixtures of bicubic and restored, w from 0 to 1:

    bicubic + w (restored - bicubic)

The last lines are `ratio dprime_bicubic_over_restored_SIZE A/B=R target 1.0`, d' of the Hotelling observer, for the
sizes that bicubic leaves a d' above 0.3.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import dataclasses
import functools
import io
import pathlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from lesion_tables import blend_table, blob_table, draw, draw_blend, section, table
from PIL import Image as PillowImage

from medsr_jax.errors import MedsrError
from medsr_jax.evaluation.baselines import enlarge
from medsr_jax.evaluation.link import central_crop
from medsr_jax.evaluation.studies.blobs import false_blobs
from medsr_jax.evaluation.studies.full_size import FULL_SIZE
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
from medsr_jax.imaging.lesions import BALL, MASS, Lesion, insert, patches, places
from medsr_jax.restoration import Restorer
from medsr_jax.restoration.compilation import keep_compiled_programs
from medsr_jax.transmission import compress
from medsr_jax.transmission.downscaling import downscale
from medsr_jax.transmission.packet import Packet
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
PEERS, BUDGET = ("JPEG 2000", "AVIF"), "budget"
METHODS = ("original", "small", "bicubic", "restored", *PEERS, BUDGET)
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of restored in the mixture
BLENDED = (16, 12, 8)  # diameters
LEAST = 0.3  # d' that bicubic must leave for a ratio
RESAMPLES = 200

Patches = dict[str, np.ndarray]
Cut = dict[str, np.ndarray]
# An image as some methods give it back, and the packet's bytes.
Methods = Callable[[Image], tuple[Patches, int]]


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
        image = functools.cache(lambda file=file: central_crop(read_image(file), side=SIDE))
        cut: Cut = {}
        for name, methods in _sources(restorer, quality=options.quality).items():
            kept = options.results / f"{name}-q{options.quality}" / folder / f"{file.stem}.npz"
            if not kept.is_file():
                _keep(kept, _cut(image(), number, methods, options.lesions))
                print(f"{number + 1}/{len(files)} {folder}/{file.name}, {name}", file=sys.stderr, flush=True)
            with np.load(kept) as arrays:
                cut |= dict(arrays)
        collected.append(cut)
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
    blobs = blob_table(_blobs(collected, options.lesions), methods=METHODS)
    blend = _blend(collected, options, groups) if options.blend else []
    print(f"{about}\n\n{table(rows)}\n\n{blobs}")
    picture = options.out / "lesions.png"
    draw(picture, rows, images=len(collected), methods=METHODS)
    print(f"\n{picture}")
    if blend:
        print(f"\n{blend_table(blend)}")
        draw_blend(options.out / "lesions-blend.png", blend)
    if options.page:
        write_section("lesions", section(about, rows, blobs=blobs, blend=blend, command=_command(options)))
    print("\n".join(_ratios(rows)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="of a data set [$MEDSR_DATA, else data]")
    parser.add_argument("--folders", nargs="+", default=["val/chest", "test/chest"])
    parser.add_argument("--limit", type=int, help="images of each folder, spread evenly [all]")
    parser.add_argument("--model", default="xray-x4")
    parser.add_argument("--quality", type=int, default=60, help="of the JPEG [60]")
    parser.add_argument("--results", type=pathlib.Path, default=pathlib.Path("out/lesions"), help="to go on from")
    parser.add_argument("-o", "--out", type=pathlib.Path, help="folder of the figure [out; docs/figures if --page]")
    parser.add_argument("--blend", action="store_true", help="mixtures of bicubic and restored too")
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
    blend = " --blend" if options.blend else ""
    return f"python scripts/measure/lesions.py --data DATA{limit}{blend} --page"


def _name(method: str, lesion: str = "none") -> str:
    return f"{lesion} | {method}"


def _cut(image: Image, number: int, methods: Methods, lesions: Mapping[str, Lesion]) -> Cut:
    """Patches (places, rows, columns) of some methods with each lesion and without; empty without fit places."""
    if image.pixels.dtype != np.uint8 or min(image.pixels.shape[1:]) < SIDE:
        return {}
    pixels = image.pixels[0]
    where = places(pixels, spacing=SPACING, margin=HALF, levels=LEVELS, seed=number)
    if not where:
        return {}
    results, size = methods(image)
    cut: Cut = {"bytes": np.asarray(size)}
    if {"bicubic", "restored"} <= results.keys():
        cut["errors"] = _errors(pixels, results["bicubic"], results["restored"])
    cut |= {_name(method): patches(result, where, half=HALF) for method, result in results.items()}
    for name, lesion in lesions.items():
        ill = dataclasses.replace(image, pixels=insert(pixels, lesion, where)[None])
        for method, result in methods(ill)[0].items():
            cut[_name(method, name)] = patches(result, where, half=HALF)
    return cut


def _errors(truth: np.ndarray, bicubic: np.ndarray, restored: np.ndarray) -> np.ndarray:
    """(3,) mean square error of bicubic and of restored, and the mean product of both errors, in squared levels."""
    first, second = (result.astype(np.float64) - truth for result in (bicubic, restored))
    return np.array([np.square(first).mean(), np.square(second).mean(), (first * second).mean()])


def _keep(path: pathlib.Path, cut: Cut) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, **cut)  # type: ignore[arg-type]
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, stream.getvalue())


def _patches(collected: list[Cut], method: str, lesion: str) -> tuple[np.ndarray, np.ndarray]:
    """With the lesion and without, of all images."""
    ill, well = (np.concatenate([cut[_name(method, name)] for cut in collected]) for name in (lesion, "none"))
    return ill, well


def _sources(restorer: Restorer, *, quality: int) -> dict[str, Methods]:
    """The methods without a network and those of a model, by the folder that their results are kept in."""

    def plain(image: Image) -> tuple[Patches, int]:
        pixels, (_, size) = image.pixels[0], _sent(image, quality=quality)
        small = PillowImage.fromarray(downscale(pixels, scale=SCALE, kernel="area").astype(np.float32))
        results = {
            "original": pixels,
            "small": np.clip(np.asarray(small.resize(pixels.shape[::-1], PillowImage.Resampling.BICUBIC)), 0, 255),
        }
        for name in PEERS:
            results[name] = _at_most(size, pixels, FULL_SIZE[name].encode, FULL_SIZE[name].decode, *SPANS[name])
        return results, size

    def link(image: Image) -> tuple[Patches, int]:
        packet, size = _sent(image, quality=quality)
        return {"bicubic": enlarge(packet)[0], "restored": restorer(packet).pixels[0]}, size

    def budget(image: Image) -> tuple[Patches, int]:
        size = _sent(image, quality=quality)[1]
        return {BUDGET: enlarge(compress(image, max_bytes=size, preprocess=False))[0]}, size

    return {"peers": plain, restorer.name: link, "budget": budget}


def _sent(image: Image, *, quality: int) -> tuple[Packet, int]:
    packet = compress(image, scale=SCALE, quality=quality, codec="jpeg", preprocess=False)
    return packet, len(packet_bytes(packet))


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


def _blobs(collected: Sequence[Cut], lesions: Mapping[str, Lesion]) -> dict[str, dict[str, float]]:
    """Blobs without a counterpart in the original for each million pixels, by lesion and method."""
    truth = np.concatenate([cut[_name("original")] for cut in collected])
    found: dict[str, dict[str, float]] = {}
    for name, lesion in lesions.items():
        for method in METHODS[1:]:
            results = np.concatenate([cut[_name(method)] for cut in collected])
            count, pixels = false_blobs(results, truth, lesion)
            found.setdefault(name, {})[method] = 1e6 * count / pixels
    return found


def _blend(collected: Sequence[Cut], options: argparse.Namespace, groups: np.ndarray) -> list[dict[str, Any]]:
    """PSNR gain over bicubic, dB, and d' by diameter, of mixtures of bicubic and restored."""
    errors = np.stack([cut["errors"] for cut in collected])
    chosen = {name: lesion for name, lesion in options.lesions.items() if lesion.diameter in BLENDED or options.tiny}
    rows = []
    for weight in WEIGHTS:
        mixed = (1 - weight) ** 2 * errors[:, 0] + weight**2 * errors[:, 1] + 2 * weight * (1 - weight) * errors[:, 2]
        row: dict[str, Any] = {"weight": weight, "gain": float(np.mean(10 * np.log10(errors[:, 0] / mixed)))}
        for name, lesion in chosen.items():
            pairs = [_patches(list(collected), method, name) for method in ("bicubic", "restored")]
            present, absent = (b + weight * (r - b) for b, r in zip(*pairs, strict=True))
            row[f"{lesion.diameter:g} px"] = detectability(*channelised_hotelling(present, absent, groups=groups))
        rows.append(row)
    return rows


def _ratios(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    values = {(row["diameter"], row["method"]): row["hotelling"][0] for row in rows}
    for (diameter, method), bicubic in values.items():
        if method == "bicubic" and bicubic > LEAST:
            ours = values[diameter, "restored"]
            name = f"dprime_bicubic_over_restored_{diameter:g}px"
            yield f"ratio {name} {bicubic:.3f}/{ours:.3f}={bicubic / ours:.2f} target 1.0"


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
