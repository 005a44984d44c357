"""The RRDB generator (ESRGAN, arXiv 1809.00219, section 3.1; Real-ESRGAN, arXiv 2107.10833, section 4.1).

Fields carry the reference's names, so that a tensor's name there maps one to one onto a path here:
``body.7.rdb2.conv3.weight`` is ``body/rdb2/conv3/kernel[7]``, since the blocks are stacked for `flax.linen.scan`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from medsr_jax.models.convolution import Conv, convolve, kernel_and_bias
from medsr_jax.models.shuffling import space_to_depth

DENSE_CONVOLUTIONS = 5
RESIDUAL_SCALE = 0.2


def leaky(x: jax.Array) -> jax.Array:
    """Leaky ReLU with the slope 0.2 that the whole family uses."""
    return nn.leaky_relu(x, 0.2)


class _Kernel(nn.Module):
    """The parameters of one convolution of a dense block, held under the reference's name."""

    features: int

    @nn.compact
    def __call__(self, c_in: int) -> tuple[jax.Array, jax.Array]:
        return kernel_and_bias(self, c_in, self.features, scale=0.1)


class ResidualDenseBlock(nn.Module):
    """Five convolutions, each of which sees all features before it; the last is added to the input times 0.2.

    Written so that each feature map is convolved once, into all the outputs that need it, in place of five
    convolutions over growing concatenations. The sums are the same; the products are fewer and wider, and
    nothing is copied to concatenate.

    Attributes:
        growth: features that each of the first four convolutions adds.
        dtype: the type computed in.
    """

    growth: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        features = x.shape[-1]
        widths = [self.growth] * (DENSE_CONVOLUTIONS - 1) + [features]
        parameters = [_Kernel(width, name=f"conv{i + 1}")(features + i * self.growth) for i, width in enumerate(widths)]
        kernels = [kernel.astype(self.dtype) for kernel, _ in parameters]
        # What is still to be computed: the outputs of the convolutions i, i + 1, ... side by side.
        pending = jnp.concatenate([bias.astype(self.dtype) for _, bias in parameters])
        source, first = x, 0
        for i, width in enumerate(widths):
            last = first + source.shape[-1]
            spread = jnp.concatenate([kernel[:, :, first:last] for kernel in kernels[i:]], axis=-1)
            pending = pending + convolve(source, spread)
            output, pending = pending[..., :width], pending[..., width:]
            source, first = leaky(output), last
        return x + RESIDUAL_SCALE * output


class RRDB(nn.Module):
    """Three dense blocks in a residual, the 'residual in residual' of the name; the body of `flax.linen.scan`."""

    growth: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, None]:
        y = x
        for i in range(3):
            y = ResidualDenseBlock(self.growth, dtype=self.dtype, name=f"rdb{i + 1}")(y)
        return x + RESIDUAL_SCALE * y, None


def scan_blocks(
    blocks: int, growth: int, *, remat: bool = False, dtype: Any = jnp.float32
) -> Callable[[jax.Array], jax.Array]:
    """``blocks`` RRDBs named ``body``, as one `lax.scan` over stacked parameters: 23 compile as fast as one.

    Args:
        remat: recompute the inside of each block in the backward pass: one block's memory in place of all.
    """
    block = nn.remat(RRDB, prevent_cse=False) if remat else RRDB
    scanned = nn.scan(block, variable_axes={"params": 0}, split_rngs={"params": True}, length=blocks)
    body = scanned(growth, dtype=dtype, name="body")
    return lambda x: body(x)[0]


class RRDBNet(nn.Module):
    """The generator of ESRGAN and Real-ESRGAN.

    Attributes:
        channels: of the input; of the output too unless ``out_channels`` says otherwise.
        features, blocks, growth: 64, 23 and 32 in the published models.
        scale: 4 upsamples twice by 2; 2 and 1 first fold the input by pixel-unshuffle 2 and 4, as the reference does,
            so that the work is always done at a quarter of the output's side.
        remat: see `scan_blocks`.
        dtype: the type computed in; parameters and the result are float32.
    """

    channels: int = 3
    features: int = 64
    blocks: int = 23
    growth: int = 32
    scale: int = 4
    out_channels: int | None = None
    remat: bool = False
    dtype: Any = jnp.float32

    @property
    def multiple(self) -> int:
        """The input's sides must be multiples of this."""
        return 4 // self.scale

    @nn.compact
    def __call__(self, x: jax.Array, strength: jax.Array | None = None) -> jax.Array:  # noqa: ARG002  # of all generators
        """(N, H, W, channels) in [0, 1] -> (N, scale H, scale W, out channels), unclipped. ``strength`` is not used."""
        chex.assert_rank(x, 4)
        if self.scale not in (1, 2, 4):
            raise ValueError(f"RRDBNet is defined for the scales 1, 2 and 4, not {self.scale}")

        def conv(features: int, name: str) -> Conv:
            return Conv(features, dtype=self.dtype, name=name)

        x = space_to_depth(x, block=self.multiple).astype(self.dtype)
        shallow = conv(self.features, "conv_first")(x)
        deep = scan_blocks(self.blocks, self.growth, remat=self.remat, dtype=self.dtype)(shallow)
        y = shallow + conv(self.features, "conv_body")(deep)
        y = leaky(conv(self.features, "conv_up1")(nearest_x2(y)))
        y = leaky(conv(self.features, "conv_up2")(nearest_x2(y)))
        y = leaky(conv(self.features, "conv_hr")(y))
        return conv(self.out_channels or self.channels, "conv_last")(y).astype(jnp.float32)


def nearest_x2(x: jax.Array) -> jax.Array:
    """(N, H, W, C) -> (N, 2 H, 2 W, C), each pixel repeated."""
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
