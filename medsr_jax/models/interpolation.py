"""Bicubic interpolation as a generator: what a receiver shows that has no network for a scale."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from medsr_jax.models.compact import bicubic


class Bicubic(nn.Module):
    """`compact.bicubic` in the form of a generator, without parameters.

    Attributes:
        scale: enlargement; at 1 images are left as they are.
        dtype: of networks; here all is float32.
    """

    scale: int = 4
    dtype: Any = jnp.float32

    @property
    def multiple(self) -> int:
        """The input's sides may be any."""
        return 1

    @nn.compact
    def __call__(self, x: jax.Array, strength: jax.Array | None = None) -> jax.Array:  # noqa: ARG002  # of all generators
        """(N, H, W, C) in [0, 1] -> (N, scale H, scale W, C), unclipped. ``strength`` is not used."""
        return x.astype(jnp.float32) if self.scale == 1 else bicubic(x, scale=self.scale)
