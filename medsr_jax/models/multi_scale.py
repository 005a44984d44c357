"""A discriminator for each of several image scales, as one module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from medsr_jax.models.registry import DISCRIMINATORS


class MultiScaleDiscriminator(nn.Module):
    """Discriminators of one kind, each with weights of its own, over an image and shrunken copies of it.

    As in pix2pixHD (Wang et al., arXiv 1711.11585, section 3.2): the coarser ones judge structure, the finer texture.

    Attributes:
        kind: a name of `registry.DISCRIMINATORS`.
        fields: of each.
        factors: the images are averaged over blocks of this side; (1,) is the plain discriminator.
        dtype: the type computed in.
    """

    kind: str
    fields: Mapping[str, Any]
    factors: tuple[int, ...] = (1,)
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, ...]:
        """(N, H, W, C) in [0, 1] -> logits of each scale."""
        chex.assert_rank(x, 4)
        logits = []
        for factor in self.factors:
            shrunk = x if factor == 1 else nn.avg_pool(x, (factor, factor), strides=(factor, factor))
            discriminator = DISCRIMINATORS[self.kind](**self.fields, dtype=self.dtype, name=f"scale_{factor}")
            logits.append(discriminator(shrunk, train=train))
        return tuple(logits)
