"""The paper's Figures 2, 3 and 4, from the runs that Table 1 stands on.

    python scripts/reproduce/figures.py [--data FOLDER] [--page] [--tiny] [-o docs/figures]

Figure 2: inputs and outputs, on radiographs of PyPI pydicom-data that no model saw, since those of --data are not ours
to show. Needs the runs' weights, and trains those that are not there (scripts/reproduce/equal_budget.py).
Figure 3: the adversarial losses of ESRGAN and Real-ESRGAN over their second stages. Figure 4: their perceptual losses.
Both from the runs' logs; without the runs from those kept in docs/runs/table1, and then Figure 2 is left out.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import json
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from equal_budget import LOG, ROOT, RUNS, WEIGHTS, add_options, runs_folder, train
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image as Picture

from medsr_jax.errors import MedsrError
from medsr_jax.evaluation.baselines import enlarge
from medsr_jax.evaluation.metrics import psnr
from medsr_jax.evaluation.studies.records import write_section
from medsr_jax.evaluation.studies.sample_set import data_set
from medsr_jax.evaluation.studies.samples import radiograph, tiled
from medsr_jax.imaging import Image
from medsr_jax.restoration import Restorer
from medsr_jax.restoration.compilation import keep_compiled_programs
from medsr_jax.transmission import compress

KEPT_LOGS = ROOT / "docs" / "runs" / "table1"
GAMES = {"ESRGAN": "esrgan", "Real-ESRGAN": "realesrgan"}
SIDE, ZOOM = 512, 128
# Of pydicom-data, with the top left corner of what is shown enlarged.
PICTURES = {"RG1_UNCI.dcm": (150, 300), "RG3_UNCI.dcm": (240, 180)}
OUTPUTS = {
    "ESRGAN": ("esrgan", False),
    "Real-ESRGAN": ("realesrgan", False),
    "the paper's method": ("paper", False),
    "ours (xray-x4)": ("xray-x4", True),
}
TEST_OF = {"ESRGAN": "relativistic average", "Real-ESRGAN": "vanilla"}


def main() -> None:
    options = _options()
    made: list[str] = []
    options.out.mkdir(parents=True, exist_ok=True)
    if options.data.is_dir():
        train(_needed(), options)
        made.append(_draw_pictures(options))
    else:
        print("no Figure 2: it needs the runs, and they need --data", file=sys.stderr)
    logs = {title: _log(name, options) for title, name in GAMES.items()}
    made += [_draw_adversarial(logs, options.out), _draw_perceptual(logs, options.out)]
    if options.page:
        write_section("figures", _section(logs, made))


def _needed() -> list[str]:
    """The runs that the figures show, and those they begin with, in the order of training."""
    shown = {name for name, _ in OUTPUTS.values()} | set(GAMES.values())
    starts = {RUNS[name].start for name in shown & RUNS.keys()}
    return [name for name in RUNS if name in shown | starts]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("-o", "--out", type=pathlib.Path, help="folder of the figures [docs/figures, or out if tiny]")
    parser.add_argument("--page", action="store_true", help="write docs/results.md")
    chosen = parser.parse_args()
    chosen.data = data_set(chosen.data, tiny=chosen.tiny)
    chosen.out = chosen.out or (ROOT / "out" / "figures-tiny" if chosen.tiny else ROOT / "docs" / "figures")
    return chosen


def _log(name: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    fresh, kept = runs_folder(options) / name / LOG, KEPT_LOGS / f"{name}.jsonl"
    path = fresh if fresh.is_file() else kept
    if not path.is_file():
        sys.exit(f"{kept}: is not there; train the runs with --data")
    return [json.loads(line) for line in path.read_text().splitlines()]


def _series(log: list[dict[str, Any]], name: str) -> tuple[list[int], list[float]]:
    points = [(line["step"], line[name]) for line in log if name in line]
    steps, values = zip(*points, strict=True)
    return list(steps), list(values)


def _draw_adversarial(logs: Mapping[str, list[dict[str, Any]]], folder: pathlib.Path) -> str:
    figure, axes = _axes(3)
    for title, log in logs.items():
        axes[0].plot(*_series(log, "generator"), label=f"{title} ({TEST_OF[title]})")
        axes[1].plot(*_series(log, "discriminator"), label=title)
        axes[2].plot(*_series(log, "accuracy"), label=title)
    axes[0].set(title="adversarial loss of the generator", xlabel="step")
    axes[1].set(title="loss of the discriminator", xlabel="step")
    axes[2].set(title="discriminator right, share", xlabel="step", ylim=(0, 1))
    return _save(figure, folder / "figure-3.png")


def _draw_perceptual(logs: Mapping[str, list[dict[str, Any]]], folder: pathlib.Path) -> str:
    figure, axes = _axes(3)
    for title, log in logs.items():
        steps, values = _series(log, "perceptual")
        axes[0].plot(steps, values, label=title)
        axes[1].plot(steps, np.asarray(values) / np.mean(values[:3]), label=title)
        axes[2].plot(*_series(log, "lpips"), marker="o", label=title)
    reference = _series(next(iter(logs.values())), "lpips_bicubic")
    axes[2].plot(*reference, color="0.5", linestyle="--", label="bicubic")
    axes[0].set(title="perceptual loss, each on its own inputs", xlabel="step", yscale="log")
    axes[1].set(title="the same over its start", xlabel="step")
    axes[2].set(title="LPIPS on val, the same packets for both", xlabel="step")
    return _save(figure, folder / "figure-4.png")


def _axes(count: int) -> tuple[Figure, Any]:
    figure = Figure(figsize=(4.4 * count, 3.4), layout="constrained", dpi=100)
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, count)


def _save(figure: Figure, path: pathlib.Path) -> str:
    for axis in figure.axes:
        if axis.lines:
            axis.grid(alpha=0.3)
            axis.legend(fontsize=8)
    figure.savefig(path)
    print(path)
    return path.name


def _draw_pictures(options: argparse.Namespace) -> str:
    from pydicom.data import get_testdata_file

    keep_compiled_programs()
    try:
        restorers = {
            title: Restorer(str(runs_folder(options) / model / WEIGHTS if model in RUNS else model), refine=fitted)
            for title, (model, fitted) in OUTPUTS.items()
        }
    except MedsrError as error:
        sys.exit(str(error))
    found = {name: get_testdata_file(name, download=False) for name in PICTURES}
    rows = []
    for name, path in found.items():
        if path is None:
            print(f"no {name}: pip install pydicom-data", file=sys.stderr)
            continue
        truth = _of_side(radiograph(pathlib.Path(str(path))), side=SIDE)
        image = Image(pixels=truth[None], value_range=(0, 255), kind="png")
        packet = compress(image, scale=4, codec="jpeg", quality="auto", preprocess=False)
        small = packet.decode()[0]
        views = {"original": truth, "sent": small.repeat(4, 0).repeat(4, 1), "bicubic": enlarge(packet)[0]}
        views |= {title: restorer(packet).pixels[0] for title, restorer in restorers.items()}
        rows.append((name, packet.header.quality, views))
    if not rows:
        sys.exit("no pictures for Figure 2: pip install pydicom-data")
    return _draw_rows(rows, options.out / "figure-2.png")


def _of_side(image: np.ndarray, *, side: int) -> np.ndarray:
    """(side, side) uint8: the image shrunk until its shorter side is that long, as training images are; its centre."""
    rows, columns = (round(extent * side / min(image.shape)) for extent in image.shape)
    whole = Picture.fromarray(image).resize((columns, rows), Picture.Resampling.BOX)
    return tiled(np.asarray(whole), side=side)


def _draw_rows(rows: list[tuple[str, int, dict[str, np.ndarray]]], path: pathlib.Path) -> str:
    columns = len(rows[0][2])
    figure = Figure(figsize=(2.2 * columns, 4.9 * len(rows)), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.subplots(2 * len(rows), columns, squeeze=False)
    for number, (name, quality, views) in enumerate(rows):
        top, left = PICTURES[name]
        for column, (title, view) in enumerate(views.items()):
            whole, part = axes[2 * number, column], axes[2 * number + 1, column]
            for axis, shown in ((whole, view), (part, view[top : top + ZOOM, left : left + ZOOM])):
                axis.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
                axis.set_axis_off()
            caption = title if title != "sent" else f"sent, q {quality}"
            if title not in ("original", "sent"):
                value = psnr(view[None], views["original"][None], value_range=(0, 255))
                caption += f"\n{value:.2f} dB"
            whole.set_title(caption, fontsize=9)
    figure.savefig(path)
    print(path)
    return path.name


def _section(logs: Mapping[str, list[dict[str, Any]]], made: list[str]) -> str:
    captions = {
        "figure-2.png": "Figure 2: inputs and outputs. RG1 and RG3, radiographs from PyPI"
        " `pydicom-data` that no model saw, shrunk to 512 pixels, and 128x128 of each enlarged.",
        "figure-3.png": "Figure 3: adversarial losses of ESRGAN and Real-ESRGAN over their second stages.",
        "figure-4.png": "Figure 4: perceptual losses of the two. They weigh different layers of VGG16 on different"
        " inputs, so their sizes are not to be compared; LPIPS of both on the same packets is.",
    }
    pictures = "\n\n".join(f"![{captions[name].split(':')[0]}](figures/{name})\n\n*{captions[name]}*" for name in made)
    ends = []
    for title, log in logs.items():
        lpips, bicubic = (_series(log, name)[1][-1] for name in ("lpips", "lpips_bicubic"))
        accuracy = np.mean(_series(log, "accuracy")[1][-5:])
        ends.append(
            f"{title}: at its end the discriminator is right on {accuracy:.0%}, LPIPS is {lpips:.3f} (bicubic"
            f" {bicubic:.3f}) and PSNR {_series(log, 'gain')[1][-1]:+.2f} dB against bicubic, on 256x256 of val."
        )
    return "\n\n".join(
        [
            "## Figures 2, 3 and 4",
            "`python scripts/reproduce/figures.py --data DATA --page`; Figures 3 and 4 also without DATA, from the logs"
            " in `docs/runs/table1`.",
            pictures,
            *ends,
        ]
    )


if __name__ == "__main__":
    main()
