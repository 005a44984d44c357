"""Fidelity against bytes: this link beside codecs at full resolution.

    python scripts/rate_distortion.py --data FOLDER [--folders val/chest ...] [--limit N] [--tiny] [-o FOLDER]

Each image's central 512x512, 8 bits, goes through

- JPEG, JPEG 2000, JPEG XL, AVIF and WebP at full resolution (evaluation/full_size.py says how each is set), and
- the link: scale 2 and 4, JPEG, JPEG 2000 and AVIF, a ladder of q; enlarged by bicubic, and at the model's own scale
  restored by --model.

Bytes are those of whole files, headers and all. What is printed: the mean over images of each measure at budgets a file
(between settings by a line over the logarithm of bytes; "(n/N)" where only n images get that small, and then the mean
is of those alone, which are the easy ones), and BD-rate against JPEG 2000 at full resolution, with 95 % bootstrap
intervals over images. Points go to --results as they are made, a line an image, and a run that was stopped goes on
from there. --tiny takes two images and few settings.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from kept import Measurements, Record, spread

from medsr_jax.errors import MedsrError
from medsr_jax.evaluation.baselines import enlarge
from medsr_jax.evaluation.fidelity import BETTER_BELOW, MEASURES, Fidelity, fidelity
from medsr_jax.evaluation.full_size import FULL_SIZE
from medsr_jax.evaluation.link import central_crop
from medsr_jax.evaluation.lpips import load_lpips
from medsr_jax.evaluation.rate import at_bytes, bd_rate
from medsr_jax.evaluation.statistics import bootstrap
from medsr_jax.imaging import Image, read_image
from medsr_jax.restoration import Restorer
from medsr_jax.restoration.compilation import keep_compiled_programs
from medsr_jax.transmission import compress
from medsr_jax.transmission.packet_io import packet_bytes

SIDE = 512
BUDGETS = (1000, 1250, 1740, 2500, 4000, 8000)
ANCHOR = "JPEG 2000"
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
            (folder, file) for folder in options.folders for file in spread(options.data / folder, limit=options.limit)
        ]
        perceptual = None if options.no_lpips else load_lpips()
    except MedsrError as error:
        sys.exit(str(error))
    kept = Measurements(options.results, _signature(options, restorer))
    for number, (folder, file) in enumerate(images):
        name = f"{folder}/{file.name}"
        if name in kept.records:
            continue
        image = central_crop(_eight_bits(read_image(file)), side=SIDE)
        points = list(_points(image, restorer, perceptual, tiny=options.tiny))
        kept.add({"image": name, "folder": folder, "points": points})
        print(f"{number + 1}/{len(images)} {name}: {len(points)} points", file=sys.stderr, flush=True)
    for folder in options.folders:
        chosen = [kept.records[f"{folder}/{file.name}"] for where, file in images if where == folder]
        _report(folder, chosen)
        if options.out is not None:
            path = options.out / f"rate-distortion-{folder.replace('/', '-')}.png"
            _draw(path, folder, chosen)
            print(f"{path}\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path(os.environ.get("MEDSR_DATA", "data")))
    parser.add_argument("--folders", nargs="+", default=["val/chest", "test/chest"])
    parser.add_argument("--limit", type=int, help="images of each folder, spread evenly [all]")
    parser.add_argument("--model", default="xray-x4", help="that restores what its scale sends [xray-x4]")
    parser.add_argument("--no-lpips", action="store_true", help="leave out LPIPS, most of the time")
    parser.add_argument("--tiny", action="store_true", help="two images and every third setting, without LPIPS")
    parser.add_argument("--results", type=pathlib.Path, default=pathlib.Path("out/rate-distortion.jsonl"))
    parser.add_argument("-o", "--out", type=pathlib.Path, help="folder for the figures")
    chosen = parser.parse_args()
    if chosen.tiny:
        chosen.limit, chosen.no_lpips = 2, True
        chosen.results = chosen.results.with_suffix(".tiny.jsonl")
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
        measured = fidelity(result, truth, value_range=image.value_range, perceptual=perceptual)
        return {"method": method, "setting": setting, "bytes": size, **dataclasses.asdict(measured)}

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


def _signature(options: argparse.Namespace, restorer: Restorer) -> Record:
    """What points must have in common to be shown together."""
    return {"model": restorer.name, "lpips": not options.no_lpips, "tiny": options.tiny, "side": SIDE}


def _curves(record: Record, measure: str) -> dict[str, list[tuple[float, float]]]:
    """(bytes, fidelity) by method; fidelity is turned so that more is better."""
    sign = -1.0 if measure in BETTER_BELOW else 1.0
    curves: dict[str, list[tuple[float, float]]] = {}
    for point in record["points"]:
        if math.isfinite(point[measure]):
            curves.setdefault(point["method"], []).append((point["bytes"], sign * point[measure]))
    return curves


def _report(folder: str, records: list[Record]) -> None:
    methods = list(dict.fromkeys(point["method"] for point in records[0]["points"]))
    print(f"\n{folder}: {len(records)} images, {SIDE}x{SIDE}")
    for measure in (field.name for field in dataclasses.fields(Fidelity)):
        curves = [_curves(record, measure) for record in records]
        if not any(curves):
            continue
        sign = -1.0 if measure in BETTER_BELOW else 1.0
        print(f"\n{MEASURES[measure]} at a budget of bytes a file")
        print(f"{'':26}" + "".join(f"{budget:>16}" for budget in BUDGETS))
        for method in methods:
            cells = []
            for budget in BUDGETS:
                values = [sign * at_bytes(curve.get(method, []), budget) for curve in curves]
                cells.append(_cell(values, digits=2 if measure == "psnr" else 3))
            print(f"{method:26}" + "".join(f"{cell:>16}" for cell in cells))
    print(f"\nBD-rate, bytes at equal fidelity against {ANCHOR}, % (less is better) [95 % interval]")
    measures = ("psnr", "ssim") + (("lpips",) if any(_curves(records[0], "lpips")) else ())
    print(f"{'':26}" + "".join(f"{MEASURES[measure]:>30}" for measure in measures))
    for method in (method for method in methods if method != ANCHOR):
        cells = []
        for measure in measures:
            pairs = [_curves(record, measure) for record in records]
            mean = bootstrap([bd_rate(curve.get(method, []), curve.get(ANCHOR, [])) for curve in pairs])
            shared = "" if mean.count == len(records) else f" ({mean.count}/{len(records)})"
            cells.append(f"{mean.value:+.1f} [{mean.low:+.1f}, {mean.high:+.1f}]{shared}" if mean.count else "-")
        print(f"{method:26}" + "".join(f"{cell:>30}" for cell in cells))


def _cell(values: list[float], *, digits: int) -> str:
    reached = [value for value in values if math.isfinite(value)]
    if not reached:
        return "-"
    share = "" if len(reached) == len(values) else f" ({len(reached)}/{len(values)})"
    return f"{np.mean(reached):.{digits}f}{share}"


def _draw(path: pathlib.Path, folder: str, records: list[Record]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    measures = [measure for measure in ("psnr", "ssim", "lpips") if any(_curves(records[0], measure))]
    figure = Figure(figsize=(6.2 * len(measures), 5.2), layout="constrained", dpi=100)
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(1, len(measures)))
    budgets = np.geomspace(700, 12_000, 60)
    methods = list(dict.fromkeys(point["method"] for point in records[0]["points"]))
    for axis, measure in zip(axes, measures, strict=True):
        sign = -1.0 if measure in BETTER_BELOW else 1.0
        curves = [_curves(record, measure) for record in records]
        for number, method in enumerate(methods):
            line = [_whole_mean(curves, method, budget) for budget in budgets]
            axis.plot(budgets, [sign * value for value in line], label=method, **_style(method, number))
        axis.set_xscale("log")
        axis.set_xticks(BUDGETS, [f"{budget:,}" for budget in BUDGETS])
        axis.minorticks_off()
        axis.set_xlabel("bytes a file")
        axis.set_title(MEASURES[measure] + (", less is better" if measure in BETTER_BELOW else ""))
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=7)
    figure.suptitle(f"{folder}, {len(records)} images of {SIDE}x{SIDE}; a line begins where all images get that small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _whole_mean(curves: list[dict[str, list[tuple[float, float]]]], method: str, budget: float) -> float:
    """NaN unless all images get that small."""
    return float(np.mean([at_bytes(curve.get(method, []), budget) for curve in curves]))


def _style(method: str, number: int) -> dict[str, Any]:
    styles: dict[str, Callable[[], dict[str, Any]]] = {
        "restored": lambda: {"linewidth": 2.2, "linestyle": "-"},
        "bicubic": lambda: {"linewidth": 1.0, "linestyle": ":"},
    }
    chosen = next((make() for word, make in styles.items() if word in method), {"linewidth": 1.4, "linestyle": "--"})
    return {"color": f"C{number % 10}", **chosen}


if __name__ == "__main__":
    main()
