from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import pytest

from medsr_jax.imaging import read_image
from medsr_jax.transmission.codecs import CODECS
from medsr_jax.transmission.fidelity import Coded
from medsr_jax.transmission.quality import CANDIDATES, choose_quality
from medsr_jax.transmission.sender import compress
from tests.imaging.dicom.objects import image_object, saved
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


@pytest.mark.parametrize(
    ("lost", "expected"),
    # By hand: a step costs 0.1 bit a pixel, 0.25 dB at the stated price. With 4e-4 lost in shrinking the steps gain
    # 0.55, 0.43, 0.32 and 0.24 dB; with 1e-3 0.28 and 0.20.
    [(0.0, 75), (4e-4, 65), (1e-3, 55), (1e-2, 50)],
)
def test_quality_is_worth_its_bits_at_the_stated_price(lost: float, expected: int) -> None:
    chosen = choose_quality(_Ladder(), codec=CODECS["jpeg"], lost=lost)  # type: ignore[arg-type]
    assert chosen == expected


class _Ladder:
    """Candidates that gain 1.6 dB and cost 0.1 bit a pixel a step."""

    small = np.zeros((100, 100), np.uint8)

    def coded(self, _: object, quality: int) -> Coded:
        step = (quality - 50) // 5
        return Coded(bytes(625 + 125 * step), 36 + 1.6 * step)


def test_real_images_differ_in_their_quality() -> None:
    chosen = {compress(bundled(name)).header.quality for name in ("CT_small.dcm", "MR_small.dcm", "693_J2KI.dcm")}
    assert len(chosen) > 1


def test_the_middle_frame_stands_for_all(tmp_path: pathlib.Path) -> None:
    smooth = made(128, 128).pixels[0]
    rough = smooth + (np.random.default_rng(0).integers(0, 2, smooth.shape) * 40).astype(np.uint8)

    def chosen(*frames: np.ndarray) -> int:
        path = saved(image_object(np.stack(frames), bits_stored=8), tmp_path / "frames.dcm")
        return compress(read_image(path), preprocess=False).header.quality

    assert chosen(rough) < chosen(smooth)
    assert chosen(rough, smooth, rough) == chosen(rough, smooth) == chosen(smooth)
    assert chosen(smooth, rough, smooth) == chosen(smooth, rough) == chosen(rough)
