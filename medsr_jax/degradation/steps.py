"""The steps that a degradation is composed of: frozen descriptions, each of which knows how to run.

A step takes the images as they are so far and one key for each of them, draws what it varies for every sample alone,
and gives the images on. Intervals are (low, high) and drawn from uniformly; shares need not sum to one.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from medsr_jax.degradation import checks
from medsr_jax.degradation.filtering import filter2d
from medsr_jax.degradation.jpeg import jpeg, quantisation_tables
from medsr_jax.degradation.kernels import SIZES, KernelMixture, check_sizes, draw_kernels, draw_sinc, identity
from medsr_jax.degradation.noise import mixed_noise
from medsr_jax.degradation.randomness import choose, coin, fold_in, uniform
from medsr_jax.degradation.resizing import METHODS, resize, resize_to

UNANTIALIASED = ("area", "bilinear", "bicubic")


FIRST_ORDER = KernelMixture()


class Images(NamedTuple):
    """A batch between two steps.

    Attributes:
        image: (N, H, W, C), content at the top left; in [0, 1] but for what a kernel or a resize overshot; noise
            and JPEG clip.
        size: (N, 2) int32 rows and columns of the content.
        table: (N, 8, 8) luminance quantisation steps of the JPEG grid that the images still lie on; zeros where none.
        output: rows and columns that the degradation ends with.
    """

    image: jax.Array
    size: jax.Array
    table: jax.Array
    output: tuple[int, int]

    def blank_table(self) -> jax.Array:
        """Of images that no longer lie on a JPEG grid."""
        return jnp.zeros_like(self.table)


class Step(Protocol):
    """What `Degradation` composes."""

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        """One step; ``keys`` are (N,)."""
        ...


@dataclasses.dataclass(frozen=True)
class Blur:
    """A kernel for each sample out of a mixture, with a probability."""

    probability: float = 1.0
    kernels: KernelMixture = FIRST_ORDER

    def __post_init__(self) -> None:
        checks.probability("blur.probability", self.probability)

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        return _filtered(images, self.draw(keys))

    def draw(self, keys: jax.Array) -> jax.Array:
        """(N, 21, 21) kernels."""
        kernels = draw_kernels(fold_in(keys, 0), mixture=self.kernels)
        return _or_identity(kernels, coin(fold_in(keys, 1), self.probability))


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
        return _filtered(images, self.draw(keys))

    def draw(self, keys: jax.Array) -> jax.Array:
        """(N, 21, 21) kernels."""
        kernels = draw_sinc(fold_in(keys, 0), cutoff=self.cutoff, sizes=self.sizes)
        return _or_identity(kernels, coin(fold_in(keys, 1), self.probability))


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
        direction = choose(fold_in(keys, 0), self.shares)
        up, down = uniform(fold_in(keys, 1), *self.up), uniform(fold_in(keys, 2), *self.down)
        scale = jnp.where(direction == 0, up, jnp.where(direction == 1, down, 1.0))
        return scale, choose(fold_in(keys, 3), (1.0,) * len(self.methods))


@dataclasses.dataclass(frozen=True)
class Downscale:
    """To the degradation's output size, by a method drawn from ``methods``."""

    methods: tuple[str, ...] = UNANTIALIASED

    def __post_init__(self) -> None:
        checks.among("downscale.methods", self.methods, METHODS)

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        method = choose(keys, (1.0,) * len(self.methods))
        size = jnp.broadcast_to(jnp.asarray(images.output, jnp.int32), images.size.shape)
        image = resize_to(images.image, size, method, canvas=images.output, size=images.size, methods=self.methods)
        return images._replace(image=image, size=size, table=images.blank_table())


@dataclasses.dataclass(frozen=True)
class Noise:
    """Gaussian (equation 4's v) or Poisson noise, one of the two for each sample.

    Attributes:
        gaussian: share of Gaussian noise.
        sigma: of the Gaussian, in levels of 255.
        poisson: factors of the Poisson noise; 1 is that of an image whose photons are its distinct levels.
        grey: share of samples whose channels have the same noise.
    """

    gaussian: float = 0.5
    sigma: tuple[float, float] = (1.0, 30.0)
    poisson: tuple[float, float] = (0.05, 3.0)
    grey: float = 0.4

    def __post_init__(self) -> None:
        checks.probability("noise.gaussian", self.gaussian)
        checks.interval("noise.sigma", self.sigma, least=0.0, most=255.0)
        checks.interval("noise.poisson", self.poisson, least=0.0, most=100.0)
        checks.probability("noise.grey", self.grey)

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        image = mixed_noise(fold_in(keys, 1), images.image, size=images.size, **self.draw(keys))
        return images._replace(image=image)

    def draw(self, keys: jax.Array) -> dict[str, jax.Array]:
        """The (N,) arguments of `mixed_noise`."""
        return {
            "gaussian": coin(fold_in(keys, 0), self.gaussian),
            "sigma": uniform(fold_in(keys, 2), *self.sigma) / 255.0,
            "scale": uniform(fold_in(keys, 3), *self.poisson),
            "grey": coin(fold_in(keys, 4), self.grey),
        }


