"""A report of an evaluation: one HTML page that opens from disk, a CSV table, and the pictures it shows.

The page needs no network and no server. Each image has its original, bicubic and restored pictures side by side at full
size, with a lens that follows the pointer over all three.
"""

from __future__ import annotations

import dataclasses
import hashlib
import html
import math
import os
import pathlib
import urllib.parse
from collections.abc import Mapping, Sequence

import numpy as np

from medsr_jax.evaluation.fidelity import BETTER_BELOW, MEASURES, Fidelity
from medsr_jax.evaluation.link import Measured
from medsr_jax.evaluation.statistics import Mean, bootstrap
from medsr_jax.files import atomic_write
from medsr_jax.imaging import Image, write_image
from medsr_jax.tables import csv_bytes
from medsr_jax.text import visible
from medsr_jax.transmission.ceilings import ratio_label, ratio_text
from medsr_jax.transmission.mapping import to_codes

PAGE, TABLE = "index.html", "images.csv"
PICTURES = "pictures"
# File systems take 255 bytes, of which "-original.png" needs some.
_LONGEST_NAME = 240
_VIEWS = ("original", "bicubic", "restored")


@dataclasses.dataclass(frozen=True)
class Row:
    """One image of the report.

    Attributes:
        name: its path below the folder that was evaluated.
        sent_bytes, ratio, scale, codec, quality: of its packet.
        model: what restored it.
        bicubic, restored: how near each came to the original.
        pictures: paths below the report's folder, in the order original, bicubic, restored.
        agreement: of the restored image with its packet, in words.
        violation, departure: the same in numbers (`Restored`).
    """

    name: str
    sent_bytes: int
    ratio: float
    scale: int
    codec: str
    quality: int
    model: str
    bicubic: Fidelity
    restored: Fidelity
    pictures: tuple[str, ...] = ()
    agreement: str = ""
    violation: float | None = None
    departure: float | None = None


def write_pictures(folder: pathlib.Path, stem: str, image: Image, measured: Measured) -> tuple[str, ...]:
    """The first frame of original, bicubic and restored as 8-bit PNG, all through one window.

    Args:
        folder: of the report.
        stem: path below it, without suffix, that no other image has.
        image: the original.
        measured: what `link.measure` returned for it.

    Returns:
        Paths below ``folder``.

    Raises:
        MedsrError: they can't be written.
    """
    low, high = (float(end) for end in np.percentile(image.pixels[0], (0.1, 99.9)))
    high = max(high, low + 1e-6)
    paths = []
    for view, pixels in zip(_VIEWS, (image.pixels, measured.bicubic, measured.restored.pixels), strict=True):
        codes = to_codes(pixels[0], low=low, high=high, levels=255)
        shown = 255 - codes if image.inverted else codes
        path = pathlib.PurePosixPath(PICTURES, f"{_short(stem)}-{view}.png")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        write_image(target, Image(pixels=shown[None], value_range=(0, 255), kind="png"))
        paths.append(str(path))
    return tuple(paths)


def _short(stem: str) -> str:
    """The path with a digest in place of the end of a name that leaves no room for what is added to it."""
    path = pathlib.PurePosixPath(stem)
    name = os.fsencode(path.name)
    if len(name) <= _LONGEST_NAME:
        return stem
    digest = hashlib.sha256(name).hexdigest()[:16]
    return str(path.with_name(f"{name[: _LONGEST_NAME - 17].decode(errors='ignore')}-{digest}"))


def write_table(path: pathlib.Path, rows: Sequence[Row]) -> None:
    """All figures of all images as CSV, a column a measure and method."""
    measures = [field.name for field in dataclasses.fields(Fidelity)]
    heads = [f"{measure}_{method}" for measure in measures for method in ("bicubic", "restored")]
    table: list[list[object]] = [
        ["image", "bytes", "ratio", "scale", "codec", "quality", "model", *heads, "violation", "departure"]
    ]
    for row in rows:
        values = [getattr(result, measure) for measure in measures for result in (row.bicubic, row.restored)]
        sent = [row.sent_bytes, f"{row.ratio:.2f}", row.scale, row.codec, row.quality, row.model]
        agrees = ("" if value is None else f"{value:.6g}" for value in (row.violation, row.departure))
        table.append([row.name, *sent, *(f"{v:.6g}" for v in values), *agrees])
    atomic_write(path, csv_bytes(table))


def write_page(path: pathlib.Path, rows: Sequence[Row], *, title: str, settings: Mapping[str, str]) -> None:
    """The HTML page.

    Args:
        path: in the folder that the rows' pictures are below.
        rows: at least one.
        title: heads the page.
        settings: what was done, by name.
    """
    ratio = ratio_label(*(row.ratio for row in rows))
    body = [
        f"<h1>{_shown(title)}</h1>",
        f"<p class=warning>Ratio {_shown(ratio)}. Not for primary diagnosis.</p>",
        "<dl>" + "".join(f"<dt>{_shown(k)}</dt><dd>{_shown(v)}</dd>" for k, v in settings.items()) + "</dl>",
        _summary(rows),
        "<h2>Images</h2><p>Point at a picture to enlarge the same place of all three.</p>",
        *(_section(row) for row in rows),
    ]
    head, foot = _PAGE.split("BODY\n")
    page = "\n".join([head.replace("TITLE", _shown(title)).rstrip("\n"), *body, foot])
    atomic_write(path, page.encode("utf-8", "backslashreplace"))


