"""Training examples, made on the device: pairs as they are, or targets that are degraded there."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from medsr_jax.data.levels import to_unit_range
from medsr_jax.degradation import Degradation, apply
from medsr_jax.models.compact import strength_of_tables

Batch = dict[str, jax.Array]


class Examples(NamedTuple):
    """A batch in [0, 1].

    Attributes:
        lr: (N, h, w, C) the generator's input.
        strength: (N,) of its quantisation; see `models.compact.quantisation_strength`.
        target: (N, H, W, C) of the pixel and perceptual losses, sharpened if the degradation does so.
        truth: (N, H, W, C) the discriminator's real images, never sharpened.
    """

    lr: jax.Array
    strength: jax.Array
    target: jax.Array
    truth: jax.Array


def make_examples(degradation: Degradation | None, *, channels: int = 1) -> Callable[[Batch, jax.Array], Examples]:
    """A function of a batch and of (N,) keys, one for each sample.

    Args:
        degradation: makes the inputs from ``hr``; None for batches with ``lr`` and, where it is known, ``strength``.
        channels: of the networks; grayscale images are repeated.
    """

    def given(batch: Batch, keys: jax.Array) -> Examples:
        del keys
        lr, hr = (repeated(to_unit_range(batch[name]), channels=channels) for name in ("lr", "hr"))
        strength = batch.get("strength", jnp.zeros(lr.shape[:1], lr.dtype))
        return Examples(lr=lr, strength=strength, target=hr, truth=hr)

    def degraded(batch: Batch, keys: jax.Array) -> Examples:
        assert degradation is not None
        hr = repeated(to_unit_range(batch["hr"]), channels=channels)
        pair = jax.lax.stop_gradient(apply(keys, hr, degradation))
        return Examples(lr=pair.lr, strength=strength_of_tables(pair.table), target=pair.target, truth=hr)

    return given if degradation is None else degraded


def step_keys(key_data: jax.Array, step: jax.Array, *, n: int, axis: str | None) -> jax.Array:
    """(N,) keys for this device's samples of a step, the same on any number of devices.

    Args:
        key_data: of the run's key.
        step: of the run.
        n: samples on this device.
        axis: of `jax.pmap`; None outside of one.
    """
    key = jax.random.fold_in(jax.random.wrap_key_data(key_data, impl="threefry2x32"), step)
    first = 0 if axis is None else jax.lax.axis_index(axis) * n
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, first + jnp.arange(n))


def repeated(images: jax.Array, *, channels: int) -> jax.Array:
    """Grayscale images (N, H, W, 1) with their channel repeated; others as they are."""
    return jnp.repeat(images, channels, axis=-1) if images.shape[-1] == 1 else images
