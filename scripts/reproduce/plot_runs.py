"""Draw the curves of training runs from their logs.

    python scripts/reproduce/plot_runs.py [RUN_OR_LOG...] [-o FIGURE.png] [--title TEXT]

Each argument is a run's folder or its metrics.jsonl; without any, the logs that are kept of Table 1's GANs. Panels:
losses of the generator and of the discriminator, and what validation measured. A log is a line of JSON for each record,
and can be kept without its run.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import json
import pathlib
import sys
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

KEPT_LOGS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "runs" / "table1"
# Names of a log, by panel; those that no run has are left out, and so are panels without any.
PANELS: dict[str, tuple[str, ...]] = {
    "pixel loss": ("pixel",),
    "perceptual loss": ("perceptual",),
    "the game": ("generator", "discriminator"),
    "discriminator right": ("accuracy",),
    "validation PSNR, dB": ("psnr", "psnr_bicubic"),
    "validation LPIPS": ("lpips", "lpips_bicubic"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=pathlib.Path, nargs="*", default=sorted(KEPT_LOGS.glob("*esrgan.jsonl")))
    parser.add_argument("-o", "--out", type=pathlib.Path, default=pathlib.Path("out/runs.png"))
    parser.add_argument("--title", default="")
    parser.add_argument("--tiny", action="store_true", help="only the first run, to see that it works")
    options = parser.parse_args()
    options.runs = options.runs[:1] if options.tiny else options.runs
    logs = {_name(run): _read(run) for run in options.runs}
    panels = {title: names for title, names in PANELS.items() if any(_has(log, names) for log in logs.values())}
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.2 * columns, 3.0 * rows), squeeze=False)
    for axis, (title, names) in zip(axes.flat, panels.items(), strict=False):
        for run, log in logs.items():
            for name in names:
                _draw(axis, log, name, label=f"{run}: {name}" if len(logs) > 1 else name)
        axis.set(title=title, xlabel="step")
        axis.legend(fontsize=7)
        axis.grid(alpha=0.3)
    for axis in axes.flat[len(panels) :]:
        axis.remove()
    figure.suptitle(options.title)
    figure.tight_layout()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(options.out, dpi=110)
    print(options.out)


def _read(run: pathlib.Path) -> list[dict[str, Any]]:
    path = run / "metrics.jsonl" if run.is_dir() else run
    try:
        return [json.loads(line) for line in path.read_text().splitlines()]
    except (OSError, ValueError) as error:
        sys.exit(f"{path}: is no log of a run ({error})")


def _name(run: pathlib.Path) -> str:
    return run.name if run.is_dir() else run.stem


def _has(log: list[dict[str, Any]], names: tuple[str, ...]) -> bool:
    return any(name in line for line in log for name in names)


def _draw(axis: Any, log: list[dict[str, Any]], name: str, *, label: str) -> None:
    points = [(line["step"], line[name]) for line in log if name in line]
    if points:
        axis.plot(*zip(*points, strict=True), label=label, linestyle="--" if name.endswith("bicubic") else "-")


if __name__ == "__main__":
    main()
