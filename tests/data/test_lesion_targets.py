"""Synthetic lesions in training targets: what is drawn, and that all else of a pair stays as it was."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medsr_jax.data.lesion_targets import draw_lesion, with_lesions
from medsr_jax.data.link_pairs import LinkPairs, LinkSettings
from medsr_jax.data.sender_pairs import SenderPairs, SenderSettings
from medsr_jax.imaging.lesions import BALL, MASS

GREY = np.full((160, 160), 100, np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, radiograph: np.ndarray) -> str:
    """A picture with room for contrast, so that no lesion is clipped."""
    folder: pathlib.Path = tmp_path_factory.mktemp("lesions")
    Image.fromarray((radiograph // 2 + 60).astype(np.uint8)).save(folder / "a.png")
    return str(folder)


def sender_pairs(folder: str, share: float) -> SenderPairs:
    return SenderPairs([(folder, 1.0)], sender=SenderSettings(patch=32, lesions=share), seed=3)


def link_pairs(folder: str, share: float) -> LinkPairs:
    return LinkPairs([(folder, 1.0)], link=LinkSettings(side=128, lesions=share), batch=2, seed=3)


def differences(count: int = 100) -> list[np.ndarray]:
    """What lesions add to even grey, target by target."""
    return [with_lesions(GREY, share=1.0, seed=0, index=index).astype(int) - GREY for index in range(count)]


def test_no_share_returns_the_target_itself() -> None:
    assert with_lesions(GREY, share=0.0, seed=0, index=0) is GREY


def test_lesions_are_a_function_of_seed_and_index() -> None:
    first, again, later, other = (
        with_lesions(GREY, share=1.0, seed=seed, index=index) for seed, index in ((0, 5), (0, 5), (0, 6), (1, 5))
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, later)
    assert not np.array_equal(first, other)


def test_a_share_of_the_targets_has_them() -> None:
    found = [with_lesions(GREY, share=0.3, seed=0, index=index) for index in range(400)]
    assert abs(sum(bool((target != GREY).any()) for target in found) - 120) < 40


def test_they_are_small_and_both_brighter_and_darker() -> None:
    found = differences()
    assert all(difference.any() for difference in found)
    # Six discs of 32 pixels at most, most far smaller.
    assert np.mean([np.mean(difference != 0) for difference in found]) < 0.05
    brighter, darker = (sum(bool((sign * difference > 0).any()) for difference in found) for sign in (1, -1))
    assert min(brighter, darker) > 60
    total = np.sum(found, axis=0)
    assert all((total[edge] != 0).any() for edge in (0, -1)), "lesions are cut at edges, not kept off them"


def test_sizes_contrasts_and_shapes_are_drawn_from_their_ranges() -> None:
    random = np.random.default_rng(0)
    lesions = [draw_lesion(random) for _ in range(2000)]
    diameters = np.array([lesion.diameter for lesion in lesions])
    contrasts = np.array([lesion.contrast for lesion in lesions])
    assert (diameters.min() >= 2, diameters.max() <= 32) == (True, True)
    assert np.median(diameters) == pytest.approx(8, rel=0.1)  # log-uniform
    factors = np.abs(contrasts) * diameters / 96
    assert 0.4 <= factors.min() < 0.42 < 1.58 < factors.max() <= 1.6
    assert (contrasts > 0).mean() == pytest.approx(0.5, abs=0.04)
    assert np.mean([lesion.exponent == MASS for lesion in lesions]) == pytest.approx(0.75, abs=0.04)
    assert {lesion.exponent for lesion in lesions} == {MASS, BALL}


@pytest.mark.parametrize("pairs_of", [sender_pairs, link_pairs])
def test_a_pair_keeps_all_its_other_draws(folder: str, pairs_of: Callable[[str, float], Any]) -> None:
    """The same crop, contrast and coding: targets differ by blobs alone, and no share is the setting left out."""
    plain, ill = pairs_of(folder, 0.0), pairs_of(folder, 1.0)
    for index in range(12):
        before, after = plain[index], ill[index]
        changed = after["hr"] != before["hr"]
        assert 0 < changed.mean() < 0.35
        expected = with_lesions(before["hr"][..., 0], share=1.0, seed=3, index=index)
        np.testing.assert_array_equal(after["hr"][..., 0], expected)
        # JPEG's tables and AVIF's coarseness come with the quality drawn; AVIF's own choice may move with the image.
        np.testing.assert_allclose(after["strength"], before["strength"], rtol=0.2)
        assert not np.array_equal(after["lr"], before["lr"]) or changed.mean() < 0.002


def test_the_default_has_none() -> None:
    assert SenderSettings().lesions == LinkSettings().lesions == 0.0
    assert dataclasses.replace(SenderSettings(), lesions=0.5).lesions == 0.5
