"""Blobs of a lesion's size that a method adds to an image: what a search could take for a lesion."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter

from medsr_jax.imaging.lesions import Lesion

# Standard deviations of the centre and of the surround, of the diameter; filters end at two of the wider one.
_CENTRE, _SURROUND, _END = 1 / 6, 1 / 3, 2.0


def false_blobs(results: np.ndarray, originals: np.ndarray, lesion: Lesion) -> tuple[int, int]:
    """Count the blobs of a lesion's size in results that have no counterpart in the originals.

    A blob is an extremum, of either sign, of a difference of Gaussians, at least half as strong as the response to the
    lesion. Its counterpart is a response of the same sign and half that strength within the lesion's radius.

    Args:
        results: (places, side, side) levels, lesion-free, as a method gives them back.
        originals: (places, side, side) levels, the same places.
        lesion: gives the size, and by its contrast the threshold.

    Returns:
        Blobs, and the pixels at which they were looked for: all but a margin of two thirds of the diameter.

    Raises:
        ValueError: patches too small for the lesion.
    """
    margin = int(_END * _SURROUND * lesion.diameter + 0.5) + 1
    if results.shape[-1] <= 2 * margin:
        raise ValueError(f"patches of {results.shape[-1]} pixels are too small for a diameter of {lesion.diameter}")
    threshold = np.abs(_response(np.pad(lesion.profile(), margin), lesion.diameter)).max() / 2
    width = 2 * int(lesion.diameter / 2) + 1
    ours, truth = (_response(patches.astype(np.float64), lesion.diameter) for patches in (results, originals))
    inside = np.s_[:, margin:-margin, margin:-margin]
    count = 0
    for sign in (1.0, -1.0):
        peaks = (sign * ours >= threshold) & (sign * ours == _largest(sign * ours, 3))
        count += int((peaks & (_largest(sign * truth, width) < threshold / 2))[inside].sum())
    return count, ours[inside].size


def _response(patches: np.ndarray, diameter: float) -> np.ndarray:
    """Difference of Gaussians over the last two axes."""
    centre, surround = (
        gaussian_filter(patches, ratio * diameter, axes=(-2, -1), radius=int(_END * _SURROUND * diameter + 0.5))
        for ratio in (_CENTRE, _SURROUND)
    )
    result: np.ndarray = centre - surround
    return result


def _largest(patches: np.ndarray, width: int) -> np.ndarray:
    """The maximum over the square of ``width`` pixels around each."""
    result: np.ndarray = maximum_filter(patches, width, axes=(-2, -1))
    return result
