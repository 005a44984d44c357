"""Planar layout of colour images, for loops over pixels.

Where the three channels are the innermost dimension, XLA's loops on a CPU run over three numbers at a time and use no
vectors. A transposition alone does not help, for it is fused into the loop; the barrier keeps it apart. Noise on a
batch of 16 images of 384x384x3 takes 131 ms so, and 379 ms without.
"""

from __future__ import annotations

import jax


def planar(image: jax.Array) -> jax.Array:
    """(N, H, W, C) -> (N, C, H, W)."""
    n, h, w, c = image.shape
    if c == 1:
        return image.reshape(n, c, h, w)
    result: jax.Array = jax.lax.optimization_barrier(image.transpose(0, 3, 1, 2))
    return result


def interleaved(planes: jax.Array) -> jax.Array:
    """(N, C, H, W) -> (N, H, W, C)."""
    n, c, h, w = planes.shape
    if c == 1:
        return planes.reshape(n, h, w, c)
    result: jax.Array = jax.lax.optimization_barrier(planes).transpose(0, 2, 3, 1)
    return result
