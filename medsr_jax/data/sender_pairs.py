"""Training pairs by the sender's own code: what `medsr compress` does to an image, done to random patches.

Every pair is a pure function of (seed, index), so a resumed run continues with the pairs that it would have had.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image as PillowImage

from medsr_jax.data.crops import ENDLESS, random_window
from medsr_jax.data.lesion_targets import with_lesions
from medsr_jax.data.levels import to_levels
from medsr_jax.data.sources import folder_images
from medsr_jax.fields import above_up_to, between, field, interval, multiple_of, one_of
from medsr_jax.jpeg.coefficients import parse
from medsr_jax.models.compact import quantisation_strength
from medsr_jax.transmission.codecs import decode_jpeg, encode_jpeg
from medsr_jax.transmission.downscaling import downscale
from medsr_jax.transmission.options import KERNELS, SCALES


@dataclasses.dataclass(frozen=True)
class SenderSettings:
    """How source `sender` draws a pair, by the sender's own code."""

    patch: int = field(40, "side of a low-resolution patch in pixels, on the grid of JPEG's blocks", multiple_of(8))
    scale: int = field(4, "downscaling factor", between(SCALES[0], SCALES[-1]))
    kernel: str = field("area", "downscaling kernel", one_of(*KERNELS))
    quality: tuple[int, int] = field((50, 75), "lowest and highest JPEG quality", interval(1, 100))
    uncoded: float = field(0.05, "share of pairs without JPEG coding, for the other codecs", between(0, 1))
    zoom: float = field(0.5, "smallest factor by which a target is shrunk first, for sharper images", above_up_to(0, 1))
    zoomed: float = field(0.5, "share of targets that are shrunk first", between(0, 1))
    contrast: tuple[float, float] = field(
        (0.7, 1.1), "smallest and largest factor on a target's contrast, about a random grey", interval(0, 10)
    )
    lesions: float = field(0.0, "share of targets with synthetic lesions of 2 to 32 pixels", between(0, 1))


class SenderPairs:
    """An endless random-access source of pairs from images held in memory.

    Args:
        folders: of images, each with its share of the pairs.
        sender: how a pair is drawn.
        seed: of the draws.

    Raises:
        MedsrError: a folder is missing, or holds no readable image of at least ``scale patch`` pixels a side.
    """

    def __init__(self, folders: Sequence[tuple[str, float]], *, sender: SenderSettings, seed: int) -> None:
        self._sender = sender
        self._seed = seed
        smallest = sender.patch * sender.scale
        self._groups = [folder_images(pathlib.Path(folder), smallest=smallest) for folder, _ in folders]
        shares = np.array([share for _, share in folders], np.float64)
        self._shares = shares / shares.sum()

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``lr`` (patch, patch, 1) uint8, ``hr`` (scale patch, scale patch, 1) uint8, ``strength`` float32."""
        sender = self._sender
        random = np.random.default_rng((self._seed, int(index)))
        group = self._groups[random.choice(len(self._groups), p=self._shares)]
        hr = draw_target(
            group[random.integers(len(group))],
            random,
            side=sender.patch * sender.scale,
            zoom=random_zoom(random, smallest=sender.zoom, share=sender.zoomed),
            contrast=sender.contrast,
        )
        hr = with_lesions(hr, share=sender.lesions, seed=self._seed, index=int(index))
        # Kernels other than "area" overshoot at edges.
        lr = to_levels(downscale(hr, scale=sender.scale, kernel=sender.kernel), 0, 255, dtype=np.uint8)
        strength = 0.0
        if random.random() >= sender.uncoded:
            quality = int(random.integers(sender.quality[0], sender.quality[1] + 1))
            stream = encode_jpeg(lr, quality)
            lr = decode_jpeg(stream)
            strength = quantisation_strength(parse(stream).table)
        return {"lr": lr[..., None], "hr": hr[..., None], "strength": np.float32(strength)}


def random_zoom(random: np.random.Generator, *, smallest: float, share: float) -> float:
    """A factor from ``smallest`` to 1 for a share of the draws, else 1."""
    return random.uniform(smallest, 1.0) if random.random() < share else 1.0


def draw_target(
    image: np.ndarray, random: np.random.Generator, *, side: int, zoom: float, contrast: tuple[float, float]
) -> np.ndarray:
    """(side, side) uint8: a random crop, shrunk by ``zoom``, mirrored, and with another contrast.

    Args:
        image: (rows, columns) uint8 or uint16, of at least ``side`` pixels a side.
        random: of the draws.
        side: of the result in pixels.
        zoom: factor by which it is shrunk, as far as the image is large enough.
        contrast: least and greatest factor on its contrast, about a random grey.
    """
    extent = min(round(side / zoom), *image.shape)
    top, left = (int(random.integers(n - extent + 1)) for n in image.shape)
    crop = image[top : top + extent, left : left + extent]
    if crop.dtype != np.uint8:
        crop = to_levels(crop, *random_window(image, random), dtype=np.uint8)
    if extent != side:
        resampled = PillowImage.fromarray(crop).resize((side, side), PillowImage.Resampling.BICUBIC)
        crop = np.asarray(resampled)
    if random.random() < 0.5:
        crop = crop[:, ::-1]
    factor = random.uniform(*contrast)
    pivot = random.uniform(64.0, 192.0)
    result: np.ndarray = np.clip((crop.astype(np.float32) - pivot) * factor + pivot + 0.5, 0, 255).astype(np.uint8)
    return result
