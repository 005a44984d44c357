"""Blur by random kernels, and the sinc filter that rings."""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp

from medsr_jax.degradation import checks
from medsr_jax.degradation.filtering import filter2d
from medsr_jax.degradation.kernels import SIZES, KernelMixture, check_sizes, draw_kernels, draw_sinc, identity
from medsr_jax.degradation.randomness import coin, stream
from medsr_jax.degradation.steps.images import Images


@dataclasses.dataclass(frozen=True)
class Blur:
    """A kernel for each sample out of a mixture, with a probability."""

    probability: float = 1.0
    kernels: KernelMixture = dataclasses.field(default_factory=KernelMixture)

    def __post_init__(self) -> None:
        checks.probability("blur.probability", self.probability)

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        return filtered(images, self.draw(keys))

    def draw(self, keys: jax.Array) -> jax.Array:
        """(N, 21, 21) kernels."""
        kernels = draw_kernels(stream(keys, "kernel"), mixture=self.kernels)
        return _or_identity(kernels, coin(stream(keys, "whether"), self.probability))


@dataclasses.dataclass(frozen=True)
class Sinc:
    """A circular low-pass that rings (equation 7; Real-ESRGAN, section 3.3), with a probability.

    Attributes:
        cutoff: radians per pixel.
        sizes: of the kernel, odd.
    """

    probability: float = 0.8
    cutoff: tuple[float, float] = (math.pi / 3, math.pi)
    sizes: tuple[int, ...] = SIZES

    def __post_init__(self) -> None:
        checks.probability("sinc.probability", self.probability)
        checks.interval("sinc.cutoff", self.cutoff, least=1e-3, most=math.pi)
        check_sizes("sinc.sizes", self.sizes)

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        return filtered(images, self.draw(keys))

    def draw(self, keys: jax.Array) -> jax.Array:
        """(N, 21, 21) kernels."""
        kernels = draw_sinc(stream(keys, "kernel"), cutoff=self.cutoff, sizes=self.sizes)
        return _or_identity(kernels, coin(stream(keys, "whether"), self.probability))


def filtered(images: Images, kernels: jax.Array) -> Images:
    """The images under one (N, 21, 21) kernel each, off any JPEG grid."""
    image = filter2d(images.image, kernels.astype(images.image.dtype), size=images.size)
    return images._replace(image=image, table=images.blank_table())


def _or_identity(kernels: jax.Array, kept: jax.Array) -> jax.Array:
    return jnp.where(kept[:, None, None], kernels, identity(len(kernels)))
