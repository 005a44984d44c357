"""Training images from a set made by `medsr prepare`, any set of TensorFlow Datasets, or a folder.

Each is a sequence of (rows, columns) or (rows, columns, 3) arrays of uint8, used as they are, or of uint16, whose
0..65535 is the window of `windows`.
"""

from __future__ import annotations

import io
import os
import pathlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np

from medsr_jax.data.windows import Window, through_window
from medsr_jax.errors import MedsrError, first_line, missing_part
from medsr_jax.files import find_inputs
from medsr_jax.imaging import read_image
from medsr_jax.imaging.colour import to_grey

CATALOGUE = "tfds:"
"""Prefix of the name of a set in the TFDS catalogue."""

_PAGES = "https://www.tensorflow.org/datasets/catalog"


class Images(Sequence[np.ndarray]):
    """Images that are decoded on access and cached as long as there is room.

    The others are decoded again each time: with uniform draws no image is a better one to cache than another.

    Args:
        count: of the images.
        read: an image by its number.
        cache_gib: of the cache of decoded pixels.
    """

    def __init__(self, count: int, read: Callable[[int], np.ndarray], *, cache_gib: float) -> None:
        self._count, self._read = count, read
        self._room = int(cache_gib * 2**30)
        self._kept: dict[int, np.ndarray] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[np.ndarray]: ...

    def __getitem__(self, index: int | slice) -> np.ndarray | Sequence[np.ndarray]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(index)
        number = int(index) % self._count
        image = self._kept.get(number)
        if image is None:
            image = self._read(number)
            with self._lock:
                if number not in self._kept and image.nbytes <= self._room:
                    self._room -= image.nbytes
                    self._kept[number] = image
        return image


def load_images(
    where: str | os.PathLike[str],
    *,
    split: str = "train",
    image_key: str = "image",
    data_dir: str | os.PathLike[str] | None = None,
    channels: int = 1,
    window: Window = "auto",
    smallest: int = 1,
    cache_gib: float = 4.0,
) -> Sequence[np.ndarray]:
    """The images of a set or folder.

    Args:
        where: "tfds:NAME" for a set of the TFDS catalogue; or a folder, of a set in array_record files (such as
            `medsr prepare` makes), else of images, which are read into memory.
        split: of a set, also a part such as "train[:90%]"; a folder has none.
        image_key: the set's feature with the image, "a/b" for b in a. Of a sequence of images the first is taken.
        data_dir: where TFDS keeps the sets of its catalogue; its default otherwise.
        channels: 1 turns colours to grey by BT.601 luma; 3 leaves them. Folders are read as grey.
        window: of a folder's images deeper than 8 bits; see `windows.through_window`.
        smallest: images of a folder with a shorter side are left out; those of a set are not decoded yet.
        cache_gib: of the cache of a set's decoded images.

    Raises:
        MedsrError: there is no such set, split, feature or folder, or no image in it.
    """
    name = os.fspath(where)
    if name.startswith(CATALOGUE):
        builder = _catalogue(name.removeprefix(CATALOGUE), data_dir)
        return _set_images(builder, name, split=split, image_key=image_key, channels=channels, cache_gib=cache_gib)
    folder = pathlib.Path(name)
    if not folder.exists():
        raise MedsrError(
            "no such folder",
            path=folder,
            remedy="make a set with `medsr prepare`, or name a folder of images in config.data",
        )
    if is_prepared(folder):
        tfds = _tfds(folder)
        try:
            builder = tfds.builder_from_directory(folder)
        except Exception as error:  # TFDS raises errors of many types for bad JSON.
            raise MedsrError(
                f"is a damaged training set: {first_line(error)}", path=folder, remedy="make it again"
            ) from error
        return _set_images(builder, name, split=split, image_key=image_key, channels=channels, cache_gib=cache_gib)
    return folder_images(folder, window=window, smallest=smallest)