def _shown(text: str) -> str:
    """Text from outside, as HTML that shows it and does nothing else."""
    return html.escape(visible(text))


def compared(rows: Sequence[Row]) -> dict[str, tuple[Mean, Mean, Mean]]:
    """Means over images by measure: of bicubic, of restored, and of the paired difference, restored less bicubic."""
    result = {}
    for measure in MEASURES:
        pairs = [(getattr(row.bicubic, measure), getattr(row.restored, measure)) for row in rows]
        if any(math.isfinite(value) for pair in pairs for value in pair):
            bicubic, restored = zip(*pairs, strict=True)
            differences = [ours - theirs for theirs, ours in pairs]
            result[measure] = (bootstrap(bicubic), bootstrap(restored), bootstrap(differences))
    return result


def _summary(rows: Sequence[Row]) -> str:
    cells = []
    for measure, means in compared(rows).items():
        digits = 2 if measure == "psnr" else 4
        better = "less" if measure in BETTER_BELOW else "more"
        values = "".join(f"<td>{_interval(mean, digits, signed=mean is means[2])}</td>" for mean in means)
        cells.append(f"<tr><th>{_shown(MEASURES[measure])} <small>({better} is better)</small></th>{values}</tr>")
    size = float(np.mean([row.sent_bytes for row in rows]))
    plural = "image" if len(rows) == 1 else "images"
    return (
        f"<h2>{len(rows)} {plural}, {size:,.0f} bytes on average</h2><table><tr><th></th><th>bicubic</th><th>restored"
        f"</th><th>restored less bicubic, paired</th></tr>{''.join(cells)}</table>"
        "<p><small>Means over images, with 95 % bootstrap intervals where there are two or more.</small></p>"
    )


def _interval(mean: Mean, digits: int, *, signed: bool) -> str:
    form = f"{'+' if signed else ''}.{digits}f"
    if not mean.count:
        return "-"
    return f"{mean.value:{form}}" + (f" [{mean.low:{form}}, {mean.high:{form}}]" if mean.count > 1 else "")


def _section(row: Row) -> str:
    figures = []
    values = dict(zip(_VIEWS, (None, row.bicubic, row.restored), strict=True))
    for view, picture in zip(_VIEWS, row.pictures, strict=False):
        result = values[view]
        caption = view
        if result is not None:
            caption += f": {result.psnr:.2f} dB, SSIM {result.ssim:.3f}"
            caption += f", LPIPS {result.lpips:.3f}" if math.isfinite(result.lpips) else ""
        source = html.escape(urllib.parse.quote(os.fsencode(picture)))
        figures.append(
            f'<figure><a href="{source}"><img src="{source}" loading="lazy" alt="{view}"></a>'
            f"<div class=lens></div><figcaption>{_shown(caption)}</figcaption></figure>"
        )
    about = f"{row.sent_bytes:,} bytes, {ratio_text(row.ratio)}, 1/{row.scale} of the side, {row.codec} q {row.quality}"
    about += f"; {row.agreement}" if row.agreement else ""
    return (
        f"<section><h3>{_shown(row.name)} <small>{about}</small></h3>"
        f"<div class=views>{''.join(figures)}</div></section>"
    )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>TITLE</title>
<style>
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 1500px; padding: 0 1em; color: #222 }
.warning { background: #fff3d6; border-left: 4px solid #e0a000; padding: .6em 1em }
dl { display: grid; grid-template-columns: max-content auto; gap: .1em 1em } dt { color: #666 } dd { margin: 0 }
table { border-collapse: collapse } td, th { padding: .25em .8em; border-bottom: 1px solid #ddd; text-align: right }
th:first-child { text-align: left } small { color: #666; font-weight: normal }
.views { display: flex; gap: 6px } figure { margin: 0; flex: 1; position: relative; min-width: 0 }
img { width: 100%; display: block } figcaption { font-size: 13px; padding: .2em 0 }
.lens { position: absolute; display: none; width: 44%; aspect-ratio: 1; border: 2px solid #f0a000; right: 4px; top: 4px;
  background-repeat: no-repeat; image-rendering: pixelated; pointer-events: none }
</style></head><body>
BODY
<script>
const zoom = 4;
for (const views of document.querySelectorAll('.views')) {
  const all = [...views.querySelectorAll('figure')];
  views.addEventListener('pointermove', event => {
    const over = event.target.closest('figure');
    if (!over) return;
    const box = over.querySelector('img').getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height;
    if (x < 0 || x > 1 || y < 0 || y > 1) return;
    for (const figure of all) {
      const img = figure.querySelector('img'), lens = figure.querySelector('.lens');
      const width = img.naturalWidth * zoom, height = img.naturalHeight * zoom;
      lens.style.display = 'block';
      lens.style.left = x > .5 ? '4px' : 'auto';
      lens.style.right = x > .5 ? 'auto' : '4px';
      lens.style.backgroundImage = `url("${img.src}")`;
      lens.style.backgroundSize = `${width}px ${height}px`;
      lens.style.backgroundPosition =
        `${lens.clientWidth / 2 - x * width}px ${lens.clientHeight / 2 - y * height}px`;
    }
  });
  views.addEventListener('pointerleave', () => {
    for (const figure of all) figure.querySelector('.lens').style.display = 'none';
  });
}
</script></body></html>
"""
