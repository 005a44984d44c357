from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from medsr_jax.transmission.quality import CANDIDATES, shrinking_error
from medsr_jax.transmission.sender import compress
from tests.transmission.images import made


def test_auto_is_between_50_and_75_and_always_the_same() -> None:
    image = made(256, 256)
    first, second = compress(image), compress(image)
    assert first == second
    assert first.header.quality in CANDIDATES


def test_detail_lost_in_shrinking_lowers_the_quality() -> None:
    smooth = made(256, 256)
    random = np.random.default_rng(0)
    fine = smooth.pixels + (random.integers(0, 2, smooth.pixels.shape) * 24).astype(np.uint8)
    rough = dataclasses.replace(smooth, pixels=fine)
    assert compress(rough, preprocess=False).header.quality <= compress(smooth).header.quality


def test_shrinking_error_of_bands_is_near_that_of_the_whole() -> None:
    frame = made(1200, 1000).pixels[0]
    small = np.rint(frame.reshape(300, 4, 250, 4).mean((1, 3))).astype(np.uint8)
    banded = shrinking_error(small, frame, scale=4, low=0, high=255, levels=255)
    whole = np.mean(
        [
            shrinking_error(
                small[top : top + 100], frame[4 * top : 4 * top + 400], scale=4, low=0, high=255, levels=255
            )
            for top in (0, 100, 200)
        ]
    )
    assert banded == pytest.approx(whole, rel=0.25)