def is_prepared(where: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a set in the format of TFDS, such as `medsr prepare` makes."""
    return pathlib.Path(where, "dataset_info.json").is_file()


def folder_images(folder: pathlib.Path, *, window: Window = "auto", smallest: int = 1) -> list[np.ndarray]:
    """All frames below a folder, (rows, columns) uint8 or uint16, through `windows.through_window`.

    Args:
        folder: of PNG, JPEG, TIFF and DICOM files.
        window: of images deeper than 8 bits.
        smallest: images with a shorter side are left out.

    Raises:
        MedsrError: a file can't be read, or no image is left.
    """
    images = [frame for path, _ in find_inputs([folder]) for frame in through_window(read_image(path), window).frames]
    images = [image for image in images if min(image.shape) >= smallest]
    if not images:
        raise MedsrError(
            f"no image with both sides of {smallest} pixels or more",
            path=folder,
            remedy="give another folder in config.data",
        )
    return images


def _tfds(what: object) -> Any:
    try:
        import tensorflow_datasets as tfds  # type: ignore[import-untyped]
    except ImportError as error:
        raise missing_part(error, what=f"{what}: reading it") or error from None
    return tfds


def _catalogue(name: str, data_dir: str | os.PathLike[str] | None) -> Any:
    """The builder of a downloaded and prepared set."""
    tfds = _tfds(CATALOGUE + name)
    where = None if data_dir is None else os.fspath(data_dir)
    try:
        builder = tfds.builder(name, data_dir=where, try_gcs=False)
    except tfds.core.DatasetNotFoundError as error:
        raise MedsrError(f"{CATALOGUE}{name}: no set of this name in TFDS {tfds.__version__}") from error
    except Exception as error:  # TFDS parses names, and sets import any module.
        raise MedsrError(f"{CATALOGUE}{name}: TFDS can't make it: {first_line(error)}") from error
    if not pathlib.Path(builder.data_path, "dataset_info.json").is_file():
        by_hand = getattr(builder, "MANUAL_DOWNLOAD_INSTRUCTIONS", None)
        first = f" after downloading it by hand as {_PAGES}/{builder.name} says" if by_hand else ""
        raise MedsrError(
            f"{CATALOGUE}{name}: is not in {builder.data_path}", remedy=f"make it with {_making(name, where)}{first}"
        )
    return builder


def _set_images(
    builder: Any, name: str, *, split: str, image_key: str, channels: int, cache_gib: float
) -> Sequence[np.ndarray]:
    tfds = _tfds(name)
    feature: Any = builder.info.features
    keys = image_key.split("/")
    for key in keys:
        if key not in getattr(feature, "keys", dict)():
            has = ", ".join(builder.info.features.keys())
            raise MedsrError(f"{name}: has no feature {image_key}, config.data.image_key", remedy=f"it has {has}")
        feature = feature[key]
    feature = getattr(feature, "feature", feature)
    if not isinstance(feature, tfds.features.Image) or np.dtype(feature.np_dtype).kind == "f":
        raise MedsrError(f"{name}: {image_key}, config.data.image_key, is no image of 8 or 16 bits")
    try:
        records = builder.as_data_source(split, decoders=_undecoded(builder.info.features, tfds))
        count = len(records)
    except NotImplementedError as error:
        raise MedsrError(
            f"{name}: is written as {builder.info.file_format.value}, which can't be read in any order",
            remedy=f"make it again in another data_dir with {_making(builder.name, 'DIR')}",
        ) from error
    except Exception as error:  # A wrong split is a ValueError, a missing file one of array_record's own.
        splits = ", ".join(builder.info.splits) or "none"
        raise MedsrError(f"{name}: split {split} can't be read: {first_line(error)} (splits: {splits})") from error
    if not count:
        raise MedsrError(f"{name}: split {split} is empty")

    def read(number: int) -> np.ndarray:
        try:
            record: Any = records[number]
            for key in keys:
                record = record[key]
            if not isinstance(record, bytes):
                record = record[0]
            return _decoded(record, channels=channels)
        except Exception as error:  # Decoders raise errors of many types.
            raise MedsrError(f"{name}: image {number} of {split} can't be read: {first_line(error)}") from error

    return Images(count, read, cache_gib=cache_gib)


def _decoded(data: bytes, *, channels: int) -> np.ndarray:
    """(rows, columns) or, in colour, (rows, columns, 3) of a PNG, JPEG, BMP or GIF; uint8 or uint16."""
    if data.startswith(b"\x89PNG"):
        import imagecodecs

        pixels = np.asarray(imagecodecs.png_decode(data))
    else:
        import PIL.Image

        picture = PIL.Image.open(io.BytesIO(data))
        pixels = np.asarray(picture if picture.mode in ("L", "RGB") else picture.convert("RGB"))
    if pixels.ndim == 3 and (channels == 1 or pixels.shape[-1] < 3):
        return to_grey(pixels)[0]
    return pixels[..., :3] if pixels.ndim == 3 else pixels


def _making(name: str, data_dir: str | None) -> str:
    """The command that writes a set with random access."""
    where = f", data_dir='{data_dir}'" if data_dir else ""
    return f"`tfds.builder('{name}'{where}, file_format='array_record').download_and_prepare()`"


def _undecoded(features: Any, tfds: Any) -> Any:
    """Decoders that leave images encoded: TFDS's own would decode unused features too, and needs OpenCV for 16 bits."""

    class Encoded(tfds.decode.SkipDecoding):  # type: ignore[misc]
        """Skips sequences too, which the class of TFDS leaves to TensorFlow."""

        def decode_batch_example_np(self, example: Any) -> Any:
            return example

        decode_ragged_example_np = decode_batch_example_np

    features = getattr(features, "feature", features)  # of a sequence
    if isinstance(features, tfds.features.Image):
        return Encoded()
    inner = {key: _undecoded(features[key], tfds) for key in getattr(features, "keys", dict)()}
    return {key: decoder for key, decoder in inner.items() if decoder} or None
