"""Random and final changes of size."""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp

from medsr_jax.degradation import checks
from medsr_jax.degradation.randomness import choose, stream, uniform
from medsr_jax.degradation.resizing import METHODS, resize, resize_to
from medsr_jax.degradation.steps.images import Images

UNANTIALIASED = ("area", "bilinear", "bicubic")


@dataclasses.dataclass(frozen=True)
class RandomResize:
    """Enlarge, shrink or leave each sample, by a factor and a method of its own.

    Attributes:
        shares: of enlarging, shrinking and keeping.
        up, down: factors.
        of: what the factors are of: the images as they come, or the degradation's output.
        methods: drawn from uniformly.
    """

    shares: tuple[float, float, float] = (0.2, 0.7, 0.1)
    up: tuple[float, float] = (1.0, 1.5)
    down: tuple[float, float] = (0.15, 1.0)
    of: Literal["input", "output"] = "input"
    methods: tuple[str, ...] = UNANTIALIASED

    def __post_init__(self) -> None:
        checks.shares("resize.shares", self.shares)
        checks.interval("resize.up", self.up, least=1.0, most=8.0)
        checks.interval("resize.down", self.down, least=0.01, most=1.0)
        checks.among("resize.of", (self.of,), ("input", "output"))
        checks.among("resize.methods", self.methods, METHODS)

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        scale, method = self.draw(keys)
        largest = self.up[1] if self.shares[0] > 0 else 1.0
        base = images.output if self.of == "output" else images.image.shape[1:3]
        canvas = (int(base[0] * largest), int(base[1] * largest))
        if self.of == "input":
            image, size = resize(images.image, scale, method, canvas=canvas, size=images.size, methods=self.methods)
        else:
            size = jnp.floor(scale[:, None] * jnp.asarray(base)).astype(jnp.int32)
            size = jnp.clip(size, 1, jnp.asarray(canvas))
            image = resize_to(images.image, size, method, canvas=canvas, size=images.size, methods=self.methods)
        return images._replace(image=image, size=size, table=images.blank_table())

    def draw(self, keys: jax.Array) -> tuple[jax.Array, jax.Array]:
        """(N,) factors and (N,) indices of methods."""
        direction = choose(stream(keys, "direction"), self.shares)
        up, down = uniform(stream(keys, "up"), *self.up), uniform(stream(keys, "down"), *self.down)
        scale = jnp.where(direction == 0, up, jnp.where(direction == 1, down, 1.0))
        return scale, choose(stream(keys, "method"), (1.0,) * len(self.methods))


@dataclasses.dataclass(frozen=True)
class Downscale:
    """To the degradation's output size, by a method drawn from ``methods``."""

    methods: tuple[str, ...] = UNANTIALIASED

    def __post_init__(self) -> None:
        checks.among("downscale.methods", self.methods, METHODS)

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        method = choose(stream(keys, "method"), (1.0,) * len(self.methods))
        size = jnp.broadcast_to(jnp.asarray(images.output, jnp.int32), images.size.shape)
        image = resize_to(images.image, size, method, canvas=images.output, size=images.size, methods=self.methods)
        return images._replace(image=image, size=size, table=images.blank_table())
