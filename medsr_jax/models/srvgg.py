"""The compact VGG-style generator of Real-ESRGAN's small models (general-x4v3, animevideov3).

All convolutions run at the small image's resolution, and a pixel-shuffle at the end makes the large one, added to the
small image's repeated pixels. Described in the Real-ESRGAN sources, not in its paper.
"""

from __future__ import annotations

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from medsr_jax.models.convolution import Conv
from medsr_jax.models.shuffling import depth_to_space

_SLOPE = 0.25


class _PReLU(nn.Module):
    """Leaky ReLU with a slope for each feature that is learnt (He et al. 2015), under the name of PyTorch's."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        slope = self.param("weight", nn.initializers.constant(_SLOPE), (x.shape[-1],))
        return jnp.where(x >= 0, x, slope.astype(x.dtype) * x)


class _Layer(nn.Module):
    """A convolution and its activation; the body of `flax.linen.scan`."""

    features: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, None]:
        return _PReLU(name="act")(Conv(self.features, dtype=self.dtype, name="conv")(x)), None


class SRVGGNetCompact(nn.Module):
    """The generator.

    Attributes:
        channels: of input and output.
        features: of all layers, 64 in the published models.
        convolutions: between the first and the last, 16 or 32 in the published models.
        scale: enlargement.
        dtype: the type computed in; parameters and the result are float32.
    """

    channels: int = 3
    features: int = 64
    convolutions: int = 16
    scale: int = 4
    dtype: Any = jnp.float32

    @property
    def multiple(self) -> int:
        """The input's sides must be multiples of this."""
        return 1

    @nn.compact
    def __call__(self, x: jax.Array, strength: jax.Array | None = None) -> jax.Array:  # noqa: ARG002  # of all generators
        """(N, H, W, channels) in [0, 1] -> (N, scale H, scale W, channels), unclipped. ``strength`` is not used."""
        chex.assert_shape(x, (None, None, None, self.channels))
        y = Conv(self.features, dtype=self.dtype, name="conv_first")(x.astype(self.dtype))
        y = _PReLU(name="act_first")(y)
        layers = nn.scan(_Layer, variable_axes={"params": 0}, split_rngs={"params": True}, length=self.convolutions)
        y, _ = layers(self.features, dtype=self.dtype, name="body")(y)
        y = Conv(self.channels * self.scale**2, dtype=self.dtype, name="conv_last")(y)
        base = jnp.repeat(jnp.repeat(x.astype(jnp.float32), self.scale, axis=1), self.scale, axis=2)
        return base + depth_to_space(y, block=self.scale).astype(jnp.float32)
