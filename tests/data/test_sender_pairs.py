"""Training pairs by the sender's own code: what is drawn, and that each augmentation changes both members alike."""

import dataclasses
import pathlib

import numpy as np
import pytest
from PIL import Image

from medsr_jax.data.loading import batches
from medsr_jax.data.sender_pairs import SenderPairs, SenderSettings
from medsr_jax.errors import MedsrError
from medsr_jax.jpeg.coefficients import parse
from medsr_jax.models.compact import quantisation_strength
from medsr_jax.transmission.codecs import decode_jpeg, encode_jpeg
from medsr_jax.transmission.downscaling import KERNELS, downscale

# No augmentation but the mirroring, which can't be switched off, and no JPEG.
PLAIN = SenderSettings(patch=16, uncoded=1.0, zoomed=0.0, contrast=(1.0, 1.0))
SIDE = PLAIN.patch * PLAIN.scale


@pytest.fixture(scope="module")
def image(radiograph: np.ndarray) -> np.ndarray:
    """A picture of exactly one target, so that only augmentation makes samples differ."""
    return np.ascontiguousarray(radiograph[40 : 40 + SIDE, 60 : 60 + SIDE])


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory, image: np.ndarray) -> str:
    folder = tmp_path_factory.mktemp("one")
    Image.fromarray(image).save(folder / "a.png")
    return str(folder)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, radiograph: np.ndarray) -> str:
    """Two 8-bit pictures and one of 16 bits."""
    folder = tmp_path_factory.mktemp("many")
    large = np.tile(radiograph, (2, 2))
    Image.fromarray(large).save(folder / "a.png")
    Image.fromarray(large[::-1].copy()).save(folder / "b.png")
    (folder / "deep").mkdir()
    Image.fromarray(large.astype(np.uint16) * 100).save(folder / "deep" / "c.png")
    return str(folder)


def pairs_of(folder: str, sender: SenderSettings, *, seed: int = 3) -> SenderPairs:
    return SenderPairs([(folder, 1.0)], sender=sender, seed=seed)


def targets(folder: str, sender: SenderSettings, count: int = 60) -> np.ndarray:
    """(count, SIDE, SIDE) targets, after a check that every input is made of its own target."""
    pairs = pairs_of(folder, sender)
    samples = [pairs[index] for index in range(count)]
    for sample in samples:
        small = np.rint(downscale(sample["hr"][..., 0], scale=sender.scale))
        np.testing.assert_array_equal(sample["lr"][..., 0], small)
    return np.stack([sample["hr"][..., 0] for sample in samples])


def test_without_augmentation_a_target_is_the_image_mirrored_half_the_time(one: str, image: np.ndarray) -> None:
    found = targets(one, PLAIN)
    mirrored = (found == image[:, ::-1]).all(axis=(1, 2))
    np.testing.assert_array_equal(mirrored, ~(found == image).all(axis=(1, 2)))
    assert 15 < mirrored.sum() < 45


def test_contrast_is_changed_by_a_factor_of_its_range(one: str, image: np.ndarray) -> None:
    found = targets(one, dataclasses.replace(PLAIN, contrast=(0.5, 0.8)))
    factors = [target.std() / image.std() for target in found]
    assert 0.49 < min(factors) < 0.53 < 0.77 < max(factors) < 0.81
    means = [target.mean() for target in found]
    assert max(means) - min(means) > 20  # about a grey that is drawn


def test_zoomed_targets_show_more_of_the_image_shrunk(many: str) -> None:
    """Neighbouring pixels of a target differ more where it was shrunk."""

    def detail(found: np.ndarray) -> float:
        return float(np.abs(np.diff(found.astype(int), axis=1)).mean())

    plain = targets(many, PLAIN)
    zoomed = targets(many, dataclasses.replace(PLAIN, zoomed=1.0, zoom=0.5))
    sometimes = targets(many, dataclasses.replace(PLAIN, zoomed=0.5, zoom=0.5))
    assert detail(zoomed) > 1.1 * detail(plain)
    assert detail(plain) < detail(sometimes) < detail(zoomed)


