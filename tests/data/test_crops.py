import numpy as np
import pytest

from medsr_jax.data.crops import Crops, Mixture, PairedCrops, random_window, through
from medsr_jax.errors import MedsrError
from tests.data.pictures import picture


def places(crop, image):
    """Where a crop lies in an image, as (top, left) pairs."""
    windows = np.lib.stride_tricks.sliding_window_view(image, crop.shape)
    return list(zip(*np.nonzero((windows == crop).all(axis=(-1, -2))), strict=True))


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)


def test_a_crop_is_a_part_of_an_image_mirrored_half_the_time(noise):
    crops = Crops([noise], side=16, seed=0)
    straight = [len(places(crops[i]["hr"][..., 0], noise)) for i in range(100)]
    mirrored = [len(places(crops[i]["hr"][:, ::-1, 0], noise)) for i in range(100)]
    assert all(a + b == 1 for a, b in zip(straight, mirrored, strict=True))
    assert 30 < sum(mirrored) < 70
    unflipped = Crops([noise], side=16, seed=0, flip=False)
    tops, lefts = zip(*(places(unflipped[i]["hr"][..., 0], noise)[0] for i in range(300)), strict=True)
    assert (min(tops), max(tops), min(lefts), max(lefts)) == (0, 24, 0, 34)


def test_a_crop_depends_on_seed_and_index_alone(noise):
    crops, same, other = (Crops([noise, noise.T], side=16, seed=s) for s in (3, 3, 4))
    for index in (7, 10**9):
        np.testing.assert_array_equal(crops[index]["hr"], same[index]["hr"])
        assert not np.array_equal(crops[index]["hr"], other[index]["hr"])
    assert not np.array_equal(crops[7]["hr"], crops[8]["hr"])


def test_crops_are_8_bit_with_the_channels_asked_for(noise):
    for image in (noise, np.stack([noise] * 3, -1), noise.astype(np.uint16) * 257):
        for channels in (1, 3):
            crop = Crops([image], side=16, seed=0, channels=channels)[0]["hr"]
            assert crop.shape == (16, 16, channels)
            assert crop.dtype == np.uint8
            assert crop.flags.c_contiguous


def test_colours_become_luma_or_stay(noise):
    colours = np.stack([noise, noise // 2, noise // 3], -1)
    grey = Crops([colours], side=16, seed=0, flip=False)[0]["hr"][..., 0]
    kept = Crops([colours], side=16, seed=0, flip=False, channels=3)[0]["hr"]
    np.testing.assert_allclose(grey, kept @ [0.299, 0.587, 0.114], atol=0.51)


def test_deep_images_are_seen_whole_or_through_windows_that_differ(noise):
    deep = noise.astype(np.uint16) * 257
    whole = Crops([deep], side=16, seed=0, window="full")
    np.testing.assert_array_equal(whole[3]["hr"], Crops([noise], side=16, seed=0)[3]["hr"])
    ends = [random_window(deep, np.random.default_rng(i)) for i in range(50)]
    lows, highs = zip(*ends, strict=True)
    assert 0 <= min(lows) < max(lows) <= np.percentile(deep[::8, ::8], 20)
    assert np.percentile(deep[::8, ::8], 97) <= min(highs) < max(highs) <= deep.max()
    drawn = [int(Crops([deep], side=40, seed=0)[i]["hr"].mean()) for i in range(20)]
    assert len(set(drawn)) > 5


def test_a_window_maps_its_ends_to_black_and_white():
    np.testing.assert_array_equal(through(np.array([0, 100, 160, 200, 999]), 100, 200), [0, 0, 153, 255, 255])


def test_images_that_are_too_small_are_passed_over(noise):
    crops = Crops([noise, picture(0, (15, 90))], side=16, seed=0)
    assert all(crops[i]["hr"].shape == (16, 16, 1) for i in range(20))
    with pytest.raises(MedsrError, match="were all smaller than 64 x 64"):
        Crops([noise], side=64, seed=0)[0]


@pytest.mark.parametrize(
    "fields", [{"images": []}, {"side": 0}, {"window": "auto"}, {"channels": 2}], ids=["images", "side", "window", "ch"]
)
def test_wrong_settings_are_refused_before_the_first_crop(noise, fields):
    with pytest.raises(MedsrError, match="config.data"):
        Crops(fields.pop("images", [noise]), **{"seed": 0, **fields})


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_pair_shows_the_same_place_through_the_same_window(dtype):
    random = np.random.default_rng(0)
    small = [random.integers(0, np.iinfo(dtype).max, shape, dtype) for shape in ((20, 30), (25, 18))]
    large = [np.kron(image, np.ones((4, 4), dtype)) for image in small]
    pairs = PairedCrops(small, large, scale=4, side=32, seed=0)
    seen = set()
    for index in range(40):
        pair = pairs[index]
        assert pair["lr"].shape == (8, 8, 1)
        assert pair["hr"].shape == (32, 32, 1)
        np.testing.assert_array_equal(np.kron(pair["lr"][..., 0], np.ones((4, 4), np.uint8)), pair["hr"][..., 0])
        seen.add(pair["lr"].tobytes())
    assert len(seen) == 40
    np.testing.assert_array_equal(pairs[5]["lr"], PairedCrops(small, large, scale=4, side=32, seed=0)[5]["lr"])


def test_pairs_reach_every_edge():
    small = np.arange(100, dtype=np.uint8).reshape(10, 10)
    pairs = PairedCrops([small], [np.kron(small, np.ones((2, 2), np.uint8))], scale=2, side=16, seed=0, flip=False)
    firsts = {int(pairs[i]["lr"][0, 0, 0]) for i in range(100)}
    assert firsts == {10 * top + left for top in range(3) for left in range(3)}


def test_pairs_that_can_not_be_cut_are_refused(noise):
    with pytest.raises(MedsrError, match="config.data.side: 30 is not a multiple of the scale, 4"):
        PairedCrops([noise], [noise], scale=4, side=30, seed=0)
    with pytest.raises(MedsrError, match="1 small images can't be paired with 2"):
        PairedCrops([noise], [noise, noise], scale=1, seed=0, side=8)


def test_a_mixture_takes_its_shares(noise):
    black, white = (Crops([np.full((16, 16), value, np.uint8)], side=16, seed=0) for value in (0, 255))
    mixture = Mixture([black, white], shares=(1, 3), seed=0)
    assert np.mean([mixture[i]["hr"].mean() for i in range(2000)]) / 255 == pytest.approx(0.75, abs=0.03)
    with pytest.raises(MedsrError, match="shares"):
        Mixture([black, white], shares=(1,), seed=0)
