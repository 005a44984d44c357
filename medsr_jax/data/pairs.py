"""Training pairs by the sender's own code: what `medsr compress` does to an image, done to random patches.

Every pair is a pure function of (seed, index), so a run that stops and goes on sees the pairs it would have seen.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from medsr_jax.data.crops import ENDLESS, random_window, through
from medsr_jax.data.loading import batches
from medsr_jax.data.windows import through_window
from medsr_jax.errors import MedsrError
from medsr_jax.files import find_inputs
from medsr_jax.imaging import read_image
from medsr_jax.jpeg.coefficients import parse
from medsr_jax.models.compact import quantisation_strength
from medsr_jax.transmission.codecs import decode_jpeg, encode_jpeg
from medsr_jax.transmission.downscaling import downscale

__all__ = ["PairSettings", "Pairs", "batches", "load_folder"]


@dataclasses.dataclass(frozen=True)
class PairSettings:
    """How a pair is drawn.

    Attributes:
        patch: side of the low-resolution patch in pixels, a multiple of 8 so that it lies on the codec's grid.
        scale: downscaling factor.
        kernel: of the downscaling.
        quality: lowest and highest JPEG quality, both drawn.
        uncoded: share of pairs whose small image is not JPEG-coded, for the other codecs' sake.
        zoom: the target is shrunk by a factor drawn between this and 1, so that sharper images than the data's own are
            seen.
        zoomed: share of pairs that are zoomed.
        contrast: the target's contrast is multiplied by a factor drawn between these, about a random grey.
    """

    patch: int = 40
    scale: int = 4
    kernel: str = "area"
    quality: tuple[int, int] = (50, 75)
    uncoded: float = 0.05
    zoom: float = 0.5
    zoomed: float = 0.5
    contrast: tuple[float, float] = (0.7, 1.1)


class Pairs:
    """An endless random-access source of pairs from images held in memory.

    Args:
        folders: folders of images, each with the share of pairs that it gives.
        settings: how a pair is drawn.
        seed: of the draws.

    Raises:
        MedsrError: a folder is missing, holds no readable image, or only images smaller than a patch.
    """

    def __init__(self, folders: Sequence[tuple[pathlib.Path, float]], *, settings: PairSettings, seed: int) -> None:
        self._settings = settings
        self._seed = seed
        self._groups = [load_folder(folder, smallest=settings.patch * settings.scale) for folder, _ in folders]
        shares = np.array([share for _, share in folders], np.float64)
        self._shares = shares / shares.sum()

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``lr`` (patch, patch, 1) uint8, ``hr`` (scale patch, scale patch, 1) uint8, ``strength`` float32."""
        settings = self._settings
        random = np.random.default_rng((self._seed, int(index)))
        group = self._groups[random.choice(len(self._groups), p=self._shares)]
        hr = _draw_target(group[random.integers(len(group))], settings, random)
        small = np.rint(downscale(hr, scale=settings.scale, kernel=settings.kernel)).astype(np.uint8)
        strength = 0.0
        if random.random() >= settings.uncoded:
            quality = int(random.integers(settings.quality[0], settings.quality[1] + 1))
            stream = encode_jpeg(small, quality)
            small = decode_jpeg(stream)
            strength = quantisation_strength(parse(stream).table)
        return {"lr": small[..., None], "hr": hr[..., None], "strength": np.float32(strength)}


def load_folder(folder: pathlib.Path, *, smallest: int) -> list[np.ndarray]:
    """All images under a folder, (rows, columns) each, uint8 or uint16, with no side below ``smallest``.

    Through `windows.through_window`: high values are white, as the receiver shows them to the network.
    """
    images = [frame for path, _ in find_inputs([folder]) for frame in through_window(read_image(path)).frames]
    images = [image for image in images if min(image.shape) >= smallest]
    if not images:
        raise MedsrError(
            f"no image with both sides of {smallest} pixels or more",
            path=folder,
            remedy="give another folder in config.data",
        )
    return images


def _draw_target(image: np.ndarray, settings: PairSettings, random: np.random.Generator) -> np.ndarray:
    """(scale patch, scale patch) uint8: a random crop, shrunk, flipped, and its contrast changed."""
    side = settings.patch * settings.scale
    zoom = random.uniform(settings.zoom, 1.0) if random.random() < settings.zoomed else 1.0
    extent = min(round(side / zoom), *image.shape)
    top, left = (int(random.integers(n - extent + 1)) for n in image.shape)
    crop = image[top : top + extent, left : left + extent]
    if crop.dtype != np.uint8:
        crop = through(crop, *random_window(image, random))
    if extent != side:
        resampled = PillowImage.fromarray(crop).resize((side, side), PillowImage.Resampling.BICUBIC)
        crop = np.asarray(resampled)
    if random.random() < 0.5:
        crop = crop[:, ::-1]
    factor = random.uniform(*settings.contrast)
    pivot = random.uniform(64.0, 192.0)
    return np.clip((crop.astype(np.float32) - pivot) * factor + pivot + 0.5, 0, 255).astype(np.uint8)
