"""The fields of a config's data reach the samples."""

import dataclasses
import itertools
import pathlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medsr_jax.data.crops import Crops, PairCrops
from medsr_jax.data.loading import Source
from medsr_jax.data.sender_pairs import SenderPairs, SenderSettings
from medsr_jax.data.sources import folder_images
from medsr_jax.training.config.schema import Config, Data
from medsr_jax.training.data.inputs import describe_source, training_batches

SENDER = SenderSettings(patch=8, scale=2, kernel="bicubic", quality=(30, 31), uncoded=0.5, zoom=0.7, zoomed=0.2)


@pytest.fixture(scope="module")
def image(radiograph: np.ndarray) -> np.ndarray:
    return radiograph.astype(np.uint16) * 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, image: np.ndarray) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("inputs")
    for name, pixels in (("hr", image), ("lr", image[::2, ::2].copy())):
        (folder / name).mkdir()
        Image.fromarray(pixels).save(folder / name / "a.png")
    return folder


def samples(data: Data, *, seed: int = 5, count: int = 6) -> list[dict[str, np.ndarray]]:
    """The first samples of a run with batches of two."""
    config = dataclasses.replace(Config(), seed=seed, batch=2, data=data)
    batches = training_batches(config, scale=2, channels=1, shard_index=0, shard_count=1)
    taken = list(itertools.islice(batches, count // 2))
    return [{name: value[row] for name, value in batch.items()} for batch in taken for row in range(2)]


def assert_same(found: list[dict[str, np.ndarray]], expected: Source) -> None:
    for index, sample in enumerate(found):
        assert sample.keys() == expected[index].keys()
        for name, value in expected[index].items():
            np.testing.assert_array_equal(sample[name], value)


@pytest.mark.parametrize("window", ["random", "full"])
@pytest.mark.parametrize("flip", [True, False])
def test_crops_have_side_flip_window_and_seed_of_the_config(folder: pathlib.Path, flip: bool, window: Any) -> None:
    hr, lr = folder / "hr", folder / "lr"
    (seen,) = (np.asarray(image) for image in folder_images(hr))
    found = samples(Data(source="folders", folders=((str(hr), 1.0),), side=32, flip=flip, window=window))
    assert_same(found, Crops([seen], side=32, seed=5, flip=flip, window=window))
    data = Data(source="pair_folders", lr_folder=str(lr), hr_folder=str(hr), side=32, flip=flip, window=window)
    pair = PairCrops([seen[::2, ::2]], [seen], scale=2, side=32, seed=5, flip=flip, window=window)
    assert_same(samples(data), pair)


def test_pairs_of_the_sender_have_its_settings_and_the_shares_of_the_folders(folder: pathlib.Path) -> None:
    folders = ((str(folder / "hr"), 0.25), (str(folder / "lr"), 0.75))
    found = samples(Data(source="sender", folders=folders, sender=SENDER))
    assert_same(found, SenderPairs(folders, sender=SENDER, seed=5))


def test_the_card_has_the_sources_inputs() -> None:
    config = Config()
    words = {
        source: describe_source(dataclasses.replace(config, data=Data(source=source, sender=SENDER)))
        for source in ("sender", "folders", "pair_folders")
    }
    assert words["sender"].startswith("bicubic downscaling by 2, JPEG q 30..31")
    assert words["folders"].startswith("blur_1 (Blur), resize_1 (RandomResize)")
    assert words["folders"].endswith("; scale 4")
    assert words["pair_folders"] == "given pairs"
