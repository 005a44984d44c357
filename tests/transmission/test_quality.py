from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.transmission.codecs import CODECS
from medsr_jax.transmission.compress import compress
from medsr_jax.transmission.packet_io import packet_bytes
from medsr_jax.transmission.quality import CANDIDATES, shrinking_error
from tests.transmission.images import bundled, made


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


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("budget", [700, 1000, 2500])
def test_budget_counts_the_whole_file_and_is_used_up(codec: str, budget: int) -> None:
    image = made(256, 256)
    packet = compress(image, codec=codec, max_bytes=budget)
    assert len(packet_bytes(packet)) <= budget
    if packet.header.quality < 100:
        above = compress(image, codec=codec, quality=packet.header.quality + 1)
        assert len(packet_bytes(above)) > budget


@pytest.mark.parametrize("codec", ["jpeg", "jpeg2000"])
def test_budget_holds_for_dicom(codec: str) -> None:
    image = bundled("CT_small.dcm")
    smallest = len(packet_bytes(compress(image, codec=codec, quality=1)))
    packet = compress(image, codec=codec, max_bytes=smallest + 400)
    assert packet.header.quality > 1
    for _ in range(5):  # identifiers are new each time
        assert len(packet_bytes(packet)) <= smallest + 400


def test_budget_that_cannot_be_met_names_the_smallest_size_and_the_remedy() -> None:
    with pytest.raises(MedsrError, match=r"100 bytes: its smallest .* has \d+; .*scale") as refusal:
        compress(made(256, 256), max_bytes=100)
    smallest = int(str(refusal.value).split(" has ")[1].split(";")[0])
    compress(made(256, 256), max_bytes=smallest)
