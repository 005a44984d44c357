"""Lesions of known size and contrast in real images, to see what a link leaves of them.

The profile is that of Burgess, Jacobson, Judy (Medical Physics 28, 2001, 419-437, 'designer nodules'):

    s(r) = C (1 - (r / R)^2)^v  for r < R, else 0.

v = 1.5 is their soft-edged mass; v = 0.5 is the projection of a ball of one attenuation, which stands for a
calcification. Radiographs store about the logarithm of the exposure, so that a lesion's attenuation adds to the values.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np

MASS, BALL = 1.5, 0.5

# Pixels are averages: a lesion of a few pixels is drawn finer and averaged.
_FINER = 8


@dataclasses.dataclass(frozen=True)
class Lesion:
    """What is inserted.

    Attributes:
        diameter: 2 R, in pixels.
        contrast: C, in stored values; negative where a lesion is darker (inverted images).
        exponent: v.
    """

    diameter: float
    contrast: float
    exponent: float

    def profile(self) -> np.ndarray:
        """(side, side) float64 stored values to add, side odd and the lesion in the middle of it."""
        radius = self.diameter / 2
        half = int(np.ceil(radius))
        side = 2 * half + 1
        at = (np.arange(side * _FINER) + 0.5) / _FINER - side / 2
        inside = np.maximum(1.0 - (at[:, None] ** 2 + at[None] ** 2) / radius**2, 0.0)
        fine = np.where(inside > 0, inside**self.exponent, 0.0)
        result: np.ndarray = self.contrast * fine.reshape(side, _FINER, side, _FINER).mean((1, 3))
        return result


def places(
    pixels: np.ndarray, *, spacing: int, margin: int, levels: tuple[float, float], seed: int
) -> list[tuple[int, int]]:
    """Where lesions may lie: the points of a jittered grid whose surroundings are tissue.

    Args:
        pixels: (rows, columns) stored values.
        spacing: of the grid, in pixels. Neighbours are half of it apart at least, so that lesions do not meet.
        margin: pixels kept free at the image's edge.
        levels: a place's surroundings, ``margin`` pixels on each side, have values of this span, so that there is room
            for a lesion's contrast and no label or collimator nearby.
        seed: of the jitter.

    Returns:
        (row, column) of each place.
    """
    random = np.random.default_rng(seed)
    rows, columns = pixels.shape
    grid = itertools.product(range(margin, rows - margin, spacing), range(margin, columns - margin, spacing))
    found = []
    for row, column in grid:
        row, column = (
            int(min(at + random.integers(spacing // 2), extent - margin - 1))
            for at, extent in ((row, rows), (column, columns))
        )
        around = pixels[row - margin : row + margin + 1, column - margin : column + margin + 1]
        if levels[0] <= around.min() and around.max() <= levels[1]:
            found.append((row, column))
    return found


def insert(pixels: np.ndarray, lesion: Lesion, where: list[tuple[int, int]]) -> np.ndarray:
    """A copy of an image with the lesion at each place, rounded to its stored type.

    Args:
        pixels: (rows, columns) of an integer type.
        where: (row, column) of each centre, the lesion's radius from the edge at least.

    Raises:
        ValueError: a lesion would reach over the edge.
    """
    profile = lesion.profile()
    half = profile.shape[0] // 2
    values = pixels.astype(np.float64)
    for row, column in where:
        if min(row, column) < half or row + half >= pixels.shape[0] or column + half >= pixels.shape[1]:
            raise ValueError(f"a lesion at {row}, {column} reaches over the edge of {pixels.shape}")
        values[row - half : row + half + 1, column - half : column + half + 1] += profile
    limits = np.iinfo(pixels.dtype)
    return np.clip(np.rint(values), limits.min, limits.max).astype(pixels.dtype)


def patches(pixels: np.ndarray, where: list[tuple[int, int]], *, half: int) -> np.ndarray:
    """(places, 2 half + 1, 2 half + 1) float64 surroundings of each place."""
    return np.stack(
        [pixels[row - half : row + half + 1, column - half : column + half + 1] for row, column in where]
    ).astype(np.float64)
