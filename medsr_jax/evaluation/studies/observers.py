"""Model observers: the detectability of a lesion at a known place, as a substitute for a reader study.

They say what is in the pixels for a task, not what a radiologist would report. Both are trained on one part of the
images and tested on another, since a template that has seen its test images finds lesions in noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.stats import norm

# Dense difference-of-Gaussian channels (Abbey and Barrett, JOSA A 18, 2001, 473-488): in cycles a pixel.
_FIRST_WIDTH, _GROWTH, _BANDWIDTH, _CHANNELS = 0.005, 1.4, 1.67, 10
_RIDGE = 1e-6

Train = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(present, absent) -> template."""


def contrast_to_noise(present: np.ndarray, absent: np.ndarray, *, diameter: float) -> tuple[float, float]:
    """What is left of a lesion.

    Args:
        present, absent: (places, side, side) the same places with and without the lesion, processed alike.
        diameter: of the lesion, in pixels.

    Returns:
        The mean difference over the lesion's disc, and that over the mean standard deviation of a ring around it of
        the absent patches, from one to two diameters and two pixels at least.
    """
    distance = _distance(present.shape[-1])
    disc = distance <= max(diameter / 2, 0.71)
    ring = (distance > diameter / 2 + 1) & (distance <= max(diameter, diameter / 2 + 3))
    contrast = float((present - absent)[:, disc].mean())
    noise = float(absent[:, ring].std(axis=1).mean())
    return contrast, contrast / noise if noise > 0 else math.nan


def matched_filter(
    present: np.ndarray, absent: np.ndarray, *, groups: np.ndarray, folds: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """Responses of a non-prewhitening matched filter: the template is the mean difference, as the method renders it.

    Args:
        present, absent: (places, side, side).
        groups: (places,) int, the image of each; an image is never in training and test at once.
        folds: parts that take turns as the test.

    Returns:
        Responses to the present and to the absent patches, each (places,).
    """

    def train(present: np.ndarray, absent: np.ndarray) -> np.ndarray:
        result: np.ndarray = present.mean(0) - absent.mean(0)
        return result

    ours, theirs = (_without_mean(a).reshape(len(a), -1) for a in (present, absent))
    return _crossed(ours, theirs, groups, folds, train)


def channelised_hotelling(
    present: np.ndarray, absent: np.ndarray, *, groups: np.ndarray, folds: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """Responses of a channelised Hotelling observer with ten dense difference-of-Gaussian channels.

    Arguments and result as of `matched_filter`. The template is ``K^-1 (mean present - mean absent)`` in the channels'
    responses, K the mean of both covariances.
    """
    channels = difference_of_gaussians(present.shape[-1])
    ours, theirs = (a.reshape(len(a), -1) @ channels.T for a in (present, absent))

    def train(present: np.ndarray, absent: np.ndarray) -> np.ndarray:
        covariance = (np.cov(present.T) + np.cov(absent.T)) / 2
        covariance += _RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        return np.linalg.solve(covariance, present.mean(0) - absent.mean(0))

    return _crossed(ours, theirs, groups, folds, train)


def difference_of_gaussians(side: int) -> np.ndarray:
    """(10, side side) channels in space, centred on the patch, each of unit norm."""
    frequency = np.fft.fftfreq(side)
    radius = np.hypot(frequency[:, None], frequency[None])
    middle = side // 2
    channels = []
    for number in range(_CHANNELS):
        width = _FIRST_WIDTH * _GROWTH**number
        band = np.exp(-0.5 * (radius / (_BANDWIDTH * width)) ** 2) - np.exp(-0.5 * (radius / width) ** 2)
        channel = np.roll(np.fft.ifft2(band).real, (middle, middle), (0, 1))
        channels.append(channel.ravel() / np.linalg.norm(channel))
    return np.stack(channels)


def detectability(present: np.ndarray, absent: np.ndarray) -> float:
    """d' of responses: the difference of their means over the root of their mean variance."""
    deviation = math.sqrt((present.var(ddof=1) + absent.var(ddof=1)) / 2)
    return float((present.mean() - absent.mean()) / deviation) if deviation > 0 else math.nan


def area_under_curve(present: np.ndarray, absent: np.ndarray) -> float:
    """Share of pairs of a present and an absent patch that the responses put in the right order; ties count half."""
    ranks = np.searchsorted(np.sort(absent), present, "left") + np.searchsorted(np.sort(absent), present, "right")
    return float(ranks.mean() / (2 * len(absent)))


def area_of(d: float) -> float:
    """The area under the curve that a d' stands for where responses are normally distributed."""
    return float(norm.cdf(d / math.sqrt(2)))


def _crossed(
    present: np.ndarray, absent: np.ndarray, groups: np.ndarray, folds: int, train: Train
) -> tuple[np.ndarray, np.ndarray]:
    """Responses of templates that were trained on the other folds.

    Each fold's are shifted and scaled by the responses in its training, so that all are of one kind.
    """
    names = np.unique(groups)
    if len(names) < 2:
        raise ValueError("one image can't be both trained on and tested")
    fold_of = dict(zip(names.tolist(), (np.arange(len(names)) % min(folds, len(names))).tolist(), strict=True))
    fold = np.array([fold_of[group] for group in groups.tolist()])
    results = np.empty(len(present)), np.empty(len(absent))
    for number in range(fold.max() + 1):
        test, rest = fold == number, fold != number
        template = train(present[rest], absent[rest])
        scale = max(float((absent[rest] @ template).std()), 1e-12)
        middle = float((absent[rest] @ template).mean())
        for result, data in zip(results, (present, absent), strict=True):
            result[test] = (data[test] @ template - middle) / scale
    return results


def _without_mean(patches: np.ndarray) -> np.ndarray:
    """A reader does not take a brighter region for a lesion."""
    result: np.ndarray = patches - patches.mean((1, 2), keepdims=True)
    return result


def _distance(side: int) -> np.ndarray:
    at = np.arange(side) - side // 2
    return np.hypot(at[:, None], at[None])
