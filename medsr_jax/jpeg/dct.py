"""The 8x8 discrete cosine transform of ITU-T T.81, A.3.3, as matrices."""

from __future__ import annotations

import functools

import numpy as np

BLOCK = 8


@functools.cache
def dct_matrix() -> np.ndarray:
    """(8 frequencies, 8 samples) float64: the orthonormal DCT-II of a line; ``m @ block @ m.T`` is that of a block."""
    frequency, sample = np.indices((BLOCK, BLOCK))
    scale = np.where(frequency == 0, np.sqrt(1 / BLOCK), np.sqrt(2 / BLOCK))
    result: np.ndarray = np.cos(np.pi * (2 * sample + 1) * frequency / (2 * BLOCK)) * scale
    return result


@functools.cache
def block_dct_matrix() -> np.ndarray:
    """(64 frequencies, 64 pixels) float64: the transform of a flattened block, both in natural order."""
    return np.kron(dct_matrix(), dct_matrix())
