"""What measure/rate_distortion.py shows: tables in Markdown, and curves."""

from __future__ import annotations

import collections
import dataclasses
import math
import pathlib
from typing import Any

import numpy as np

from medsr_jax.evaluation.fidelity import BETTER_BELOW, MEASURES, Fidelity
from medsr_jax.evaluation.statistics import bootstrap
from medsr_jax.evaluation.studies.rate import at_bytes, bd_rate
from medsr_jax.evaluation.studies.records import Record

BUDGETS = (1000, 1250, 1740, 2500, 4000, 8000)
ANCHOR = "JPEG 2000"
LINK = ("/4 jpeg bicubic", "/4 jpeg restored")  # the paper's transport
BUDGET = 1740  # its bytes at q 60

Curves = dict[str, list[tuple[float, float]]]


def report(folder: str, records: list[Record], ruled: list[Record]) -> str:
    """Every measure at budgets of bytes, BD-rates, in a sentence where the paper's transport stands, and the rule's.

    Args:
        folder: for the heading.
        records: of all methods.
        ruled: of the sender's own choice at each budget, of the same images.
    """
    methods = list(dict.fromkeys(point["method"] for point in records[0]["points"]))
    parts = [f"### {folder}, {len(records)} images", _standing(records, methods)]
    for measure in (field.name for field in dataclasses.fields(Fidelity)):
        curves = [_curves(record, measure) for record in records]
        if not any(curves):
            continue
        less = ", less is better" if measure in BETTER_BELOW else ""
        lines = [f"| {MEASURES[measure]}{less} | " + " | ".join(f"{budget:,} bytes" for budget in BUDGETS) + " |"]
        lines.append("|-" * (len(BUDGETS) + 1) + "|")
        for method in methods:
            cells = [_cell(_at(curves, method, budget, measure), measure) for budget in BUDGETS]
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    parts += [_rates(records, methods), _rule(records, ruled, methods)]
    return "\n\n".join(parts)


def _standing(records: list[Record], methods: list[str]) -> str:
    curves = [_curves(record, "psnr") for record in records]
    whole = {method: float(np.mean(_at(curves, method, BUDGET, "psnr"))) for method in methods}
    whole = {method: value for method, value in whole.items() if math.isfinite(value)}
    ours = [method for method in LINK if method in whole]
    if not ours:
        return f"Not all images get down to {BUDGET:,} bytes by the paper's transport with the settings measured."
    best = max(whole, key=lambda method: whole[method])
    listed = ", ".join(f"{method} {whole[method]:.2f} dB" for method in sorted(whole, key=whole.__getitem__)[::-1])
    standing = f"At {BUDGET:,} bytes {best} is best with {whole[best]:.2f} dB"
    if best not in LINK:
        behind = whole[best] - whole[ours[-1]]
        standing += f", and the paper's transport (JPEG at scale 4) {behind:.2f} dB behind it even when restored"
    return f"{standing}. All that every image can be had as in that many: {listed}."


