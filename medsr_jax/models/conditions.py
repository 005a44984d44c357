"""What a conditional generator is given of the coding of its input: a number for its codec, 0 for the others.

| codec | number |
|-|-|
| jpeg | `compact.quantisation_strength` of its table, 0.75 at q 60 |
| jpeg2000 | that of the JPEG of its quality, which is as faithful |
| avif | AV1's base quantiser index over 128 |
"""

from __future__ import annotations

import numpy as np

from medsr_jax.jpeg.tables import luminance_table
from medsr_jax.models.compact import quantisation_strength

CONDITIONED_CODECS = ("jpeg", "jpeg2000", "avif")
CONDITIONS = len(CONDITIONED_CODECS)
_INDEX_UNIT = 128.0


def condition_of_jpeg(table: np.ndarray) -> np.ndarray:
    """(3,) float32, of (8, 8) quantisation steps."""
    return _condition("jpeg", quantisation_strength(table))


def condition_of_jpeg2000(quality: int) -> np.ndarray:
    """(3,) float32, of the quality 1..100 of a JPEG that is as faithful."""
    return _condition("jpeg2000", quantisation_strength(luminance_table(quality)))


def condition_of_avif(quantiser: int) -> np.ndarray:
    """(3,) float32, of the frame's base_q_idx, 0..255."""
    return _condition("avif", quantiser / _INDEX_UNIT)


def _condition(codec: str, level: float) -> np.ndarray:
    result = np.zeros(CONDITIONS, np.float32)
    result[CONDITIONED_CODECS.index(codec)] = level
    return result
