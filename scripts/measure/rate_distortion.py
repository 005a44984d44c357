"""Fidelity against bytes: this link beside codecs at full resolution.

    python scripts/measure/rate_distortion.py --data FOLDER [--folders val/chest ...] [--limit N] [--page] [--tiny]

Each image's central 512x512, 8 bits, goes through

- JPEG, JPEG 2000, JPEG XL, AVIF and WebP at full resolution (evaluation/studies/full_size.py says how each is set), and
- the link: scale 2 and 4, JPEG, JPEG 2000 and AVIF, a ladder of q; enlarged by bicubic, and at the model's own scale
  restored by --model.

and through the sender's own choice of codec, scale and q at each budget (`medsr compress --max-bytes`).

Bytes are those of whole files, headers and all. What is printed: the mean over images of each measure at budgets a file
(between settings by a line over the logarithm of bytes; "(n/N)" where only n images get that small, and then the mean
is of those alone, which are the easy ones), and BD-rate against JPEG 2000 at full resolution, with 95 % bootstrap
intervals over images. LPIPS, which takes longest, is of the central 256x256. Points go to --results as they are made, a
line an image, and a run that was stopped goes on from there. --page writes docs/results.md and the figures beside it;
--tiny takes two images and few settings.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import dataclasses
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
from rate_tables import BUDGETS, draw, report

from medsr_jax.errors import MedsrError
from medsr_jax.evaluation.baselines import enlarge
from medsr_jax.evaluation.fidelity import fidelity
from medsr_jax.evaluation.link import central_crop
from medsr_jax.evaluation.lpips import load_lpips, lpips
from medsr_jax.evaluation.studies.full_size import FULL_SIZE
from medsr_jax.evaluation.studies.records import PAGE, Measurements, Record, subsample, write_section
from medsr_jax.evaluation.studies.sample_set import data_set
from medsr_jax.imaging import Image, read_image
from medsr_jax.restoration import Restorer
from medsr_jax.restoration.compilation import keep_compiled_programs
from medsr_jax.transmission import compress
from medsr_jax.transmission.packet_io import packet_bytes

SIDE, LPIPS_SIDE = 512, 256
SCALES = (2, 4)
# JPEG's q and AVIF's are their encoders'; JPEG 2000's is as `transmission.codecs` defines it.
LADDERS = {
    "jpeg": (5, 10, 20, 35, 50, 60, 75, 85, 92, 96),
    "jpeg2000": (15, 30, 45, 60, 75, 80, 85),
    "avif": (10, 20, 30, 40, 50, 60, 70, 80, 90),
}


def main() -> None:
    options = _options()
    keep_compiled_programs()
    try:
        restorer = Restorer(options.model)
        images = [
            (folder, file)
            for folder in options.folders
            for file in subsample(options.data / folder, limit=options.limit)
        ]
        perceptual = None if options.no_lpips else load_lpips()
    except MedsrError as error:
        sys.exit(str(error))
    kept = Measurements(options.results, _signature(options, restorer))
    chosen_by_rule = Measurements(
        options.results.with_stem(f"{options.results.stem}-rule"), {"model": restorer.name, "budgets": BUDGETS}
    )
    for number, (folder, file) in enumerate(images):
        name = f"{folder}/{file.name}"
        if name in kept.records and name in chosen_by_rule.records:
            continue
        image = central_crop(_eight_bits(read_image(file)), side=SIDE)
        if name not in kept.records:
            points = list(_points(image, restorer, perceptual, tiny=options.tiny))
            kept.add({"image": name, "folder": folder, "points": points})
        if name not in chosen_by_rule.records:
            chosen_by_rule.add({"image": name, "points": list(_ruled(image, restorer))})
        print(f"{number + 1}/{len(images)} {name}", file=sys.stderr, flush=True)
    parts = []
    for folder in options.folders:
        names = [f"{where}/{file.name}" for where, file in images if where == folder]
        chosen = [kept.records[name] for name in names]
        path = options.out / f"rate-distortion-{folder.replace('/', '-')}.png"
        draw(path, folder, chosen)
        parts.append(report(folder, chosen, [chosen_by_rule.records[name] for name in names]))
        print(f"{parts[-1]}\n\n{path}\n")
        parts.append(f"![Fidelity against bytes, {folder}](figures/{path.name})")
    if options.page:
        write_section("rate-distortion", "\n\n".join([_heading(options, restorer), *parts]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="of a data set [$MEDSR_DATA, else data]")
    parser.add_argument("--folders", nargs="+", default=["val/chest", "test/chest"])
    parser.add_argument("--limit", type=int, help="images of each folder, spread evenly [all]")
    parser.add_argument("--model", default="xray-x4", help="that restores what its scale sends [xray-x4]")
    parser.add_argument("--no-lpips", action="store_true", help="leave out LPIPS, most of the time")
    parser.add_argument("--tiny", action="store_true", help="two images and every third setting, without LPIPS")
    parser.add_argument("--results", type=pathlib.Path, default=pathlib.Path("out/rate-distortion.jsonl"))
    parser.add_argument("-o", "--out", type=pathlib.Path, help="folder of the figures [out; docs/figures if --page]")
    parser.add_argument("--page", action="store_true", help="write docs/results.md")
    chosen = parser.parse_args()
    chosen.data = data_set(chosen.data, tiny=chosen.tiny)
    if chosen.tiny:
        chosen.limit, chosen.no_lpips = 2, True
        chosen.results = chosen.results.with_suffix(".tiny.jsonl")
    chosen.out = chosen.out or (PAGE.parent / "figures" if chosen.page else pathlib.Path("out"))
    return chosen


def _eight_bits(image: Image) -> Image:
    if image.pixels.dtype != np.uint8:
        raise SystemExit(
            f"{image.name}: has more than 8 bits, which most of these codecs can't carry; leave its folder out"
        )
    return image


def _points(image: Image, restorer: Restorer, perceptual: Any, *, tiny: bool) -> Iterator[Record]:
    """Every method at every setting, on one image."""
    truth = image.pixels[0]

    def point(method: str, setting: str, size: int, result: np.ndarray) -> Record:
        measured = dataclasses.asdict(fidelity(result, truth, value_range=image.value_range))
        if perceptual is not None:
            measured["lpips"] = _lpips(result, truth, perceptual)
        return {"method": method, "setting": setting, "bytes": size, **measured}

    for name, codec in FULL_SIZE.items():
        for level in codec.levels[:: 3 if tiny else 1]:
            data = codec.encode(truth, level)
            yield point(name, f"{level:g}", len(data), codec.decode(data))
    for scale in SCALES:
        for codec_name, ladder in LADDERS.items():
            for quality in ladder[:: 3 if tiny else 1]:
                packet = compress(image, scale=scale, quality=quality, codec=codec_name, preprocess=False)
                size, setting = len(packet_bytes(packet)), f"/{scale} q{quality}"
                method = f"/{scale} {codec_name}"
                yield point(f"{method} bicubic", setting, size, enlarge(packet)[0])
                if scale == restorer.scale:
                    yield point(f"{method} restored", setting, size, restorer(packet).pixels[0])


def _ruled(image: Image, restorer: Restorer) -> Iterator[Record]:
    """What the sender makes of each budget, and the receiver of that."""
    for budget in BUDGETS:
        try:
            packet = compress(image, max_bytes=budget, preprocess=False)
        except MedsrError:  # no packet is so small
            continue
        header = packet.header
        result = restorer(packet).pixels[0] if header.scale == restorer.scale else enlarge(packet)[0]
        yield {
            "budget": budget,
            "choice": f"/{header.scale} {header.codec}",
            "bytes": len(packet_bytes(packet)),
            "psnr": fidelity(result, image.pixels[0], value_range=image.value_range).psnr,
        }


def _lpips(result: np.ndarray, truth: np.ndarray, perceptual: Any) -> float:
    inside = slice((SIDE - LPIPS_SIDE) // 2, (SIDE + LPIPS_SIDE) // 2)
    pair = [jnp.asarray(a[inside, inside], jnp.float32)[None, ..., None] / 255.0 for a in (result, truth)]
    return float(lpips(*pair, perceptual)[0])


def _heading(options: argparse.Namespace, restorer: Restorer) -> str:
    limit = "" if options.limit is None else f" --limit {options.limit}"
    peers = ", ".join(f"{name}: {codec.settings}" for name, codec in FULL_SIZE.items())
    return f"""
## Fidelity against bytes

`python scripts/measure/rate_distortion.py --data DATA{limit} --page`. Whole files, headers counted, of the central
512x512: codecs at full resolution ({peers}), and this link, which sends the small image at scale 2 or 4 as JPEG,
JPEG 2000 or AVIF and enlarges it by bicubic or restores it by {restorer.name}. "(n/N)"
where only n images get that small; the mean
is then of those alone, which are the easy ones. Where a method's largest file is smaller than the budget, its fidelity
is that file's. LPIPS is of the central 256x256.
"""


def _signature(options: argparse.Namespace, restorer: Restorer) -> Record:
    """What points must have in common to be shown together."""
    return {"model": restorer.name, "lpips": not options.no_lpips, "tiny": options.tiny, "side": SIDE}


if __name__ == "__main__":
    main()
