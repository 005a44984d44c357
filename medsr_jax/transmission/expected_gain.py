"""What the receiver's network is expected to gain over bicubic interpolation, by scale, codec and rate.

`budget.best_scale` compares scales by their bicubic enlargement and adds this, so that a scale whose small image
restores well is preferred by as much. The table is that of the automatic models on validation images, and is written by
scripts/measure/expected_gains.py, not by hand. Where it has no points, the choice is that of bicubic enlargement alone.
"""

from __future__ import annotations

import numpy as np

# Written by scripts/measure/expected_gains.py
GAINS: dict[tuple[str, int], tuple[tuple[float, float], ...]] = {
    ("jpeg", 4): ((0.0115, 1.07), (0.0207, 0.93), (0.03, 0.93), (0.0526, 0.96), (0.0901, 0.94)),
    ("jpeg2000", 4): ((0.012, 0.43), (0.021, 0.6), (0.0299, 0.69), (0.0518, 0.8), (0.088, 0.92)),
    ("avif", 4): ((0.0121, 0.46), (0.0211, 0.65), (0.0303, 0.72), (0.0526, 0.83), (0.0891, 0.95)),
    ("vvc", 4): ((0.0121, 0.44), (0.0211, 0.61), (0.0301, 0.72), (0.0525, 0.87), (0.0907, 1.0)),
}
# End
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
