"""What measure/lesions.py shows: a table in Markdown, and a figure."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Row = dict[str, Any]


def table(rows: Sequence[Row]) -> str:
    """A line a lesion and method."""
    lines = [
        f"| {row['lesion']} | {row['method']} | {row['contrast']:.0%} | {row['cnr']:.2f}"
        f" | {_interval(row['matched'])} | {_interval(row['hotelling'])} | {row['area']:.3f} |"
        for row in rows
    ]
    heads = (
        "",
        "",
        "contrast left",
        "contrast to noise",
        "d', matched filter",
        "d', Hotelling",
        "area under the curve",
    )
    return "\n".join([f"| {' | '.join(heads)} |", "|-" * len(heads) + "|", *lines])


def blob_table(blobs: Mapping[str, Mapping[str, float]], *, methods: Sequence[str]) -> str:
    """Blobs that a method adds, for each million pixels: a line a lesion."""
    columns = [method for method in methods if all(method in found for found in blobs.values())]
    lines = [f"| blobs of | {' | '.join(columns)} |", "|-" * (len(columns) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(f'{found[m]:.0f}' for m in columns)} |" for name, found in blobs.items()]
    return "\n".join(lines)


def blend_table(rows: Sequence[Row]) -> str:
    """A line a weight of restored: PSNR over bicubic, and d' by diameter."""
    sizes = [name for name in rows[0] if name not in ("weight", "gain")]
    lines = [f"| w | PSNR less bicubic's, dB | d', {' | '.join(sizes)} |"]
    lines += ["|-" * (len(sizes) + 2) + "|"]
    lines += [
        f"| {row['weight']:g} | {row['gain']:+.2f} | {' | '.join(f'{row[name]:.2f}' for name in sizes)} |"
        for row in rows
    ]
    return "\n".join(lines)


def section(about: str, rows: Sequence[Row], *, blobs: str, blend: Sequence[Row], command: str) -> str:
    """For the page of results."""
    return f"""
## Small lesions

`{command}`. {about}.

Synthetic masses and balls of known diameter and contrast, of 255 levels, in real chest radiographs of 512x512, where a
pixel is about 0.7 mm of a 35 cm detector; cut out at known places and looked for by model observers: a
non-prewhitening matched filter and a channelised Hotelling observer, trained on other images than those they judge. A
d' of 1 is 76 % of pairs told apart, of 2 is 92 %. "small" is what shrinking alone costs; JPEG 2000 and AVIF have the
bytes of the packet, and "budget" is what the sender makes of as many (`--max-bytes`). Intervals are of whole images
drawn anew. This is what is lost at scale 4, and no reader was asked.

{_losses(rows)}

{table(rows)}

![Detectability and contrast of lesions](figures/lesions.png)

Blobs of a lesion's size, and of half its contrast or more, that a method adds to places without lesions, for each
million pixels: extrema of a difference of Gaussians without a counterpart in the original.

{blobs}
{_mixtures(blend)}"""


def _mixtures(blend: Sequence[Row]) -> str:
    if not blend:
        return ""
    return f"""
Mixtures of both enlargements, bicubic + w (restored - bicubic):

{blend_table(blend)}

![Detectability against PSNR of mixtures](figures/lesions-blend.png)
"""


def _losses(rows: Sequence[Row]) -> str:
    """Which lesions an observer that tells 9 of 10 pairs apart in the originals finds after the link."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        found.setdefault(row["lesion"], {})[row["method"]] = row["area"]
    sentences = [
        f"{lesion}: {areas['original']:.2f} in the original, {areas['bicubic']:.2f} in bicubic,"
        f" {areas['restored']:.2f} in restored images"
        for lesion, areas in found.items()
        if areas["original"] >= 0.9
    ]
    return "Share of pairs told apart, of lesions that are told apart in nine of ten originals:\n\n- " + "\n- ".join(
        sentences or ["none is"]
    )


def _interval(values: tuple[float, float, float]) -> str:
    return f"{values[0]:.2f} [{values[1]:.2f}, {values[2]:.2f}]"


def draw_blend(path: pathlib.Path, rows: Sequence[Row]) -> None:
    """Detectability against PSNR, a curve a diameter, a point a weight."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained", dpi=90)
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    for name in [name for name in rows[0] if name not in ("weight", "gain")]:
        axis.plot([row["gain"] for row in rows], [row[name] for row in rows], "o-", ms=4, label=name)
    for row in rows:
        highest = max(value for name, value in row.items() if name.endswith("px"))
        axis.annotate(f"w {row['weight']:g}", (row["gain"], highest), (3, 4), textcoords="offset points", fontsize=8)
    axis.margins(x=0.1, y=0.1)
    axis.set_xlabel("PSNR less bicubic's, dB")
    axis.set_ylabel("d' of a channelised Hotelling observer")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def draw(path: pathlib.Path, rows: Sequence[Row], *, images: int, methods: Sequence[str]) -> None:
    """Detectability with its intervals, and contrast, by lesion."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.8), layout="constrained", dpi=90)
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    names = list(dict.fromkeys(row["lesion"] for row in rows))
    for number, method in enumerate(methods):
        chosen = [row for row in rows if row["method"] == method]
        at = np.arange(len(names)) + (number - (len(methods) - 1) / 2) * 0.12
        values = np.array([row["hotelling"] for row in chosen])
        left.errorbar(at, values[:, 0], np.abs(values[:, 1:] - values[:, :1]).T, fmt="o", ms=4, label=method)
        right.plot(at, [100 * row["contrast"] for row in chosen], "o", ms=4, label=method)
    for axis, title in ((left, "d' of a channelised Hotelling observer"), (right, "contrast that is left, %")):
        axis.set_xticks(np.arange(len(names)), [name.replace(", ", "\n") for name in names], fontsize=8)
        axis.set_title(title)
        axis.grid(alpha=0.3, axis="y")
    left.set_yscale("log")
    left.legend(fontsize=8)
    figure.suptitle(f"Synthetic lesions in {images} chest radiographs, all methods in the bytes of one packet")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
