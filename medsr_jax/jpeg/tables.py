"""The example quantisation tables of ITU-T T.81, Annex K, and libjpeg's scaling of them by a quality."""

from __future__ import annotations

import numpy as np

# Table K.1, in natural order: [0, 0] is the step of the mean.
LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
# Table K.2.
CHROMINANCE = np.full((8, 8), 99)
CHROMINANCE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]


def luminance_table(quality: int) -> np.ndarray:
    """(8, 8) int32 quantisation steps of libjpeg for luminance at a quality of 1..100, natural order."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    result: np.ndarray = np.clip((LUMINANCE * percent + 50) // 100, 1, 255).astype(np.int32)
    return result


def nearest_quality(table: np.ndarray) -> int:
    """libjpeg's quality, 1..100, whose luminance table has the sum that is nearest to a table's."""
    sums = [int(luminance_table(quality).sum()) for quality in range(1, 101)]
    return 1 + int(np.argmin([abs(total - int(table.sum())) for total in sums]))
