"""Data consistency: nothing in the result contradicts what was sent.

A JPEG states for each DCT coefficient an interval of one quantisation step that held the truth, downsampled. With
D the area downsampling by s, the images whose D falls into all intervals are a convex set. D D^T is the identity over
s^2 and the DCT is orthonormal, so that the nearest point of the set has a closed form: add to each pixel what
its small pixel lacks, x + s^2 D^T (P(D x) - D x), with P the clipping of the coefficients to their intervals
(the projection of POCS: Zakhor 1992, 'Iterative procedures for reduction of blocking effects').
"""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax.jpeg.dct import dct_matrix

# A sender rounds the downsampled image to whole levels before the DCT: the unrounded truth may lie this much
# outside an interval, in levels of an orthonormal coefficient (standard deviation of the rounding error).
ROUNDING = 0.29
# Of the whole step, for the clipping to [0, 1]; and of its part on the small image, for blocks that the edge cuts.
# With 2 in place of 16, blocks in saturated black or white keep a violation of up to a whole step.
ITERATIONS = 16
INNER_ITERATIONS = 4


def project(restored: jax.Array, indices: jax.Array, table: jax.Array, valid: jax.Array, *, scale: int) -> jax.Array:
    """Move a restored image onto the set of those that the JPEG allows.

    Where the image ends inside a square of the downsampling or inside a block, the sender saw its last row and
    column repeated, which makes the step an approximate one there; so it is repeated.

    Args:
        restored: (N, scale H, scale W, 1) in [0, 1], H and W multiples of 8.
        indices: (N, H / 8, W / 8, 8, 8) quantised coefficients as sent, natural order.
        table: (8, 8) quantisation steps.
        valid: (N, 2) int, rows and columns of ``restored`` that are real, the rest being padding.
        scale: of the sender's area downsampling.

    Returns:
        The projected image, of the same shape, clipped to [0, 1].
    """
    chex.assert_rank([restored, indices, valid], [4, 5, 2])
    lower, upper = intervals(indices, table)
    small_valid = -(-valid // scale)

    def step_small(small: jax.Array, _: None) -> tuple[jax.Array, None]:
        small = _repeat_edges(small, small_valid)
        return from_blocks(jnp.clip(to_blocks(small), lower, upper)), None

    def step(x: jax.Array, _: None) -> tuple[jax.Array, None]:
        small = area(_repeat_edges(x, valid), scale=scale)
        wanted = jax.lax.scan(step_small, small, None, length=INNER_ITERATIONS)[0]
        correction = jnp.repeat(jnp.repeat(wanted - small, scale, axis=1), scale, axis=2)
        return jnp.clip(x + correction, 0.0, 1.0), None

    return jax.lax.scan(step, restored, None, length=ITERATIONS)[0]


def block_violations(
    restored: jax.Array, indices: jax.Array, table: jax.Array, valid: jax.Array, *, scale: int
) -> jax.Array:
    """How far each block contradicts the JPEG, in quantisation steps: (N, H / 8, W / 8). Arguments as in `project`."""
    small = _repeat_edges(area(_repeat_edges(restored, valid), scale=scale), -(-valid // scale))
    excess = jnp.abs(to_blocks(small) / table - indices) - 0.5
    return jnp.maximum(excess.max((-2, -1)), 0.0)


def intervals(indices: jax.Array, table: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The ends of each coefficient's interval, in levels of an orthonormal DCT of samples less 128."""
    half = 0.5 * table + ROUNDING
    centre = indices.astype(jnp.float32) * table
    return centre - half, centre + half


def area(x: jax.Array, *, scale: int) -> jax.Array:
    """Mean over squares: (N, scale H, scale W, 1) -> (N, H, W, 1)."""
    n, h, w, c = x.shape
    return x.reshape(n, h // scale, scale, w // scale, scale, c).mean((2, 4))


def to_blocks(x: jax.Array) -> jax.Array:
    """(N, H, W, 1) in [0, 1] -> (N, H / 8, W / 8, 8, 8) DCT coefficients in levels, as JPEG defines them."""
    n, h, w, _ = x.shape
    blocks = (x * 255.0 - 128.0).reshape(n, h // 8, 8, w // 8, 8).transpose(0, 1, 3, 2, 4)
    basis = jnp.asarray(dct_matrix(), jnp.float32)
    return basis @ blocks @ basis.T


def from_blocks(coefficients: jax.Array) -> jax.Array:
    """The inverse of `to_blocks`."""
    n, rows, columns, _, _ = coefficients.shape
    basis = jnp.asarray(dct_matrix(), jnp.float32)
    blocks = (basis.T @ coefficients @ basis).transpose(0, 1, 3, 2, 4)
    return (blocks.reshape(n, rows * 8, columns * 8, 1) + 128.0) / 255.0


def largest_violation(small: np.ndarray, indices: np.ndarray, table: np.ndarray) -> float:
    """How far an image contradicts a JPEG, at its worst coefficient.

    Args:
        small: (rows, columns) float, the image downsampled as the sender does, in levels 0..255, not rounded.
        indices: (block rows, block columns, 8, 8) as sent.
        table: (8, 8) quantisation steps.

    Returns:
        The largest distance of a coefficient from its interval in quantisation steps; 0 for none. The truth itself
        may have up to about 0.1 from the rounding of the small image to whole levels.
    """
    rows, columns = small.shape
    below, right = indices.shape[0] * 8 - rows, indices.shape[1] * 8 - columns
    padded = np.pad(small.astype(np.float64) - 128.0, ((0, below), (0, right)), mode="edge")
    blocks = padded.reshape(indices.shape[0], 8, indices.shape[1], 8).transpose(0, 2, 1, 3)
    basis = dct_matrix()
    coefficients = basis @ blocks @ basis.T
    excess = np.abs(coefficients / table - indices) - 0.5
    return float(max(excess.max(), 0.0))


def _repeat_edges(x: jax.Array, valid: jax.Array) -> jax.Array:
    """Replace what lies below and right of the valid part by its last row and column, as the sender did."""
    rows = jnp.minimum(jnp.arange(x.shape[1])[None], valid[:, :1] - 1)
    columns = jnp.minimum(jnp.arange(x.shape[2])[None], valid[:, 1:] - 1)
    x = jnp.take_along_axis(x, rows[:, :, None, None], axis=1)
    return jnp.take_along_axis(x, columns[:, None, :, None], axis=2)
