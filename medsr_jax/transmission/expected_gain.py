"""What the receiver's network is expected to gain over bicubic interpolation, by scale, codec and rate.

`budget.best_scale` compares scales by their bicubic enlargement and adds this, so that a scale whose small image
restores well is preferred by as much. **The table is empty today**: no network for scales other than 4 is packaged, so
that all gains are 0 and the choice is that of bicubic enlargement alone. It is to be filled by a script that measures
the gains on validation images, and not by hand.
"""

from __future__ import annotations

import numpy as np

GAINS: dict[tuple[str, int], tuple[tuple[float, float], ...]] = {}
"""(codec, scale) -> points (bits per pixel of the original, dB), the lowest rate first."""


def expected_gain(scale: int, codec: str, bits_per_pixel: float) -> float:
    """The expected gain of the receiver's network over bicubic interpolation.

    Args:
        scale: 1..8.
        codec: a name of `CODECS`.
        bits_per_pixel: 8 times the packet's bytes over the pixels of the original, above 0.

    Returns:
        dB, interpolated in the logarithm of the rate and constant beyond its ends; 0 where nothing was measured.
    """
    points = GAINS.get((codec, scale), ())
    if not points:
        return 0.0
    rates, gains = zip(*points, strict=True)
    return float(np.interp(np.log(bits_per_pixel), np.log(rates), gains))
