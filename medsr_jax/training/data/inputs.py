"""The training data of a config, as batches that can be resumed and are sharded over processes."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any

import grain

from medsr_jax.data.crops import Crops, Mixture, PairCrops
from medsr_jax.data.link_pairs import LinkPairs
from medsr_jax.data.loading import Source, batches
from medsr_jax.data.pair_folders import load_pair_folders
from medsr_jax.data.sender_pairs import SenderPairs
from medsr_jax.data.sources import CATALOGUE, load_images
from medsr_jax.training.config.schema import Config


def training_batches(
    config: Config, *, scale: int, channels: int, shard_index: int, shard_count: int
) -> grain.DatasetIterator:
    """Batches of ``hr`` (N, side, side, C) uint8; from a source of pairs with ``lr`` and, if known, ``strength``.

    Args:
        config: of the run; ``config.batch`` is over all processes.
        scale, channels: of the generator.
        shard_index, shard_count: this process among all; together they have the batches of one process alone.

    Raises:
        MedsrError: the data is missing, or none of it can be used.
    """
    return batches(
        _source(config, scale=scale, channels=channels),
        batch=config.batch,
        shard_index=shard_index,
        shard_count=shard_count,
        threads=config.data.threads,
    )


def describe_source(config: Config) -> str:
    """How inputs were made, for a model's card."""
    data, sender, degradation = config.data, config.data.sender, config.degradation
    if data.source == "pair_folders":
        return "given pairs"
    if data.source == "sender":
        return (
            f"{sender.kernel} downscaling by {sender.scale}, JPEG q {sender.quality[0]}..{sender.quality[1]}"
            f" (the sender's own code); targets shrunk by up to {sender.zoom}"
        )
    if data.source == "link":
        link = data.link
        codecs = ", ".join(name for name, _ in link.codecs)
        return (
            f"area downscaling, {scales_in_words(link.scales)}; {codecs}; q {link.quality[0]}..{link.quality[1]},"
            f" AVIF's own {link.avif[0]}..{link.avif[1]} at scale 1; targets shrunk by up to {link.zoom}"
        )
    steps = ", ".join(f"{name} ({degradation['steps'][name]['kind']})" for name in degradation["order"])
    return f"{steps}; scale {degradation['scale']}"


def scales_in_words(scales: Sequence[int]) -> str:
    """Such as "scale 1 (2 of 3 batches), scale 2 (1 of 3 batches)"."""
    counts = {scale: list(scales).count(scale) for scale in sorted(set(scales))}
    if len(set(counts.values())) == 1:
        return f"scale {', '.join(map(str, counts))}"
    return ", ".join(f"scale {scale} ({count} of {len(scales)} batches)" for scale, count in counts.items())


def _source(config: Config, *, scale: int, channels: int) -> Source:
    data = config.data
    if data.source == "sender":
        return SenderPairs(data.folders, sender=data.sender, seed=config.seed)
    if data.source == "link":
        return LinkPairs(data.folders, link=data.link, batch=config.batch, seed=config.seed)
    options: dict[str, Any] = {
        "side": data.side,
        "seed": config.seed,
        "flip": data.flip,
        "window": data.window,
        "channels": channels,
    }
    if data.source == "folders":
        sources = [Crops(load_images(folder, smallest=data.side), **options) for folder, _ in data.folders]
        shares = [share for _, share in data.folders]
        return sources[0] if len(sources) == 1 else Mixture(sources, shares=shares, seed=config.seed)
    if data.source == "pair_folders":
        folders = pathlib.Path(data.lr_folder), pathlib.Path(data.hr_folder)
        return PairCrops(*load_pair_folders(*folders, scale=scale, smallest=data.side), scale=scale, **options)
    images = load_images(
        data.prepared if data.source == "prepared" else f"{CATALOGUE}{data.tfds}",
        split=data.split,
        image_key=data.image_key,
        data_dir=data.data_dir or None,
        channels=channels,
        cache_gib=data.cache_gib,
    )
    return Crops(images, **options)
