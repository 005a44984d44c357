"""SRCNN (Dong et al., arXiv 1501.00092), the first convolutional network for super-resolution: a baseline."""

from __future__ import annotations

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from medsr_jax.models.compact import bicubic
from medsr_jax.models.convolution import Conv


class SRCNN(nn.Module):
    """Three convolutions over the bicubic enlargement: patches, their mapping, reconstruction (equations 1 to 3).

    Attributes:
        channels: of input and output.
        features: n1 and n2 of the paper.
        sizes: f1, f2 and f3 of the paper, odd: 9-5-5 is its best, 9-1-5 its fastest.
        scale: enlargement.
        residual: add the enlargement to the result, as VDSR (Kim et al., arXiv 1511.04587) does; the paper does not.
        dtype: the type computed in; parameters and the result are float32.
    """

    channels: int = 1
    features: tuple[int, int] = (64, 32)
    sizes: tuple[int, int, int] = (9, 5, 5)
    scale: int = 4
    residual: bool = False
    dtype: Any = jnp.float32

    @property
    def multiple(self) -> int:
        """The input's sides may be any."""
        return 1

    @nn.compact
    def __call__(self, x: jax.Array, strength: jax.Array | None = None) -> jax.Array:  # noqa: ARG002  # of all generators
        """(N, H, W, channels) in [0, 1] -> (N, scale H, scale W, channels), unclipped. ``strength`` is not used."""
        chex.assert_shape(x, (None, None, None, self.channels))
        enlarged = bicubic(x, scale=self.scale)
        y = enlarged
        for i, (features, size) in enumerate(zip(self.features, self.sizes[:2], strict=True)):
            y = nn.relu(Conv(features, size=size, dtype=self.dtype, name=f"conv{i + 1}")(y))
        y = Conv(self.channels, size=self.sizes[2], dtype=self.dtype, name="conv3")(y).astype(jnp.float32)
        return enlarged + y if self.residual else y
