from typing import Any

import numpy as np
import pytest

from medsr_jax.data.crops import Crops, Mixture, PairCrops, random_window
from medsr_jax.errors import MedsrError
from tests.data.pictures import picture


def places(crop: np.ndarray, image: np.ndarray) -> list[tuple[int, int]]:
    """Where a crop lies in an image, as (top, left) pairs."""
    windows = np.lib.stride_tricks.sliding_window_view(image, crop.shape)
    return list(zip(*np.nonzero((windows == crop).all(axis=(-1, -2))), strict=True))


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)


def test_a_crop_is_a_part_of_an_image_mirrored_half_the_time(noise: np.ndarray) -> None:
    crops = Crops([noise], side=16, seed=0)
    straight = [len(places(crops[i]["hr"][..., 0], noise)) for i in range(100)]
    mirrored = [len(places(crops[i]["hr"][:, ::-1, 0], noise)) for i in range(100)]
    assert all(a + b == 1 for a, b in zip(straight, mirrored, strict=True))
    assert 30 < sum(mirrored) < 70
    unflipped = Crops([noise], side=16, seed=0, flip=False)
    tops, lefts = zip(*(places(unflipped[i]["hr"][..., 0], noise)[0] for i in range(300)), strict=True)
    assert (min(tops), max(tops), min(lefts), max(lefts)) == (0, 24, 0, 34)


def test_a_crop_depends_on_seed_and_index_alone(noise: np.ndarray) -> None:
    crops, same, other = (Crops([noise, noise.T], side=16, seed=s) for s in (3, 3, 4))
    for index in (7, 10**9):
        np.testing.assert_array_equal(crops[index]["hr"], same[index]["hr"])
        assert not np.array_equal(crops[index]["hr"], other[index]["hr"])
    assert not np.array_equal(crops[7]["hr"], crops[8]["hr"])


def test_crops_are_8_bit_with_the_channels_asked_for(noise: np.ndarray) -> None:
    for image in (noise, np.stack([noise] * 3, -1), noise.astype(np.uint16) * 257):
        for channels in (1, 3):
            crop = Crops([image], side=16, seed=0, channels=channels)[0]["hr"]
            assert crop.shape == (16, 16, channels)
            assert crop.dtype == np.uint8
            assert crop.flags.c_contiguous


def test_colours_become_luma_or_stay(noise: np.ndarray) -> None:
    colours = np.stack([noise, noise // 2, noise // 3], -1)
    grey = Crops([colours], side=16, seed=0, flip=False)[0]["hr"][..., 0]
    kept = Crops([colours], side=16, seed=0, flip=False, channels=3)[0]["hr"]
    np.testing.assert_allclose(grey, kept @ [0.299, 0.587, 0.114], atol=0.51)


def test_deep_images_are_seen_whole_or_through_windows_that_differ(noise: np.ndarray) -> None:
    deep = noise.astype(np.uint16) * 257
    whole = Crops([deep], side=16, seed=0, window="full")
    np.testing.assert_array_equal(whole[3]["hr"], Crops([noise], side=16, seed=0)[3]["hr"])
    ends = [random_window(deep, np.random.default_rng(i)) for i in range(50)]
    lows, highs = zip(*ends, strict=True)
    assert 0 <= min(lows) < max(lows) <= np.percentile(deep[::8, ::8], 20)
    assert np.percentile(deep[::8, ::8], 97) <= min(highs) < max(highs) <= deep.max()
    drawn = [int(Crops([deep], side=40, seed=0)[i]["hr"].mean()) for i in range(20)]
    assert len(set(drawn)) > 5


def test_images_that_are_too_small_are_passed_over(noise: np.ndarray) -> None:
    crops = Crops([noise, picture(0, (15, 90))], side=16, seed=0)
    assert all(crops[i]["hr"].shape == (16, 16, 1) for i in range(20))
    with pytest.raises(MedsrError, match="were all smaller than 64 x 64"):
        Crops([noise], side=64, seed=0)[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_pair_shows_the_same_place_through_the_same_window(dtype: Any) -> None:
    random = np.random.default_rng(0)
    small = [random.integers(0, np.iinfo(dtype).max, shape, dtype) for shape in ((20, 30), (25, 18))]
    large = [np.kron(image, np.ones((4, 4), dtype)) for image in small]
    pairs = PairCrops(small, large, scale=4, side=32, seed=0)
    seen = set()
    for index in range(40):
        pair = pairs[index]
        assert pair["lr"].shape == (8, 8, 1)
        assert pair["hr"].shape == (32, 32, 1)
        np.testing.assert_array_equal(np.kron(pair["lr"][..., 0], np.ones((4, 4), np.uint8)), pair["hr"][..., 0])
        seen.add(pair["lr"].tobytes())
    assert len(seen) == 40
    np.testing.assert_array_equal(pairs[5]["lr"], PairCrops(small, large, scale=4, side=32, seed=0)[5]["lr"])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_half_of_the_pairs_are_mirrored_both_members_alike(dtype: Any) -> None:
    lr = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (48, 48), dtype)
    hr = np.kron(lr, np.ones((2, 2), dtype))
    # Crops of the whole image differ in the mirroring alone, and those of 16 bits in the window.
    pairs = PairCrops([lr], [hr], scale=2, side=96, seed=0)
    mirrored = 0
    for index in range(100):
        pair = pairs[index]
        np.testing.assert_array_equal(np.kron(pair["lr"][..., 0], np.ones((2, 2), np.uint8)), pair["hr"][..., 0])
        as_it_is, flipped = (np.corrcoef(lr.ravel(), lr_of.ravel())[0, 1] for lr_of in (
            pair["lr"][..., 0], pair["lr"][:, ::-1, 0]))  # fmt: skip
        assert max(as_it_is, flipped) > 0.9 > 0.5 > min(as_it_is, flipped)
        mirrored += flipped > as_it_is
    assert 30 < mirrored < 70
    still = PairCrops([lr], [hr], scale=2, side=96, seed=0, flip=False)
    windows = {still[index]["lr"].tobytes() for index in range(20)}
    assert len(windows) == (1 if dtype == np.uint8 else 20)


def test_pairs_reach_every_edge() -> None:
    small = np.arange(100, dtype=np.uint8).reshape(10, 10)
    pairs = PairCrops([small], [np.kron(small, np.ones((2, 2), np.uint8))], scale=2, side=16, seed=0, flip=False)
    firsts = {int(pairs[i]["lr"][0, 0, 0]) for i in range(100)}
    assert firsts == {10 * top + left for top in range(3) for left in range(3)}


def test_sources_without_images_and_pairs_without_partners_are_refused(noise: np.ndarray) -> None:
    with pytest.raises(MedsrError, match="there is no image to crop"):
        Crops([], side=16, seed=0)
    with pytest.raises(MedsrError, match="there is no image to crop"):
        PairCrops([], [], scale=1, side=16, seed=0)
    with pytest.raises(MedsrError, match="1 low-resolution images can't be paired with 2"):
        PairCrops([noise], [noise, noise], scale=1, seed=0, side=8)


def test_a_mixture_takes_its_shares(noise: np.ndarray) -> None:
    black, white = (Crops([np.full((16, 16), value, np.uint8)], side=16, seed=0) for value in (0, 255))
    mixture = Mixture([black, white], shares=(1, 3), seed=0)
    assert np.mean([mixture[i]["hr"].mean() for i in range(2000)]) / 255 == pytest.approx(0.75, abs=0.03)
