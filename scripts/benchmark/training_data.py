"""What benchmark/training.py says of data: how fast the loaders are, and how long the trainer waits for them."""

from __future__ import annotations

import argparse
import pathlib
import time
from typing import Any

import numpy as np
from timing import ratio
from training_problem import Running, make_problem, training_config

from medsr_jax.evaluation.studies.samples import radiograph, tiled

IMAGE_SIDE, IMAGES_A_SIDE = 512, 4
TARGET = 0.02


def measure(options: argparse.Namespace, folder: pathlib.Path) -> list[str]:
    """Of each source: samples a second, and the share of a run of the first stage that waits for its batches."""
    images = _write_images(options, folder / "images")
    prepared = _prepare(images, folder / "prepared")
    print(
        f"\ndata: {IMAGES_A_SIDE**2} PNGs of {IMAGE_SIDE}x{IMAGE_SIDE}; the first stage for {options.steps} steps of"
        f" {options.batch}; {options.threads} threads"
    )
    print(f"{'source':10} samples/s alone  ms a batch  s a step on one batch  s a step  waited  share")
    lines = []
    for source in ("sender", "folders", *(("prepared",) if prepared else ())):
        degraded = source != "sender"
        if degraded and options.skip_degradation:
            continue
        config = training_config(options, gan=False, source=source)
        config.data.folders = ((str(images), 1.0),)
        config.data.prepared = str(prepared or "")
        rate = _rate(options, config)
        running = Running(make_problem(options, gan=False, degraded=degraded))
        running()
        alone = sum(running() for _ in range(options.steps // 2)) / (options.steps // 2)
        waited, wall = _run(running, config, steps=options.steps)
        print(
            f"{source:10} {rate:15.0f} {1e3 * options.batch / rate:11.1f} {alone:22.3f} {wall / options.steps:9.3f}"
            f" {waited:7.3f} {waited / wall:6.2%}"
        )
        lines.append(ratio(f"data_share_{source}", waited, wall, TARGET))
    return lines


def _write_images(options: argparse.Namespace, folder: pathlib.Path) -> pathlib.Path:
    """Tiles of a radiograph, mirrored at its edges where it is too small."""
    from PIL import Image

    folder.mkdir()
    image = tiled(radiograph(options.image), side=IMAGE_SIDE * IMAGES_A_SIDE)
    for i, (row, column) in enumerate(np.ndindex(IMAGES_A_SIDE, IMAGES_A_SIDE)):
        top, left = row * IMAGE_SIDE, column * IMAGE_SIDE
        Image.fromarray(image[top : top + IMAGE_SIDE, left : left + IMAGE_SIDE]).save(folder / f"{i}.png")
    return folder


def _prepare(images: pathlib.Path, out: pathlib.Path) -> pathlib.Path | None:
    """As `medsr prepare` does; None, with a line that says why, where that can't be."""
    from medsr_jax.errors import MedsrError

    try:
        from medsr_jax.data.collection import PrepareSettings
        from medsr_jax.data.prepare import prepare

        prepare([images], out, settings=PrepareSettings(validation=0.0))
    except (ImportError, MedsrError) as error:
        print(f"no prepared set: {error}")
        return None
    return out


def _batches(config: Any) -> Any:
    from medsr_jax.training.config.checking import checked
    from medsr_jax.training.data.inputs import training_batches

    scale = config.model.fields["scale"]
    return training_batches(checked(config), scale=scale, channels=1, shard_index=0, shard_count=1)


def _rate(options: argparse.Namespace, config: Any) -> float:
    """Samples a second with nothing else to do; what was made ahead before the first batch is used up first."""
    iterator = _batches(config)
    for _ in range(16):
        next(iterator)
    count = max(32, 2 * options.steps)
    began = time.perf_counter()
    for _ in range(count):
        next(iterator)
    return count * config.batch / (time.perf_counter() - began)


def _run(running: Running, config: Any, *, steps: int) -> tuple[float, float]:
    """As the trainer's loop: a step's losses are looked at while the next runs. Seconds waited, seconds in all.

    Batches are asked for while a step runs, so waiting is not always time lost.
    """
    import jax

    from medsr_jax.training.data.feed import Feed

    feed = Feed(_batches(config), running.setup.devices)
    jax.block_until_ready(running.advance(next(feed)))
    began, waited, before = time.monotonic(), feed.waited, None
    for _ in range(steps):
        health = running.advance(next(feed))
        if before is not None:
            jax.block_until_ready(before)
        before = health
    jax.block_until_ready(running.state)
    return feed.waited - waited, time.monotonic() - began
