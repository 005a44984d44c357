"""Training pairs of a family of generators: scales by batch, codecs by share, conditions of the streams themselves."""

import collections
import dataclasses
import pathlib

import numpy as np
import pytest
from PIL import Image

from medsr_jax.data.link_pairs import LinkPairs, LinkSettings, avif_settings
from medsr_jax.errors import MedsrError
from medsr_jax.models.conditions import CONDITIONED_CODECS
from medsr_jax.transmission.downscaling import downscale

LINK = LinkSettings(side=64, scales=(1, 2, 4), zoomed=0.0, contrast=(1.0, 1.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, radiograph: np.ndarray) -> str:
    folder = tmp_path_factory.mktemp("link")
    Image.fromarray(radiograph).save(folder / "a.png")
    return str(folder)


def pairs_of(folder: str, link: LinkSettings = LINK, *, batch: int = 2, seed: int = 3) -> LinkPairs:
    return LinkPairs([(folder, 1.0)], link=link, batch=batch, seed=seed)


def test_scale_changes_with_the_batch_and_is_one_within_it(folder: str) -> None:
    pairs = pairs_of(folder, batch=2)
    assert [64 // len(pairs[index]["lr"]) for index in range(12)] == [1, 1, 2, 2, 4, 4] * 2


def test_sample_is_a_function_of_seed_and_index(folder: str) -> None:
    first, again, other = pairs_of(folder)[7], pairs_of(folder)[7], pairs_of(folder, seed=4)[7]
    for name in ("lr", "hr", "strength"):
        np.testing.assert_array_equal(first[name], again[name])
    assert not np.array_equal(first["hr"], other["hr"])


def test_uncoded_input_is_the_downscaled_target_with_zero_condition(folder: str) -> None:
    pairs = pairs_of(folder, dataclasses.replace(LINK, uncoded=1.0), batch=1)
    for index, scale in enumerate(LINK.scales):
        sample = pairs[index]
        expected = np.rint(downscale(sample["hr"][..., 0], scale=scale, kernel="area"))
        np.testing.assert_array_equal(sample["lr"][..., 0], expected)
        assert not sample["strength"].any()


@pytest.mark.parametrize("codec", CONDITIONED_CODECS)
def test_coded_input_has_the_condition_of_its_codec_alone(folder: str, codec: str) -> None:
    pairs = pairs_of(folder, dataclasses.replace(LINK, uncoded=0.0, codecs=((codec, 1.0),)))
    for index in (0, 2, 4):
        sample = pairs[index]
        assert np.flatnonzero(sample["strength"]).tolist() == [CONDITIONED_CODECS.index(codec)]
        error = np.abs(
            sample["lr"][..., 0] - downscale(sample["hr"][..., 0], scale=len(sample["hr"]) // len(sample["lr"]))
        )
        assert 0.2 < error.mean() < 12


def test_coarser_settings_have_a_stronger_condition_and_a_larger_error(folder: str) -> None:
    found = []
    for setting in (5, 30, 60):
        link = dataclasses.replace(LINK, scales=(1,), uncoded=0.0, codecs=(("avif", 1.0),), avif=(setting, setting))
        sample = pairs_of(folder, link)[0]
        error = np.square(sample["lr"].astype(float) - sample["hr"]).mean()
        found.append((sample["strength"][2], error))
    assert found == sorted(found, reverse=True)


def test_codecs_are_drawn_by_their_shares(folder: str) -> None:
    link = dataclasses.replace(LINK, uncoded=0.25, codecs=(("avif", 2.0), ("jpeg", 1.0)), scales=(4,))
    pairs = pairs_of(folder, link)
    drawn = collections.Counter(tuple(np.flatnonzero(pairs[index]["strength"])) for index in range(200))
    assert set(drawn) == {(), (0,), (2,)}
    assert abs(drawn[()] - 50) < 20
    assert abs(drawn[(2,)] - 100) < 25


def test_avif_settings_rise_with_the_scale_and_stay_valid() -> None:
    link = LinkSettings(avif=(1, 80))
    assert [avif_settings(link, scale=scale) for scale in (1, 2, 4)] == [(1, 80), (16, 90), (31, 90)]


def test_folder_without_large_enough_images_is_refused(tmp_path: pathlib.Path) -> None:
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / "small.png")
    with pytest.raises(MedsrError, match="64"):
        pairs_of(str(tmp_path))
