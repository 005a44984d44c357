"""Edge-preserving smoothing of noisy images before they are sent (the paper's section 2.1.1).

An image is touched only where a published estimator finds noise (`estimate_noise`, above `NOISE_THRESHOLD`); the Sobel
magnitude then marks edges: they stay, and the noise of flat regions goes. A dark image (`is_dark`) uses few
of the codes that its storage has: its noise and its detail are judged, and mapped to codes, in the range that it does
use. Nothing here changes brightness.
"""

from __future__ import annotations

import numpy as np

NOISE_THRESHOLD = 0.045
"""Least noise, as a standard deviation over the range of the codes, that is smoothed: 11.5 of 255. Below, averaging 4x4
pixels leaves less than 3 levels, JPEG at q 50..75 loses more than that, and smoothing costs detail for nothing (see
scripts/measure/preprocess.py)."""

DARK_MEAN, DARK_PEAK = 0.15, 0.35
"""An image is dark where its mean is under the first and its 99th percentile under the second, both of the range."""

STEPS = (1, 2, 4)
"""Spacing of the three smoothing levels, in pixels. Their joint reach is 7 pixels."""

STRENGTH = 1.25
"""How many times stronger than noise alone a Sobel magnitude must be to keep an edge as it is."""

_STRIP = 96  # rows smoothed at a time: the working set of a dozen float32 arrays stays in cache, and memory stays flat
_SAMPLES = 1 << 18


