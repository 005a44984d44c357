"""Confidence intervals of means over images by the bootstrap: images are resampled with replacement."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

DRAWS = 10_000


@dataclasses.dataclass(frozen=True)
class Mean:
    """A mean with its confidence interval.

    Attributes:
        value: the mean.
        low, high: ends of the 95 % interval; NaN for a single image.
        count: images.
    """

    value: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap(values: Sequence[float], *, seed: int = 0, confidence: float = 0.95) -> Mean:
    """The mean over images with its percentile bootstrap interval (Efron 1979).

    For differences between methods give the differences image by image: images differ more than methods do, and
    pairing takes that out. Values that are NaN or infinite (a measure that an image is too small for, or an exact copy)
    are left out.

    Args:
        values: one an image.
        seed: of the draws.
        confidence: share of the draws between the ends.
    """
    finite = np.asarray([value for value in values if np.isfinite(value)], np.float64)
    if not finite.size:
        return Mean(float("nan"), float("nan"), float("nan"), 0)
    if finite.size == 1:
        return Mean(float(finite[0]), float("nan"), float("nan"), 1)
    draws = np.random.default_rng(seed).integers(finite.size, size=(DRAWS, finite.size))
    tail = 50.0 * (1.0 - confidence)
    low, high = np.percentile(finite[draws].mean(1), [tail, 100.0 - tail])
    return Mean(float(finite.mean()), float(low), float(high), int(finite.size))