@dataclasses.dataclass(frozen=True)
class Jpeg:
    """A round trip through JPEG.

    Attributes:
        quality: drawn from uniformly.
        whole: draw whole qualities, both ends included, as an encoder takes them.
        tables, subsampling, upsampling, rounding: see `medsr_jax.degradation.jpeg`.
    """

    quality: tuple[float, float] = (30.0, 95.0)
    whole: bool = False
    tables: Literal["libjpeg", "continuous"] = "continuous"
    subsampling: Literal["4:2:0", "4:4:4"] = "4:2:0"
    upsampling: Literal["linear", "nearest"] = "nearest"
    rounding: Literal["straight_through", "cubic"] = "straight_through"

    def __post_init__(self) -> None:
        checks.interval("jpeg.quality", self.quality, least=1.0, most=100.0)
        checks.among("jpeg.tables", (self.tables,), ("libjpeg", "continuous"))
        checks.among("jpeg.subsampling", (self.subsampling,), ("4:2:0", "4:4:4"))
        checks.among("jpeg.upsampling", (self.upsampling,), ("linear", "nearest"))
        checks.among("jpeg.rounding", (self.rounding,), ("straight_through", "cubic"))

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        quality = self.draw(keys)
        image = jpeg(
            _clipped(images.image),
            quality,
            size=images.size,
            subsampling=self.subsampling,
            rounding=self.rounding,
            tables=self.tables,
            upsampling=self.upsampling,
        )
        table, _ = quantisation_tables(quality, tables=self.tables)
        return images._replace(image=image, table=table.astype(images.table.dtype))

    def draw(self, keys: jax.Array) -> jax.Array:
        """(N,) qualities."""
        if not self.whole:
            return uniform(keys, *self.quality)
        quality = jnp.floor(uniform(keys, self.quality[0], self.quality[1] + 1.0))
        return jnp.minimum(quality, self.quality[1])


@dataclasses.dataclass(frozen=True)
class Coin:
    """Real-ESRGAN's last step: shrink and ring, then JPEG; or JPEG, then shrink and ring.

    Attributes:
        jpeg_last: share of the first order.
    """

    jpeg_last: float = 0.5
    jpeg: Jpeg = Jpeg()
    downscale: Downscale = Downscale()
    sinc: Sinc = Sinc()

    def __post_init__(self) -> None:
        checks.probability("coin.jpeg_last", self.jpeg_last)

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        last = coin(fold_in(keys, 0), self.jpeg_last)
        images = _where(last, images, self.jpeg(images, fold_in(keys, 1)))
        images = self.sinc(self.downscale(images, fold_in(keys, 2)), fold_in(keys, 3))
        return _where(last, self.jpeg(images, fold_in(keys, 1)), images)


@dataclasses.dataclass(frozen=True)
class Quantise:
    """Round to levels; the gradient is that of no rounding.

    Attributes:
        levels: the highest one, 255 for 8 bits.
    """

    levels: int = 255

    def __post_init__(self) -> None:
        checks.number("quantise.levels", self.levels, least=1, most=65535)

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        del keys
        clipped = _clipped(images.image)
        # A mean of 16 levels is often half way between two. In float32 it is nearly so, and which way it goes would be
        # chance: what is within 1/2048 of a half is made one, and goes to the even level as in the sender.
        halves = jnp.round(clipped * (self.levels * 1024.0)) / 1024.0
        rounded = jnp.round(halves) / self.levels
        return images._replace(image=clipped + jax.lax.stop_gradient(rounded - clipped))


def _filtered(images: Images, kernels: jax.Array) -> Images:
    image = filter2d(images.image, kernels.astype(images.image.dtype), size=images.size)
    return images._replace(image=image, table=images.blank_table())


def _or_identity(kernels: jax.Array, kept: jax.Array) -> jax.Array:
    return jnp.where(kept[:, None, None], kernels, identity(len(kernels)))


def _clipped(image: jax.Array) -> jax.Array:
    return jnp.clip(image, 0.0, 1.0)


def _where(first: jax.Array, a: Images, b: Images) -> Images:
    """The samples of ``a`` where ``first`` (N,), those of ``b`` elsewhere."""
    pick = first[:, None, None]
    return a._replace(
        image=jnp.where(pick[..., None], a.image, b.image),
        size=jnp.where(first[:, None], a.size, b.size),
        table=jnp.where(pick, a.table, b.table),
    )


STEPS: dict[str, type] = {
    step.__name__: step for step in (Blur, Sinc, RandomResize, Downscale, Noise, Jpeg, Coin, Quantise)
}
