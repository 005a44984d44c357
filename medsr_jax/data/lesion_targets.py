"""Synthetic lesions in training targets, so that a generator also learns from small faint details to keep.

Contrast falls with the diameter as the lesions of scripts/measure/lesions.py do, both signs are equally frequent, since
images may be inverted, and three lesions of four are soft-edged masses.
"""

from __future__ import annotations

import numpy as np

from medsr_jax.imaging.lesions import BALL, MASS, Lesion

COUNT = (1, 6)
DIAMETERS = (2.0, 32.0)  # pixels
CONTRAST = 96.0  # times pixels: the mean peak contrast is this over the diameter
FACTORS = (0.4, 1.6)  # on the mean peak contrast
MASSES = 0.75  # share

# Lesions have random numbers of their own: a share of them leaves all other draws of a pair as they were.
_STREAM = 1


def with_lesions(target: np.ndarray, *, share: float, seed: int, index: int) -> np.ndarray:
    """A target with lesions for a share of the pairs, else the target itself.

    Args:
        target: (rows, columns) uint8 levels.
        share: of pairs with lesions, 0 to 1; 0 draws nothing.
        seed, index: of the pair.

    Returns:
        (rows, columns) uint8, 1 to 6 lesions of 2 to 32 pixels added at random places and cut at the edges.
    """
    if share <= 0:
        return target
    random = np.random.default_rng((seed, index, _STREAM))
    if random.random() >= share:
        return target
    margin = int(np.ceil(DIAMETERS[1] / 2))
    added = np.zeros(tuple(n + 2 * margin for n in target.shape))
    for _ in range(random.integers(COUNT[0], COUNT[1] + 1)):
        profile = draw_lesion(random).profile()
        half = len(profile) // 2
        top, left = (int(random.integers(n)) + margin - half for n in target.shape)
        added[top : top + len(profile), left : left + len(profile)] += profile
    inside = added[margin:-margin, margin:-margin]
    result: np.ndarray = np.clip(np.rint(target + inside), 0, 255).astype(np.uint8)
    return result


def draw_lesion(random: np.random.Generator) -> Lesion:
    """A lesion of 2 to 32 pixels, log-uniform, with a peak contrast of 38 to 154 levels over its diameter."""
    diameter = float(np.exp(random.uniform(*np.log(DIAMETERS))))
    contrast = CONTRAST / diameter * random.uniform(*FACTORS)
    sign = 1.0 if random.random() < 0.5 else -1.0
    return Lesion(diameter, sign * contrast, MASS if random.random() < MASSES else BALL)