def test_the_default_augments_almost_every_sample(one: str, image: np.ndarray) -> None:
    found = targets(one, SenderSettings(patch=16, uncoded=1.0))
    assert len({target.tobytes() for target in found}) == len(found)
    assert not (found == image).all(axis=(1, 2)).any()


def test_places_are_drawn_all_over_the_image(tmp_path: pathlib.Path) -> None:
    rows, columns = 66, 67
    Image.fromarray(np.add.outer(np.arange(rows), np.arange(columns)).astype(np.uint8)).save(tmp_path / "a.png")
    corners = targets(str(tmp_path), PLAIN, 200).min(axis=(1, 2))
    assert (corners.min(), corners.max()) == (0, 2 + 3)


def test_deep_images_are_seen_through_windows_that_differ(tmp_path: pathlib.Path, image: np.ndarray) -> None:
    Image.fromarray(image.astype(np.uint16) * 100).save(tmp_path / "a.png")
    found = targets(str(tmp_path), PLAIN)
    assert len({target.tobytes() for target in found}) > 50


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_pair_is_the_senders_result_for_its_target(many: str, kernel: str) -> None:
    sender = dataclasses.replace(PLAIN, quality=(60, 60), uncoded=0.0, kernel=kernel)
    pairs = pairs_of(many, sender)
    for index in range(20):
        pair = pairs[index]
        # Kernels that overshoot at edges must not wrap round from white to black.
        small = np.clip(np.rint(downscale(pair["hr"][..., 0], scale=4, kernel=kernel)), 0, 255).astype(np.uint8)
        np.testing.assert_array_equal(pair["lr"][..., 0], decode_jpeg(encode_jpeg(small, 60)))
        assert pair["strength"] > 0
        assert pair["hr"].shape == (64, 64, 1)


def test_quality_is_drawn_from_the_whole_of_its_range_and_some_pairs_are_not_coded(one: str) -> None:
    pairs = pairs_of(one, dataclasses.replace(PLAIN, uncoded=0.25, quality=(50, 52)))
    strengths = [float(pairs[index]["strength"]) for index in range(200)]
    streams = [encode_jpeg(np.zeros((16, 16), np.uint8), quality) for quality in (50, 51, 52)]
    expected = {np.float32(quantisation_strength(parse(stream).table)) for stream in streams}
    assert set(strengths) == {0.0, *map(float, expected)}
    assert 30 < strengths.count(0.0) < 70


def test_a_pair_depends_on_seed_and_index_alone(many: str) -> None:
    pairs, same, other = (pairs_of(many, SenderSettings(patch=16), seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(pairs[7]["hr"], same[7]["hr"])
    assert not np.array_equal(pairs[7]["hr"], other[7]["hr"])
    assert not np.array_equal(pairs[7]["hr"], pairs[8]["hr"])


def test_folders_give_their_shares(tmp_path: pathlib.Path) -> None:
    for name, value in (("black", 0), ("white", 255)):
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((64, 64), value, np.uint8)).save(tmp_path / name / "a.png")
    folders = [(str(tmp_path / "black"), 1.0), (str(tmp_path / "white"), 3.0)]
    pairs = SenderPairs(folders, sender=PLAIN, seed=0)
    assert np.mean([pairs[i]["hr"].mean() / 255 for i in range(1000)]) == pytest.approx(0.75, abs=0.04)


def test_an_iterator_resumes_from_its_state(many: str) -> None:
    pairs = pairs_of(many, SenderSettings(patch=16))
    data = batches(pairs, batch=2)
    next(data)
    position = data.get_state()
    expected = next(data)
    later = batches(pairs, batch=2)
    later.set_state(position)
    np.testing.assert_array_equal(next(later)["hr"], expected["hr"])


def test_an_empty_or_missing_folder_is_refused_by_name(tmp_path: pathlib.Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(MedsrError, match=folder.name):
            pairs_of(str(folder), PLAIN)
