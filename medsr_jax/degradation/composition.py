"""A degradation described by frozen dataclasses, and run on a batch.

    degradation = preset("high_order")
    pair = jax.jit(apply, static_argnums=2)(jax.random.key(0), hr, degradation)

Equation 5 of the paper, x = (T_n o ... o T_1)(y), with every T a step. A degradation compiles once for a shape of
batch: what is drawn (kernels, scales, qualities, which branch) is data.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from medsr_jax.degradation import checks, steps
from medsr_jax.degradation.filtering import unsharp_mask
from medsr_jax.degradation.randomness import sample_keys, stream
from medsr_jax.degradation.regions import full_size
from medsr_jax.errors import MedsrError


@dataclasses.dataclass(frozen=True)
class Sharpen:
    """Unsharp masking of the target, which is then what is degraded; see `filtering.unsharp_mask`.

    Attributes:
        weight: of the detail that is added.
        taps, sigma: of the Gaussian.
        threshold: in levels of 255.
    """

    weight: float = 0.5
    taps: int = 51
    sigma: float = 8.0
    threshold: float = 10.0

    def __post_init__(self) -> None:
        checks.number("sharpen.weight", self.weight, least=0.0, most=10.0)
        checks.number("sharpen.taps", self.taps, least=3, most=201)
        checks.number("sharpen.sigma", self.sigma, least=0.1, most=100.0)
        checks.number("sharpen.threshold", self.threshold, least=0.0, most=255.0)
        if self.taps % 2 == 0:
            raise MedsrError(f"sharpen.taps: {self.taps} is even", remedy="give an odd number")


@dataclasses.dataclass(frozen=True)
class Degradation:
    """What is done to a target to make the network's input.

    Attributes:
        steps: by name, in order. A step's random numbers come from its name, so one that is added or left out changes
            no draw of the others.
        scale: of the target's side to the input's.
        sharpen: the target is sharpened first; None leaves it as it is.
    """

    steps: Mapping[str, steps.Step]
    scale: int = 4
    sharpen: Sharpen | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.scale, int) or isinstance(self.scale, bool) or not 1 <= self.scale <= 16:
            raise MedsrError(f"degradation.scale: {self.scale!r} is no whole number from 1 to 16")
        settled = self.scale == 1
        for name, step in self.steps.items():
            if not callable(step):
                raise MedsrError(f"degradation.steps.{name}: {step!r} is no step")
            if isinstance(step, steps.RandomResize):
                settled = False
            elif isinstance(step, steps.Downscale | steps.FinalJpegAndSinc):
                settled = True
        if not settled:
            raise MedsrError(
                f"degradation.steps leave images of any size where scale {self.scale} wants one: end with a Downscale"
            )
        object.__setattr__(self, "steps", dict(self.steps))

    def __hash__(self) -> int:
        return hash((tuple(self.steps.items()), self.scale, self.sharpen))


class Pair(NamedTuple):
    """What a generator is trained on.

    Attributes:
        lr: (N, H / scale, W / scale, C) in [0, 1].
        target: (N, H, W, C) in [0, 1]: the image that was degraded, sharpened if the degradation says so.
        table: (N, 8, 8) luminance quantisation steps of the JPEG grid that ``lr`` lies on; zeros where it lies on none.
    """

    lr: jax.Array
    target: jax.Array
    table: jax.Array


def apply(key: jax.Array, hr: jax.Array, degradation: Degradation) -> Pair:
    """Degrade a batch, every sample by draws of its own.

    Args:
        key: one typed key, or (N,), one for each sample; see `randomness.sample_keys`.
        hr: (N, H, W, C) in [0, 1], C 1 or 3, H and W multiples of the scale.
        degradation: what is done.

    Returns:
        The pair; its gradient with respect to ``hr`` is defined, roundings passing it through.

    Raises:
        MedsrError: ``hr`` has other channels, or a side of it is no multiple of the scale.
    """
    chex.assert_rank(hr, 4)
    chex.assert_type(hr, float)
    n, rows, columns, channels = hr.shape
    scale = degradation.scale
    if channels not in (1, 3):
        raise MedsrError(f"targets of {channels} channels can't be degraded", remedy="give grey or RGB ones")
    if rows % scale or columns % scale:
        raise MedsrError(
            f"targets of {rows}x{columns} can't be shrunk by {scale}", remedy="crop them to multiples of it"
        )
    keys = sample_keys(key, n)
    target = hr if degradation.sharpen is None else sharpened(hr, degradation.sharpen)
    images = first_images(target, degradation)
    for name, step in degradation.steps.items():
        images = run_step(name, step, images, keys)
    return Pair(lr=jnp.clip(images.image, 0.0, 1.0), target=target, table=images.table)


def sharpened(hr: jax.Array, sharpen: Sharpen) -> jax.Array:
    """The target as the degradation sharpens it."""
    fields = dataclasses.asdict(sharpen)
    return unsharp_mask(hr, **fields | {"threshold": sharpen.threshold / 255.0})


def first_images(target: jax.Array, degradation: Degradation) -> steps.Images:
    """What the first step is given."""
    n, rows, columns, _ = target.shape
    table = jnp.zeros((n, 8, 8), target.dtype)
    output = (rows // degradation.scale, columns // degradation.scale)
    return steps.Images(image=target, size=full_size(target), table=table, output=output)


def run_step(name: str, step: steps.Step, images: steps.Images, keys: jax.Array) -> steps.Images:
    """One step, with random numbers that come from the samples' keys and the step's name."""
    return step(images, stream(keys, name))
