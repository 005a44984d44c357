"""Random crops of images, the targets of training, and of pairs of low- and high-resolution images.

Every sample is a pure function of (seed, index), so a resumed run continues with the samples that it would have had.
Images are uint8, used as they are, or uint16, mapped to 8 bits through a value window. They are drawn uniformly, with
replacement. Arguments are checked by the training config, not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from medsr_jax.data.levels import to_levels
from medsr_jax.data.loading import Source
from medsr_jax.errors import MedsrError
from medsr_jax.imaging.colour import luma

ENDLESS = 2**40
"""The length of endless sources: more samples than any run takes."""

Window = Literal["random", "full"]

# Percentiles between which the ends of a random window on an image of more than 8 bits are drawn.
_LOW_PERCENTILES = (0.0, 20.0)
_HIGH_PERCENTILES = (97.0, 100.0)

# Draws of an image after which none is taken to be large enough.
_MOST_DRAWS = 200


class Crops:
    """Crops of single images.

    Args:
        images: (rows, columns) or (rows, columns, 3), uint8 or uint16.
        side: of a crop, in pixels. Images with a shorter side are skipped.
        seed: of the draws.
        flip: mirror half of the crops, left to right.
        window: of uint16 images: "random" draws its ends between percentiles of the image (0..20 and 97..100),
            "full" takes 0..65535.
        channels: 1, for which colours become grey by BT.601 luma; or 3, for which grey is repeated.

    Raises:
        MedsrError: there is no image; or, when a crop is drawn, none is large enough.
    """

    def __init__(
        self,
        images: Sequence[np.ndarray],
        *,
        side: int = 256,
        seed: int,
        flip: bool = True,
        window: Window = "random",
        channels: int = 1,
    ) -> None:
        if not len(images):
            raise MedsrError("config.data: there is no image to crop")
        self._images, self._side, self._seed = images, side, seed
        self._flip, self._window, self._channels = flip, window, channels

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``hr`` (side, side, channels) uint8."""
        random = np.random.default_rng((self._seed, int(index)))
        _, image = _draw(self._images, self._side, random)
        top, left = (int(random.integers(extent - self._side + 1)) for extent in image.shape[:2])
        crop = image[top : top + self._side, left : left + self._side]
        if crop.dtype != np.uint8:
            crop = to_levels(crop, *_window(image, self._window, random), dtype=np.uint8)
        return {"hr": _shaped(crop, flip=self._flip and random.random() < 0.5, channels=self._channels)}


class PairCrops:
    """Crops of low-resolution images and the same places in their high-resolution ones.

    Args:
        lr_images, hr_images: images in the same order, alike but for size.
        scale: ratio of their rows and columns.
        side: of the high-resolution crop, a multiple of the scale. Images with a shorter side are skipped.
        seed, flip, window, channels: as of `Crops`; a window is drawn on the high-resolution image and used on both.

    Raises:
        MedsrError: there is no image, or the numbers of images differ.
    """

    def __init__(
        self,
        lr_images: Sequence[np.ndarray],
        hr_images: Sequence[np.ndarray],
        *,
        scale: int,
        side: int = 256,
        seed: int,
        flip: bool = True,
        window: Window = "random",
        channels: int = 1,
    ) -> None:
        if not len(hr_images):
            raise MedsrError("config.data: there is no image to crop")
        if len(lr_images) != len(hr_images):
            raise MedsrError(f"{len(lr_images)} low-resolution images can't be paired with {len(hr_images)} others")
        self._lr_images, self._hr_images, self._scale = lr_images, hr_images, scale
        self._side, self._seed = side, seed
        self._flip, self._window, self._channels = flip, window, channels

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``lr`` (side / scale, side / scale, channels) and ``hr`` (side, side, channels), uint8."""
        random = np.random.default_rng((self._seed, int(index)))
        number, hr = _draw(self._hr_images, self._side, random)
        lr = self._lr_images[number]
        side = self._side // self._scale
        top, left = (int(random.integers(extent - side + 1)) for extent in lr.shape[:2])
        ends = _window(hr, self._window, random) if hr.dtype != np.uint8 else None
        flip = self._flip and random.random() < 0.5
        pair = {}
        for name, image, factor in (("lr", lr, 1), ("hr", hr, self._scale)):
            crop = image[top * factor : (top + side) * factor, left * factor : (left + side) * factor]
            crop = crop if ends is None else to_levels(crop, *ends, dtype=np.uint8)
            pair[name] = _shaped(crop, flip=flip, channels=self._channels)
        return pair


class Mixture:
    """Samples of several sources, each with a share.

    Args:
        sources: endless, of samples alike in names and shapes.
        shares: of the samples, by source, above 0; their sum need not be 1.
        seed: of the draws between sources.
    """

    def __init__(self, sources: Sequence[Source], *, shares: Sequence[float], seed: int) -> None:
        self._sources, self._seed = sources, seed
        self._shares = np.array(shares, np.float64) / sum(shares)

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The sample of that index of the source drawn for it."""
        # A third number keeps these draws apart from those that the sources make of (seed, index).
        random = np.random.default_rng((self._seed, int(index), 1))
        return self._sources[random.choice(len(self._sources), p=self._shares)][index]


def random_window(image: np.ndarray, random: np.random.Generator) -> tuple[float, float]:
    """The ends of a window drawn between percentiles of a (rows, columns[, channels]) image."""
    sample = image[::8, ::8]
    low = np.percentile(sample, random.uniform(*_LOW_PERCENTILES))
    return low, max(np.percentile(sample, random.uniform(*_HIGH_PERCENTILES)), low + 1.0)


def _window(image: np.ndarray, window: Window, random: np.random.Generator) -> tuple[float, float]:
    return random_window(image, random) if window == "random" else (0.0, float(np.iinfo(image.dtype).max))


def _draw(images: Sequence[np.ndarray], side: int, random: np.random.Generator) -> tuple[int, np.ndarray]:
    """An image that a crop fits in, and its number."""
    for _ in range(_MOST_DRAWS):
        number = int(random.integers(len(images)))
        image = images[number]
        if min(image.shape[:2]) >= side:
            return number, image
    raise MedsrError(
        f"config.data.side: {_MOST_DRAWS} images drawn were all smaller than {side} x {side}", remedy="lower it"
    )


def _shaped(crop: np.ndarray, *, flip: bool, channels: int) -> np.ndarray:
    """(rows, columns, channels), mirrored or not."""
    if crop.ndim == 3 and channels == 1:
        crop = luma(crop)
    if crop.ndim == 2:
        crop = np.repeat(crop[..., None], channels, axis=-1)
    return np.ascontiguousarray(crop[:, ::-1] if flip else crop)
