"""The U-Net discriminator with spectral normalisation (Real-ESRGAN, arXiv 2107.10833, section 3.3 and figure 6)."""

from __future__ import annotations

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from medsr_jax.models.convolution import PYTORCH_SCALE, Conv
from medsr_jax.models.rrdb import leaky
from medsr_jax.models.spectral import SpectralConv

# What three halvings leave whole.
MULTIPLE = 8


class UNetDiscriminator(nn.Module):
    """One realness value for each pixel. Layers carry the reference's names, conv0 to conv9.

    Attributes:
        channels: of the images.
        features: of the first layer, 64 in the published one.
        skip: add the encoder's features to the decoder's.
        dtype: the type computed in; parameters, state and the result are float32.
    """

    channels: int = 3
    features: int = 64
    skip: bool = True
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Judge images.

        Args:
            x: (N, H, W, channels) in [0, 1], H and W multiples of 8.
            train: advance the power iterations, in the collection ``batch_stats``, which must be mutable.

        Returns:
            (N, H, W, 1) logits.
        """
        chex.assert_shape(x, (None, None, None, self.channels))
        if x.shape[1] % MULTIPLE or x.shape[2] % MULTIPLE:
            raise ValueError(f"sides {x.shape[1]}x{x.shape[2]} are not multiples of {MULTIPLE}")

        def conv(features: int, name: str) -> Conv:
            return Conv(features, scale=PYTORCH_SCALE, dtype=self.dtype, name=name)

        def spectral(y: jax.Array, features: int, name: str, *, size: int = 3, stride: int = 1) -> jax.Array:
            layer = SpectralConv(features, size, stride, scale=PYTORCH_SCALE, dtype=self.dtype, name=name)
            return leaky(layer(y, train=train))

        features = self.features
        encoded = [leaky(conv(features, "conv0")(x))]
        for level in (1, 2, 3):
            encoded.append(spectral(encoded[-1], features * 2**level, f"conv{level}", size=4, stride=2))
        y = encoded.pop()
        for level in (4, 5, 6):
            same_size = encoded.pop()
            y = spectral(bilinear_x2(y), same_size.shape[-1], f"conv{level}")
            if self.skip:
                y = y + same_size
        for level in (7, 8):
            y = spectral(y, features, f"conv{level}")
        return conv(1, "conv9")(y).astype(jnp.float32)


def bilinear_x2(x: jax.Array) -> jax.Array:
    """(N, H, W, C) -> (N, 2 H, 2 W, C): half-pixel centres, edges repeated (PyTorch's ``align_corners=False``)."""
    return _linear_x2(_linear_x2(x, axis=1), axis=2)


def _linear_x2(x: jax.Array, *, axis: int) -> jax.Array:
    """Each sample becomes two, a quarter of the way to the sample before it and to the one after it."""
    side = x.shape[axis]
    first, last = (jax.lax.slice_in_dim(x, i, i + 1, axis=axis) for i in (0, side - 1))
    before = jnp.concatenate([first, jax.lax.slice_in_dim(x, 0, side - 1, axis=axis)], axis=axis)
    after = jnp.concatenate([jax.lax.slice_in_dim(x, 1, side, axis=axis), last], axis=axis)
    pairs = jnp.stack([0.25 * before + 0.75 * x, 0.75 * x + 0.25 * after], axis=axis + 1)
    return pairs.reshape(*x.shape[:axis], 2 * side, *x.shape[axis + 1 :])
