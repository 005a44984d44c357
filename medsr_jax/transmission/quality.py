"""The choice of a quality by the image's content."""

from __future__ import annotations

import numpy as np

from medsr_jax.transmission.codecs import Codec
from medsr_jax.transmission.fidelity import Fidelity

CANDIDATES = (50, 55, 60, 65, 70, 75)

DECIBELS_PER_BIT = 2.5
"""What one more bit per pixel of the small image must gain. Set so that the mean size over the validation images is
that of a fixed q of 60 (scripts/measure/quality_rule.py)."""


def choose_quality(fidelity: Fidelity, *, codec: Codec, lost: float) -> int:
    """The quality that maximises the predicted PSNR minus a fixed price per bit.

    The receiver's error is that of shrinking plus that of coding. The first, A, is given. The second, D(q), is measured
    for each candidate q by coding and decoding the small image. Enlarged, they add up (to 2 % on radiographs), so that

        PSNR(q) = -10 log10(A + D(q)) + constant,   chosen q = argmax of PSNR(q) - DECIBELS_PER_BIT * bits(q) per pixel.

    With one price for all images no byte could move from one image to another and raise the mean PSNR. An image whose
    detail was lost in shrinking gets a low q: A hides the coding error; a smooth image gets a high q: its bytes are
    cheap and its coding errors show.

    Args:
        fidelity: of the small image.
        codec: that codes it.
        lost: A, the `enlargement_error` of the small image before coding.

    Returns:
        One of `CANDIDATES`.
    """
    values = []
    for quality in CANDIDATES:
        coded = fidelity.coded(codec, quality)
        error = lost + 10 ** (-coded.decibels / 10)
        bits = 8 * len(coded.stream) / fidelity.small.size
        values.append(-10 * np.log10(error + 1e-9) - DECIBELS_PER_BIT * bits)
    return CANDIDATES[int(np.argmax(values))]