def estimate_noise(frame: np.ndarray, *, low: float, high: float) -> float:
    """Standard deviation of the noise, by Immerkaer's method ("Fast Noise Variance Estimation", CVIU 64, 1996).

    The mask [1 -2 1; -2 4 -2; 1 -2 1] cancels constant and linear structure; white noise of deviation s leaves 6 s. The
    median of the absolute answer replaces Immerkaer's mean (the robust estimator of Donoho and Johnstone, 1994), so
    that edges, texture and burnt-in letters don't count as noise. Pixels at or beyond either end of the range are left
    out: clipping hides their noise. Images of over 262144 pixels are sampled by rows.

    Args:
        frame: (rows, columns) stored values.
        low, high: range of interest, in stored values.

    Returns:
        In stored values; 0 for images under 3x3 pixels and where almost all pixels are at an end of the range.
    """
    rows, columns = frame.shape
    if rows < 3 or columns < 3 or high <= low:
        return 0.0
    stride = max(1, rows * columns // _SAMPLES)
    picked = np.arange(1, rows - 1, stride)
    above, middle, below = (frame[picked + shift].astype(np.float32) for shift in (-1, 0, 1))
    second = above - 2 * middle + below
    answer = np.abs(second[:, :-2] - 2 * second[:, 1:-1] + second[:, 2:])
    inner = middle[:, 1:-1]
    answer = answer[(inner > low) & (inner < high)]
    if answer.size < max(16, inner.size // 100):
        return 0.0
    return float(np.median(answer)) / (6 * 0.6745)


def is_dark(frame: np.ndarray, *, value_range: tuple[float, float], inverted: bool = False) -> bool:
    """Whether an image is under-exposed, by the mean and the 99th percentile of its displayed brightness."""
    low, high = value_range
    if high <= low:
        return False
    stride = max(1, frame.size // _SAMPLES)
    brightness = (frame.reshape(-1)[::stride].astype(np.float32) - low) / (high - low)
    if inverted:
        brightness = 1 - brightness
    return bool(brightness.mean() < DARK_MEAN and np.quantile(brightness, 0.99) < DARK_PEAK)


def preprocess(frame: np.ndarray, *, low: float, high: float) -> tuple[np.ndarray, str]:
    """Smooths a frame where it is noisy.

    Args:
        frame: (rows, columns) stored values, any real dtype.
        low, high: the range that codes will span, in stored values.

    Returns:
        The frame itself and "" where there is nothing to do; else a float32 frame and, in a few words, what was done:
        "smoothed" and the noise found, in percent of the range.
    """
    sigma = estimate_noise(frame, low=low, high=high)
    if high <= low or sigma < NOISE_THRESHOLD * (high - low):
        return frame, ""
    return smooth(frame, sigma=sigma), f"smoothed {100 * sigma / (high - low):.1f}%"


def smooth(frame: np.ndarray, *, sigma: float, strength: float = STRENGTH) -> np.ndarray:
    """Edge-preserving smoothing steered by the Sobel magnitude.

    The frame is blurred with a binomial kernel three times, its taps 1, 2 and 4 pixels apart (an undecimated wavelet
    pyramid). From the coarsest level up, each finer level is kept to the degree that the Sobel magnitude of the
    blurred image exceeds what noise alone would give: weight = max(0, 1 - (strength * e / |S|)^2), with e the magnitude
    (root mean square) of that level's remaining noise.

    Args:
        frame: (rows, columns), any real dtype.
        sigma: standard deviation of the noise, in the unit of the frame.
        strength: smooths more where it's higher.

    Returns:
        float32 of the same shape and unit.
    """
    reach = 2 * sum(STEPS) + 1
    rows = frame.shape[0]
    result = np.empty(frame.shape, np.float32)
    for begin in range(0, rows, _STRIP):
        first, last = max(0, begin - reach), min(rows, begin + _STRIP + reach)
        strip = _smooth(frame[first:last].astype(np.float32), sigma, strength)
        end = min(rows, begin + _STRIP)
        result[begin:end] = strip[begin - first : end - first]
    return result


def _smooth(frame: np.ndarray, sigma: float, strength: float) -> np.ndarray:
    levels = [frame]
    for step in STEPS:
        levels.append(_binomial(levels[-1], step))
    result = levels.pop()
    blurred = result
    for finer, response in zip(reversed(levels), reversed(_NOISE_RESPONSE), strict=True):
        floor = (strength * sigma * response) ** 2
        weight = _sobel_squared(blurred)
        np.maximum(weight, 1e-12, out=weight)
        np.divide(-floor, weight, out=weight)
        weight += 1
        np.maximum(weight, 0, out=weight)
        weight *= finer - result
        result = result + weight
        blurred = finer
    return result


def _binomial(frame: np.ndarray, step: int) -> np.ndarray:
    """[1 2 1] x [1 2 1] / 16 with taps `step` pixels apart; edges are repeated."""
    padded = np.pad(frame, step, mode="edge")
    tall = padded[: -2 * step] + padded[2 * step :]
    tall += 2 * padded[step:-step]
    wide = tall[:, : -2 * step] + tall[:, 2 * step :]
    wide += 2 * tall[:, step:-step]
    wide *= 1 / 16
    result: np.ndarray = wide
    return result


def _sobel_squared(frame: np.ndarray) -> np.ndarray:
    """Squared magnitude of the Sobel gradient, per pixel (the kernels divided by 8)."""
    padded = np.pad(frame, 1, mode="edge")
    tall = padded[:-2] + padded[2:]
    tall += 2 * padded[1:-1]
    across = tall[:, 2:] - tall[:, :-2]
    wide = padded[:, :-2] + padded[:, 2:]
    wide += 2 * padded[:, 1:-1]
    down = wide[2:] - wide[:-2]
    across *= across
    down *= down
    across += down
    across *= 1 / 64
    result: np.ndarray = across
    return result


def _noise_responses() -> tuple[float, ...]:
    """Root mean square Sobel magnitude of white noise of deviation 1 after one, two and three smoothing levels."""
    impulse = np.zeros((41, 41), np.float32)
    impulse[20, 20] = 1
    found = []
    for step in STEPS:
        impulse = _binomial(impulse, step)
        found.append(float(np.sqrt(_sobel_squared(impulse).sum())))
    return tuple(found)


_NOISE_RESPONSE = _noise_responses()
