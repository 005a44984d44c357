"""Training pairs for a family of generators: what the link does to an image at each of its scales, with each codec.

Every pair is a pure function of (seed, index), so a resumed run continues with the pairs that it would have had. The
pairs of a batch have one scale, since their inputs must be of one size.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from medsr_jax.data.crops import ENDLESS
from medsr_jax.data.lesion_targets import with_lesions
from medsr_jax.data.levels import to_levels
from medsr_jax.data.sender_pairs import draw_target, random_zoom
from medsr_jax.data.sources import folder_images
from medsr_jax.fields import above_up_to, between, field, interval, multiple_of, numbers_from, weighted
from medsr_jax.imaging.av1_quantiser import base_quantiser
from medsr_jax.jpeg.coefficients import parse
from medsr_jax.models.conditions import CONDITIONS, condition_of_avif, condition_of_jpeg, condition_of_jpeg2000
from medsr_jax.transmission.codecs import CODECS, decode_avif, decode_jpeg, encode_avif_at, encode_jpeg
from medsr_jax.transmission.downscaling import downscale
from medsr_jax.transmission.fidelity import Fidelity

# AV1's search for the pairs of a run takes 12 ms for 160x160 pixels, that of a sender five times as long.
_SPEED = 6
_FINEST = 90  # AVIF settings from here on leave nothing to restore


@dataclasses.dataclass(frozen=True)
class LinkSettings:
    """How source `link` draws a pair, by the sender's own code."""

    side: int = field(160, "side of a target in pixels", multiple_of(32))
    scales: tuple[int, ...] = field(
        (1, 2, 4), "downscaling factors of successive batches, from the first again after the last", numbers_from(1)
    )
    codecs: tuple[tuple[str, float], ...] = field(
        (("avif", 0.6), ("jpeg", 0.2), ("jpeg2000", 0.2)),
        "codecs, each with its share of the pairs",
        weighted("(('avif', 1.0),)"),
    )
    uncoded: float = field(0.03, "share of pairs without coding", between(0, 1))
    quality: tuple[int, int] = field((30, 90), "lowest and highest quality of JPEG and JPEG 2000", interval(1, 100))
    avif: tuple[int, int] = field(
        (1, 60), "lowest and highest setting of AVIF at scale 1; at scale s 15 log2(s) higher", interval(1, 100)
    )
    zoom: float = field(0.5, "smallest factor by which a target is shrunk first, for sharper images", above_up_to(0, 1))
    zoomed: float = field(0.5, "share of targets that are shrunk first", between(0, 1))
    contrast: tuple[float, float] = field(
        (0.7, 1.1), "smallest and largest factor on a target's contrast, about a random grey", interval(0, 10)
    )
    lesions: float = field(0.0, "share of targets with synthetic lesions of 2 to 32 pixels", between(0, 1))


class LinkPairs:
    """An endless random-access source of pairs from images held in memory.

    Args:
        folders: of images, each with its share of the pairs.
        link: how a pair is drawn.
        batch: pairs of a batch, over all processes: batch i is of scale ``link.scales[i % len(link.scales)]``.
        seed: of the draws.

    Raises:
        MedsrError: a folder is missing, or holds no readable image of at least ``side`` pixels a side.
    """

    def __init__(self, folders: Sequence[tuple[str, float]], *, link: LinkSettings, batch: int, seed: int) -> None:
        self._link, self._batch, self._seed = link, batch, seed
        self._groups = [folder_images(pathlib.Path(folder), smallest=link.side) for folder, _ in folders]
        self._shares = _normalised(folders)
        self._codecs = [name for name, _ in link.codecs]
        self._codec_shares = _normalised(link.codecs)

    def __len__(self) -> int:
        return ENDLESS

    def __getitem__(self, index: int) -> dict[str, Any]:
        """``lr`` (side / scale, side / scale, 1) and ``hr`` (side, side, 1) uint8, ``strength`` (3,) float32."""
        link = self._link
        random = np.random.default_rng((self._seed, int(index)))
        scale = link.scales[int(index) // self._batch % len(link.scales)]
        group = self._groups[random.choice(len(self._groups), p=self._shares)]
        hr = draw_target(
            group[random.integers(len(group))],
            random,
            side=link.side,
            zoom=random_zoom(random, smallest=link.zoom, share=link.zoomed),
            contrast=link.contrast,
        )
        hr = with_lesions(hr, share=link.lesions, seed=self._seed, index=int(index))
        small = to_levels(downscale(hr, scale=scale, kernel="area"), 0, 255, dtype=np.uint8)
        strength = np.zeros(CONDITIONS, np.float32)
        if random.random() >= link.uncoded:
            codec = self._codecs[random.choice(len(self._codecs), p=self._codec_shares)]
            ends = avif_settings(link, scale=scale) if codec == "avif" else link.quality
            small, strength = coded(small, codec, int(random.integers(ends[0], ends[1] + 1)))
        return {"lr": small[..., None], "hr": hr[..., None], "strength": strength}


def avif_settings(link: LinkSettings, *, scale: int) -> tuple[int, int]:
    """The lowest and the highest setting of AVIF at a scale, which leave about as many bytes to an image at all."""
    finer = round(15 * np.log2(scale))
    return min(link.avif[0] + finer, _FINEST), min(link.avif[1] + finer, _FINEST)


def coded(small: np.ndarray, codec: str, setting: int) -> tuple[np.ndarray, np.ndarray]:
    """A (rows, columns) uint8 image coded and decoded, and its condition (3,).

    Args:
        small: the image.
        codec: "jpeg", "jpeg2000" or "avif".
        setting: the quality 1..100; of AVIF the encoder's own.
    """
    if codec == "avif":
        stream = encode_avif_at(small, setting, _SPEED)
        return decode_avif(stream), condition_of_avif(base_quantiser(stream))
    if codec == "jpeg":
        stream = encode_jpeg(small, setting)
        table = parse(stream).table
        assert table is not None
        return decode_jpeg(stream), condition_of_jpeg(table)
    stream = Fidelity(small).stream(CODECS[codec], setting)
    return CODECS[codec].decode(stream), condition_of_jpeg2000(setting)


def _normalised(shares: Sequence[tuple[str, float]]) -> np.ndarray:
    values = np.array([share for _, share in shares], np.float64)
    result: np.ndarray = values / values.sum()
    return result
