"""Pictures of results for a reader's eye, drawn with Matplotlib."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence

import numpy as np

from medsr_jax.evaluation.baselines import enlarge
from medsr_jax.evaluation.link import Measured
from medsr_jax.files import atomic_write
from medsr_jax.imaging import Image
from medsr_jax.transmission.ceilings import ratio_text


def side_by_side(
    path: str | os.PathLike[str], image: Image, measured: Measured, *, zoom: tuple[int, int, int], title: str = ""
) -> None:
    """Original, what was sent (enlarged), bicubic and restored, with a detail of each below.

    Args:
        path: of the PNG to write.
        image: the original; its first frame is drawn.
        measured: what `link.measure` returned for it.
        zoom: top row, left column and side of the detail, in pixels of the original.
        title: drawn above.
    """
    header = measured.packet.header
    rows, columns = header.small_shape
    panels = [
        ("original", image.pixels),
        (
            f"sent: {columns}x{rows}, {measured.sent_bytes:,} bytes, {ratio_text(measured.ratio)}",
            enlarge(measured.packet, method="nearest"),
        ),
        (f"bicubic: {measured.psnr_bicubic:.2f} dB, SSIM {measured.ssim_bicubic:.3f}", measured.bicubic),
        (f"restored: {measured.psnr:.2f} dB, SSIM {measured.ssim:.3f}", measured.restored.pixels),
    ]
    draw(path, image, panels, zoom=zoom, title=title)


def draw(
    path: str | os.PathLike[str],
    image: Image,
    panels: Sequence[tuple[str, np.ndarray]],
    *,
    zoom: tuple[int, int, int],
    title: str = "",
) -> None:
    """Versions of an image in a row, with a detail of each below.

    Args:
        path: of the PNG to write.
        image: the original, whose values set the window.
        panels: of each version its caption and its pixels, (frames, rows, columns), of which the first is drawn.
        zoom: top row, left column and side of the detail, in pixels of the original.
        title: drawn above.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    low, high = np.percentile(image.pixels[0], [0.5, 99.5])
    shown = {
        "cmap": "gray_r" if image.inverted else "gray",
        "vmin": low,
        "vmax": max(high, low + 1),
        "interpolation": "nearest",
    }
    aspect = image.pixels.shape[1] / image.pixels.shape[2]
    figure = Figure(figsize=(3.5 * len(panels), 3.5 * (aspect + 1) + 0.7), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(panels), gridspec_kw={"height_ratios": [aspect, 1]})
    top, left, side = zoom
    for (name, pixels), whole, detail in zip(panels, axes[0], axes[1], strict=True):
        whole.imshow(pixels[0], **shown)
        whole.set_title(name, fontsize=10)
        whole.add_patch(Rectangle((left, top), side, side, fill=False, edgecolor="#f0a000", linewidth=1.2))
        detail.imshow(pixels[0][top : top + side, left : left + side], **shown)
        for axis in (whole, detail):
            axis.set_xticks([])
            axis.set_yticks([])
    if title:
        figure.suptitle(title, fontsize=11)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    atomic_write(path, buffer.getvalue())


def busiest_square(pixels: np.ndarray, *, side: int) -> tuple[int, int, int]:
    """(top, left, side) of the square with the strongest mean gradient, away from the edge: a detail worth a zoom."""
    rows, columns = pixels.shape
    side = min(side, rows, columns)
    gradient = (
        np.abs(np.diff(pixels.astype(np.float32), axis=0))[:, :-1]
        + np.abs(np.diff(pixels.astype(np.float32), axis=1))[:-1]
    )
    # Labels burnt into the image have steps far above any tissue's.
    gradient = np.minimum(gradient, np.percentile(gradient, 99))
    total = np.pad(gradient.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    margin_r, margin_c = rows // 8, columns // 8
    best = (-1.0, 0, 0)
    for top in range(margin_r, max(rows - side - margin_r, margin_r + 1), 16):
        for left in range(margin_c, max(columns - side - margin_c, margin_c + 1), 16):
            bottom, right = min(top + side, rows - 1), min(left + side, columns - 1)
            value = total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left]
            best = max(best, (float(value), top, left))
    return min(best[1], rows - side), min(best[2], columns - side), side