def _rates(records: list[Record], methods: list[str]) -> str:
    measures = ("psnr", "ssim") + (("lpips",) if any(_curves(records[0], "lpips")) else ())
    lines = [
        f"Bytes at equal fidelity against {ANCHOR} at full resolution (Bjontegaard), percent; less is better:\n",
        "| | " + " | ".join(MEASURES[measure] for measure in measures) + " |",
        "|-" * (len(measures) + 1) + "|",
    ]
    for method in (method for method in methods if method != ANCHOR):
        cells = []
        for measure in measures:
            pairs = [_curves(record, measure) for record in records]
            mean = bootstrap([bd_rate(curve.get(method, []), curve.get(ANCHOR, [])) for curve in pairs])
            shared = "" if mean.count == len(records) else f" ({mean.count}/{len(records)})"
            cells.append(f"{mean.value:+.1f} [{mean.low:+.1f}, {mean.high:+.1f}]{shared}" if mean.count else "-")
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _rule(records: list[Record], ruled: list[Record], methods: list[str]) -> str:
    """The sender's own choice at each budget beside the method that is best there on all images."""
    curves = [_curves(record, "psnr") for record in records]
    lines = [
        "What `medsr compress --max-bytes` chooses, what the receiver makes of it, and the best single method above:\n",
        "| | chosen | bytes | PSNR, dB | best method | PSNR, dB |",
        "|-|-|-|-|-|-|",
    ]
    for budget in BUDGETS:
        points = [point for record in ruled for point in record["points"] if point["budget"] == budget]
        means = {method: float(np.mean(_at(curves, method, budget, "psnr"))) for method in methods}
        means = {method: value for method, value in means.items() if math.isfinite(value)}
        if not points or not means:
            continue
        choices = collections.Counter(point["choice"] for point in points)
        chosen = ", ".join(f"{choice}: {count}" for choice, count in choices.most_common())
        size, fidelity = (float(np.mean([point[key] for point in points])) for key in ("bytes", "psnr"))
        best = max(means, key=lambda method: means[method])
        lines.append(f"| {budget:,} bytes | {chosen} | {size:,.0f} | {fidelity:.2f} | {best} | {means[best]:.2f} |")
    return "\n".join(lines)


def _curves(record: Record, measure: str) -> Curves:
    """(bytes, fidelity) by method; fidelity is turned so that more is better."""
    sign = -1.0 if measure in BETTER_BELOW else 1.0
    curves: Curves = {}
    for point in record["points"]:
        if math.isfinite(point[measure]):
            curves.setdefault(point["method"], []).append((point["bytes"], sign * point[measure]))
    return curves


def _at(curves: list[Curves], method: str, budget: float, measure: str) -> list[float]:
    """The measure of each image at a budget; NaN where it does not get that small."""
    sign = -1.0 if measure in BETTER_BELOW else 1.0
    return [sign * at_bytes(curve.get(method, []), budget) for curve in curves]


def _cell(values: list[float], measure: str) -> str:
    reached = [value for value in values if math.isfinite(value)]
    if not reached:
        return "-"
    share = "" if len(reached) == len(values) else f" ({len(reached)}/{len(values)})"
    return f"{np.mean(reached):.{2 if measure == 'psnr' else 3}f}{share}"


def draw(path: pathlib.Path, folder: str, records: list[Record]) -> None:
    """Mean curves over bytes, from where all images get that small."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    measures = [measure for measure in ("psnr", "ssim", "lpips") if any(_curves(records[0], measure))]
    figure = Figure(figsize=(4.8 * len(measures) + 1.6, 4.6), layout="constrained", dpi=90)
    FigureCanvasAgg(figure)
    axes = np.atleast_1d(figure.subplots(1, len(measures)))
    budgets = np.geomspace(700, 12_000, 60)
    methods = list(dict.fromkeys(point["method"] for point in records[0]["points"]))
    for axis, measure in zip(axes, measures, strict=True):
        curves = [_curves(record, measure) for record in records]
        for number, method in enumerate(methods):
            line = [float(np.mean(_at(curves, method, budget, measure))) for budget in budgets]
            axis.plot(budgets, line, label=method, **_style(method, number))
        axis.set_xscale("log")
        axis.set_xticks(BUDGETS, [f"{budget:,}" for budget in BUDGETS], fontsize=7)
        axis.minorticks_off()
        axis.set_xlabel("bytes a file")
        axis.set_title(MEASURES[measure] + (", less is better" if measure in BETTER_BELOW else ""))
        axis.grid(alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    figure.suptitle(f"{folder}, {len(records)} images; a line begins where all images get that small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _style(method: str, number: int) -> dict[str, Any]:
    styles = {"restored": {"linewidth": 2.2, "linestyle": "-"}, "bicubic": {"linewidth": 1.0, "linestyle": ":"}}
    chosen = next((style for word, style in styles.items() if word in method), {"linewidth": 1.4, "linestyle": "--"})
    return {"color": f"C{number % 10}", **chosen}
