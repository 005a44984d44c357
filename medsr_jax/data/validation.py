"""Validation images: central crops of a folder's images, or of a split of a prepared set."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

import numpy as np

from medsr_jax.data.levels import to_eight_bits
from medsr_jax.data.sources import is_prepared, load_images
from medsr_jax.data.windows import through_window
from medsr_jax.errors import MedsrError
from medsr_jax.files import find_inputs
from medsr_jax.imaging import read_image


def validation_images(
    folder: str | os.PathLike[str], *, side: int, count: int | None = None, split: str = "validation"
) -> Iterator[np.ndarray]:
    """Central crops through the windows of training (`windows.through_window`): high values white, padding black.

    Args:
        folder: of images, whose first frames are taken; or a set made by `medsr prepare`.
        side: of a crop, in pixels.
        count: of images, evenly spaced through the files or the split; None for all.
        split: of a prepared set.

    Yields:
        (side, side) uint8. Deeper images are rounded to 8 bits over their whole window.

    Raises:
        MedsrError: an image is smaller than the crop, or can't be read, or there is none.
    """
    if is_prepared(folder):
        images = load_images(folder, split=split)
        for number in _spaced(len(images), count):
            yield to_eight_bits(_central(images[number], side, pathlib.Path(f"{folder}: image {number} of {split}")))
        return
    paths = [path for path, _ in find_inputs([pathlib.Path(folder)])]
    for number in _spaced(len(paths), count):
        frame = through_window(read_image(paths[number])).frames[0]
        yield to_eight_bits(_central(frame, side, paths[number]))


def _spaced(length: int, count: int | None) -> list[int]:
    if count is None or count >= length:
        return list(range(length))
    return [int(number) for number in np.linspace(0, length - 1, count).round()]


def _central(image: np.ndarray, side: int, name: pathlib.Path) -> np.ndarray:
    top, left = ((extent - side) // 2 for extent in image.shape)
    if top < 0 or left < 0:
        size = " x ".join(map(str, image.shape))
        raise MedsrError(
            f"has {size} pixels, fewer than the {side} x {side} of validation",
            path=name,
            remedy="lower config.validation.side",
        )
    return image[top : top + side, left : left + side]
