"""JPEG, Real-ESRGAN's last step, and rounding to levels."""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp

from medsr_jax.degradation import checks
from medsr_jax.degradation.jpeg import jpeg, quantisation_tables
from medsr_jax.degradation.randomness import coin, stream, uniform
from medsr_jax.degradation.steps.blur import Sinc
from medsr_jax.degradation.steps.images import Images
from medsr_jax.degradation.steps.resizing import Downscale


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
            jnp.clip(images.image, 0.0, 1.0),
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
            return uniform(stream(keys, "quality"), *self.quality)
        quality = jnp.floor(uniform(stream(keys, "quality"), self.quality[0], self.quality[1] + 1.0))
        return jnp.minimum(quality, self.quality[1])


@dataclasses.dataclass(frozen=True)
class FinalJpegAndSinc:
    """Real-ESRGAN's last step: shrink and ring, then JPEG; or JPEG, then shrink and ring (its section 3.3).

    Attributes:
        jpeg_last: share of samples in the first order.
    """

    jpeg_last: float = 0.5
    jpeg: Jpeg = dataclasses.field(default_factory=Jpeg)
    downscale: Downscale = dataclasses.field(default_factory=Downscale)
    sinc: Sinc = dataclasses.field(default_factory=Sinc)

    def __post_init__(self) -> None:
        checks.probability("final.jpeg_last", self.jpeg_last)

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        last = coin(stream(keys, "order"), self.jpeg_last)
        images = _where(last, images, self.jpeg(images, stream(keys, "first jpeg")))
        images = self.sinc(self.downscale(images, stream(keys, "downscale")), stream(keys, "sinc"))
        return _where(last, self.jpeg(images, stream(keys, "last jpeg")), images)


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
        clipped = jnp.clip(images.image, 0.0, 1.0)
        # A mean of 16 levels is often half way between two. In float32 it is nearly so, and which way it goes would be
        # chance: what is within 1/2048 of a half is made one, and goes to the even level as in the sender.
        halves = jnp.round(clipped * (self.levels * 1024.0)) / 1024.0
        rounded = jnp.round(halves) / self.levels
        return images._replace(image=clipped + jax.lax.stop_gradient(rounded - clipped))


def _where(first: jax.Array, a: Images, b: Images) -> Images:
    """The samples of ``a`` where ``first`` (N,), those of ``b`` elsewhere."""
    pick = first[:, None, None]
    return a._replace(
        image=jnp.where(pick[..., None], a.image, b.image),
        size=jnp.where(first[:, None], a.size, b.size),
        table=jnp.where(pick, a.table, b.table),
    )
