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


@jax.custom_vjp
def bilinear_x2(x: jax.Array) -> jax.Array:
    """(N, H, W, C) -> (N, 2 H, 2 W, C): half-pixel centres, edges repeated (PyTorch's ``align_corners=False``).

    Its gradient is written out, since JAX's own goes through memory once for each slice: three times slower on a CPU.
    Forward-mode differentiation is not available.
    """
    return _linear_x2(_linear_x2(x, axis=1), axis=2)


def _linear_x2(x: jax.Array, *, axis: int) -> jax.Array:
    """Each sample becomes two, a quarter of the way to the sample before it and to the one after it."""
    first, last = _part(x, 0, 1, axis), _part(x, -1, None, axis)
    before = jnp.concatenate([first, _part(x, 0, -1, axis)], axis=axis)
    after = jnp.concatenate([_part(x, 1, None, axis), last], axis=axis)
    pairs = jnp.stack([0.25 * before + 0.75 * x, 0.75 * x + 0.25 * after], axis=axis + 1)
    return pairs.reshape(*x.shape[:axis], 2 * x.shape[axis], *x.shape[axis + 1 :])


def _linear_x2_transposed(g: jax.Array, *, axis: int) -> jax.Array:
    """Each sample gets back what it gave: three quarters to its own two, a quarter to a neighbour's on either side.

    At an edge, where a sample stood for the neighbour that is missing, that quarter comes from its own.
    """
    pairs = g.reshape(*g.shape[:axis], g.shape[axis] // 2, 2, *g.shape[axis + 1 :])
    even, odd = (jax.lax.index_in_dim(pairs, i, axis + 1, keepdims=False) for i in (0, 1))
    from_after = jnp.concatenate([_part(even, 1, None, axis), _part(odd, -1, None, axis)], axis=axis)
    from_before = jnp.concatenate([_part(even, 0, 1, axis), _part(odd, 0, -1, axis)], axis=axis)
    return 0.75 * (even + odd) + 0.25 * (from_after + from_before)


def _part(x: jax.Array, start: int, stop: int | None, axis: int) -> jax.Array:
    return x[(slice(None),) * axis + (slice(start, stop),)]


def _enlarge(x: jax.Array) -> tuple[jax.Array, None]:
    return bilinear_x2(x), None


def _enlarge_backward(_: None, g: jax.Array) -> tuple[jax.Array]:
    return (_linear_x2_transposed(_linear_x2_transposed(g, axis=2), axis=1),)


bilinear_x2.defvjp(_enlarge, _enlarge_backward)
