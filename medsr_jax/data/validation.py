"""What a run is validated on: central crops of a folder's images, or of a split of a prepared set."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

import numpy as np

from medsr_jax.data.sources import is_prepared, load_images
from medsr_jax.data.windows import through_window
from medsr_jax.errors import MedsrError
from medsr_jax.files import find_inputs
from medsr_jax.imaging import read_image


def validation_images(
    where: str | os.PathLike[str], *, side: int, count: int | None = None, split: str = "validation"
) -> Iterator[np.ndarray]:
    """Central crops, seen as training sees them (`windows.through_window`): high values white, padding black.

    Args:
        where: a folder of images, of which the first frame is taken; or a set that `medsr prepare` made.
        side: of a crop, in pixels.
        count: how many, evenly spaced through the files or the split; all for None.
        split: of a prepared set.

    Yields:
        (side, side) uint8. Deeper images are seen through the whole of their window.

    Raises:
        MedsrError: an image is smaller than the crop, or there is none; the file is named.
    """
    if side < 1:
        raise MedsrError(f"config.validation.side: {side} is no size of a crop")
    if is_prepared(where):
        images = load_images(where, split=split)
        for number in _spaced(len(images), count):
            yield _eight_bits(_central(images[number], side, pathlib.Path(f"{where}: image {number} of {split}")))
        return
    paths = [path for path, _ in find_inputs([pathlib.Path(where)])]
    for number in _spaced(len(paths), count):
        frame = through_window(read_image(paths[number])).frames[0]
        yield _eight_bits(_central(frame, side, paths[number]))


def _spaced(length: int, count: int | None) -> list[int]:
    if count is None or count >= length:
        return list(range(length))
    return [int(number) for number in np.linspace(0, length - 1, count).round()]


def _central(image: np.ndarray, side: int, name: pathlib.Path) -> np.ndarray:
    top, left = ((extent - side) // 2 for extent in image.shape)
    if top < 0 or left < 0:
        size = " x ".join(map(str, image.shape))
        raise MedsrError(
            f"has {size} pixels, and validation takes {side} x {side}", path=name, remedy="lower config.validation.side"
        )
    return image[top : top + side, left : left + side]


def _eight_bits(codes: np.ndarray) -> np.ndarray:
    return codes if codes.dtype == np.uint8 else np.rint(codes / np.float32(257)).astype(np.uint8)
