"""Folding pixels into channels and back, in the channel order of the reference (PyTorch's pixel-unshuffle).

dm-pix has both with TensorFlow's order, in which a pixel's original channel varies fastest; imported weights of
three-channel models need the other one.
"""

from __future__ import annotations

import chex
import jax


def space_to_depth(x: jax.Array, *, block: int) -> jax.Array:
    """(N, block H, block W, C) -> (N, H, W, C block^2), where c block^2 + i block + j is pixel (i, j) of channel c."""
    chex.assert_rank(x, 4)
    n, h, w, c = x.shape
    if block == 1:
        return x
    if h % block or w % block:
        raise ValueError(f"sides {h}x{w} are not multiples of {block}")
    x = x.reshape(n, h // block, block, w // block, block, c)
    return x.transpose(0, 1, 3, 5, 2, 4).reshape(n, h // block, w // block, c * block**2)


def depth_to_space(x: jax.Array, *, block: int) -> jax.Array:
    """The inverse of `space_to_depth`: (N, H, W, C block^2) -> (N, block H, block W, C)."""
    chex.assert_rank(x, 4)
    n, h, w, c = x.shape
    if block == 1:
        return x
    if c % block**2:
        raise ValueError(f"{c} channels are not a multiple of {block**2}")
    x = x.reshape(n, h, w, c // block**2, block, block)
    return x.transpose(0, 1, 4, 2, 5, 3).reshape(n, h * block, w * block, c // block**2)
