import io
import json
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from medsr_jax.data.collection import PrepareSettings
from medsr_jax.data.prepare import prepare
from medsr_jax.data.sources import Images, load_images
from medsr_jax.errors import MedsrError
from tests.data.pictures import ct, picture, png

COLOURS = np.stack([picture(n) for n in range(3)], axis=-1)
LUMA = COLOURS @ [0.299, 0.587, 0.114]


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


class TinyViews(tfds.core.GeneratorBasedBuilder):
    """A set as the catalogue has them: colours, nested features, sequences of images, 16 bits."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = "Ask the hospital."
    code_path = None

    def _info(self) -> tfds.core.DatasetInfo:
        image = tfds.features.Image
        features = {
            "image": image(shape=(None, None, 3)),
            "study": {"deep": image(shape=(None, None, 1), dtype=np.uint16), "jpeg": image(shape=(None, None, 1))},
            "views": tfds.features.Sequence({"image": image(shape=(None, None, 1)), "side": tfds.features.Text()}),
            "plain": tfds.features.Sequence(image(shape=(None, None, 1))),
            "label": tfds.features.ClassLabel(num_classes=2),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {"train": self._generate_examples(3), "test": self._generate_examples(1)}

    def _generate_examples(self, count: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for n in range(count):
            yield (
                n,
                {
                    "image": encoded(COLOURS),
                    "study": {"deep": encoded(picture(9, dtype=np.uint16)), "jpeg": encoded(picture(9), "JPEG")},
                    "views": [{"image": encoded(picture(v)), "side": "L"} for v in range(2)],
                    "plain": [encoded(picture(v + 5)) for v in range(2)],
                    "label": n % 2,
                },
            )


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("tfds")
    TinyViews(data_dir=folder, file_format="array_record").download_and_prepare(download_dir=folder)
    return folder


@pytest.mark.parametrize(
    ("key", "expected"),
    [("study/deep", picture(9, dtype=np.uint16)), ("views/image", picture(0)), ("plain", picture(5))],
)
def test_the_image_of_a_catalogue_set_is_named_by_its_key(data_dir: pathlib.Path, key: str, expected: Any) -> None:
    images = load_images("tfds:tiny_views", image_key=key, data_dir=data_dir)
    assert len(images) == 3
    np.testing.assert_array_equal(images[1], expected)


def test_jpeg_is_decoded_too(data_dir: pathlib.Path) -> None:
    image = load_images("tfds:tiny_views", image_key="study/jpeg", data_dir=data_dir)[0]
    np.testing.assert_allclose(image.astype(int), picture(9), atol=8)


def test_colours_become_luma_unless_three_channels_are_asked_for(data_dir: pathlib.Path) -> None:
    np.testing.assert_allclose(load_images("tfds:tiny_views", data_dir=data_dir)[0], LUMA, atol=0.51)
    np.testing.assert_array_equal(load_images("tfds:tiny_views", data_dir=data_dir, channels=3)[0], COLOURS)


def test_splits_and_parts_of_them(data_dir: pathlib.Path) -> None:
    assert len(load_images("tfds:tiny_views", data_dir=data_dir, split="test")) == 1
    assert len(load_images("tfds:tiny_views", data_dir=data_dir, split="train[:2]")) == 2


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("tiny_views", {"split": "none"}, "split none can't be read: .* (splits: train, test)"),
        ("tiny_views", {"image_key": "picture"}, "has no feature picture, config.data.image_key; it has image,"),
        ("tiny_views", {"image_key": "study/none"}, "has no feature study/none"),
        ("tiny_views", {"image_key": "image/deeper"}, "has no feature image/deeper"),
        ("tiny_views", {"image_key": "label"}, "label, config.data.image_key, is no image"),
        ("tiny_views", {"image_key": "study"}, "study, config.data.image_key, is no image"),
        ("no_such_set", {}, "no set of this name"),
        ("../etc", {}, "TFDS can't make it"),
        ("chexpert", {}, "make it with `tfds.builder('chexpert', .*by hand as https://"),
        ("mnist", {}, "make it with `tfds.builder('mnist', .*download_and_prepare()`$"),
    ],
)
def test_what_is_not_there_is_a_line_that_says_what_to_do(
    data_dir: pathlib.Path, name: str, options: Any, message: str
) -> None:
    with pytest.raises(MedsrError, match=f"^tfds:{name}: .*{message.replace('(', '[(]').replace(')', '[)]')}") as error:
        load_images(f"tfds:{name}", data_dir=data_dir, **options)
    assert "\n" not in str(error.value)


def test_a_set_without_random_access_is_refused_with_the_remedy(data_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    shutil.copytree(data_dir / "tiny_views" / "1.0.0", tmp_path / "set")
    path = tmp_path / "set" / "dataset_info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "fileFormat": "tfrecord"}))
    with pytest.raises(MedsrError, match="set: is written as tfrecord, which .* file_format='array_record'"):
        load_images(tmp_path / "set")


def test_a_damaged_set_is_a_line(data_dir: pathlib.Path, tmp_path: pathlib.Path) -> None:
    shutil.copytree(data_dir / "tiny_views" / "1.0.0", tmp_path / "set")
    next((tmp_path / "set").glob("*train*")).unlink()
    with pytest.raises(MedsrError, match="set: "):
        load_images(tmp_path / "set")[0]
    (tmp_path / "set" / "dataset_info.json").write_text("{")
    with pytest.raises(MedsrError, match="set: "):
        load_images(tmp_path / "set")


def test_a_folder_of_images_is_read_as_a_set_would_be_made(tmp_path: pathlib.Path) -> None:
    png(tmp_path / "in" / "a.png", picture(1))
    ct(tmp_path / "in" / "b.dcm", picture(2).astype(int) * 8 - 1000)
    prepare([tmp_path / "in"], tmp_path / "set", settings=PrepareSettings(min_side=16, validation=0))
    plain, made = load_images(tmp_path / "in"), load_images(tmp_path / "set")
    order = {image.dtype: image for image in made}
    for image in plain:
        np.testing.assert_array_equal(image, order[image.dtype])
    with pytest.raises(MedsrError, match="in: no image with both sides of 41"):
        load_images(tmp_path / "in", smallest=41)
    with pytest.raises(MedsrError, match="none: no such folder"):
        load_images(tmp_path / "none")


def test_images_are_kept_while_there_is_room() -> None:
    reads = []

    def read(number: int) -> np.ndarray:
        reads.append(number)
        return np.full((1024, 512), number, np.uint8)

    images = Images(3, read, cache_gib=1 / 1024)  # room for two
    for number in (0, 1, 2, 0, 1, 2, 2, -1):
        assert images[number][0, 0] == number % 3
    assert reads == [0, 1, 2, 2, 2, 2]
    with pytest.raises(IndexError):
        images[3]
    assert len(list(images)) == len(images[:]) == 3
