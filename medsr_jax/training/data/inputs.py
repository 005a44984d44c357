"""The training data that a config names, as batches that can be resumed and are shared out between processes."""

from __future__ import annotations

import pathlib
from typing import Any

import grain
from ml_collections import ConfigDict

from medsr_jax.data.crops import Crops, Mixture, PairedCrops
from medsr_jax.data.loading import batches
from medsr_jax.data.paired import load_pairs
from medsr_jax.data.pairs import Pairs, PairSettings
from medsr_jax.data.sources import CATALOGUE, load_images

# Where samples can come from, and which of them bring the generator's input with them.
SOURCES = ("pairs", "folders", "prepared", "tfds", "paired")
BRINGS_INPUTS = ("pairs", "paired")

# Fields without which a source would take the current folder for data.
REQUIRED = {"prepared": ("prepared",), "tfds": ("tfds",), "paired": ("lr_folder", "hr_folder")}


def training_batches(
    config: ConfigDict, *, side: int, scale: int, channels: int, shard_index: int, shard_count: int
) -> grain.DatasetIterator:
    """Batches of ``hr`` (N, side, side, C) uint8, with ``lr`` and ``strength`` from sources that bring inputs.

    Args:
        config: of the run; ``config.batch`` is over all processes.
        side: of a target.
        scale, channels: of the generator.
        shard_index, shard_count: this process among all; together they see what one alone would.

    Raises:
        MedsrError: the data is not there, or none of it can be used.
    """
    return batches(
        _source(config, side=side, scale=scale, channels=channels),
        batch=config.batch,
        shard_index=shard_index,
        shard_count=shard_count,
        threads=config.data.threads,
    )


def describe_source(config: ConfigDict) -> str:
    """How inputs were made, for a model's card."""
    data = config.data
    if data.source == "paired":
        return "pairs that were given"
    if data.source == "pairs":
        pair = data.pair
        return (
            f"{pair.kernel} downscaling by {pair.scale}, JPEG q {pair.quality[0]}..{pair.quality[1]}"
            f" (the sender's own code); targets shrunk by up to {pair.zoom}"
        )
    steps = ", ".join(f"{name} ({config.degradation.steps[name].kind})" for name in config.degradation.order)
    return f"{steps}; scale {config.degradation.scale}"


def _source(config: ConfigDict, *, side: int, scale: int, channels: int) -> Any:
    data = config.data
    options: dict[str, Any] = {
        "side": side,
        "seed": config.seed,
        "flip": data.flip,
        "window": data.window,
        "channels": channels,
    }
    if data.source in ("pairs", "folders"):
        folders = [(pathlib.Path(folder), share) for folder, share in data.folders]
        if data.source == "pairs":
            return Pairs(folders, settings=PairSettings(**data.pair.to_dict()), seed=config.seed)
        sources = [Crops(load_images(folder, smallest=side), **options) for folder, _ in folders]
        shares = [share for _, share in folders]
        return sources[0] if len(sources) == 1 else Mixture(sources, shares=shares, seed=config.seed)
    if data.source == "paired":
        pairs = load_pairs(pathlib.Path(data.lr_folder), pathlib.Path(data.hr_folder), scale=scale, smallest=side)
        return PairedCrops(*pairs, scale=scale, **options)
    where = data.prepared if data.source == "prepared" else f"{CATALOGUE}{data.tfds}"
    images = load_images(
        where,
        split=data.split,
        image_key=data.image_key,
        data_dir=data.data_dir or None,
        channels=channels,
        cache_gib=data.cache_gib,
    )
    return Crops(images, **options)
