"""Reads the images out of a picture that `evaluation.pictures.side_by_side` drew."""

from __future__ import annotations

import pathlib

import numpy as np
from PIL import Image as PillowImage

Panel = np.ndarray


def read_panels(path: pathlib.Path) -> tuple[list[Panel], list[Panel]]:
    """(rows, columns, 3) float of the four whole images and of the four details, cut out at their black frames."""
    with PillowImage.open(path) as file:
        drawn = np.asarray(file.convert("RGB")).astype(float)
    black = (drawn.max(-1) < 60).astype(int)
    wholes, details = (_row(drawn, lines, up=up) for lines, up in ((black, False), (black[::-1], True)))
    return wholes, details


def _row(drawn: np.ndarray, black: np.ndarray, *, up: bool) -> list[Panel]:
    """The four images of the upper row, or of the lower one: below a frame's first line, or above its last."""
    first, runs = next((y, runs) for y, row in enumerate(black) if len(runs := _runs(row, least=len(row) // 6)) == 4)
    left = runs[0][0]
    # The frame's left side goes to its other end.
    height = int(np.argmin(black[first:, left]))
    top, end = (len(black) - first - height, len(black) - first) if up else (first, first + height)
    return [drawn[top + 3 : end - 3, start + 3 : stop - 3] for start, stop in runs]


def likeness(panel: Panel, pixels: np.ndarray) -> float:
    """Correlation of a drawn image with the pixels that it should show, enlarged to its size."""
    grey = panel.mean(-1)
    rows, columns = (np.arange(size) * side // size for size, side in zip(grey.shape, pixels.shape, strict=True))
    return float(np.corrcoef(grey.ravel(), pixels[np.ix_(rows, columns)].astype(float).ravel())[0, 1])


def _runs(row: np.ndarray, *, least: int) -> list[tuple[int, int]]:
    """(start, end) of each run of ones that is long enough."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row, [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= least]
