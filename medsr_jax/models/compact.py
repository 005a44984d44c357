"""A small RRDB generator for CPUs, made for images that came through a block-transform codec.

All its convolutions run below the resolution of the small image; one pixel-shuffle at the end makes the large one,
added to a bicubic enlargement. Two paths see the image: RRDBs over folded pixels (pixel-unshuffle), and a
context path on the 8x8 grid of JPEG that works on the blocks' own DCT coefficients, where one 3x3 convolution
sees 24x24 pixels. The strength of the quantisation is an input, so one model serves a range of qualities.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax.jpeg.dct import BLOCK, block_dct_matrix
from medsr_jax.models.convolution import Conv
from medsr_jax.models.rrdb import leaky, scan_blocks
from medsr_jax.models.shuffling import depth_to_space, space_to_depth

# A radiograph's detail has a hundredth of its range. Without these, one step of Adam moves the output by more than
# what it has yet to learn, and the first convolution sees little but the mean.
DETAIL_GAIN = 16.0
OUTPUT_GAIN = 0.25


class CompactRRDBNet(nn.Module):
    """RRDBs at 1/``fold`` of the small image's side, with a JPEG-block context path and a bicubic skip.

    Attributes:
        features, blocks, growth: of the RRDBs.
        scale: enlargement, 1 to 8.
        fold: pixel-unshuffle before the RRDBs; a divisor of 8.
        context: features of the path on the 8x8 grid; 0 leaves it out.
        context_layers: its 3x3 convolutions.
        blind: ignore the strength, as networks without an input for it do.
        remat: see `scan_blocks`.
        dtype: the type computed in; parameters and the result are float32.
    """

    features: int = 64
    blocks: int = 2
    growth: int = 32
    scale: int = 4
    fold: int = 4
    context: int = 128
    context_layers: int = 3
    blind: bool = False
    remat: bool = False
    dtype: Any = jnp.float32

    @property
    def multiple(self) -> int:
        """The input's sides must be multiples of this, and tiles must start at multiples of it."""
        return BLOCK if self.context else self.fold

    @nn.compact
    def __call__(self, x: jax.Array, strength: jax.Array | None = None) -> jax.Array:
        """Enlarge and restore.

        Args:
            x: (N, H, W, 1) in [0, 1], H and W multiples of `multiple`.
            strength: (N,) mean quantisation step as `quantisation_strength` gives it; 0, the default, is an image
                that was not quantised in an 8x8 DCT.

        Returns:
            (N, scale H, scale W, 1), unclipped.
        """
        chex.assert_shape(x, (None, None, None, 1))
        if strength is None or self.blind:
            strength = jnp.zeros(x.shape[:1], x.dtype)
        chex.assert_shape(strength, x.shape[:1])
        level = strength[:, None, None, None].astype(self.dtype)

        views = jnp.concatenate([2.0 * x - 1.0, DETAIL_GAIN * (x - local_mean(x))], axis=-1)
        folded = space_to_depth(views.astype(self.dtype), block=self.fold)
        inputs = [folded, jnp.broadcast_to(level, (*folded.shape[:3], 1))]
        if self.context:
            inputs.append(self._block_context(x, level))
        shallow = Conv(self.features, dtype=self.dtype, name="conv_first")(jnp.concatenate(inputs, axis=-1))
        deep = scan_blocks(self.blocks, self.growth, remat=self.remat, dtype=self.dtype)(shallow)
        y = leaky(shallow + Conv(self.features, dtype=self.dtype, name="conv_body")(deep))
        # From zero, so that training starts at bicubic: otherwise it first unlearns noise of its own making.
        y = Conv((self.fold * self.scale) ** 2, scale=0.0, dtype=self.dtype, name="conv_last")(y)
        detail = OUTPUT_GAIN * depth_to_space(y, block=self.fold * self.scale)
        return bicubic(x, scale=self.scale) + detail.astype(jnp.float32)

    def _block_context(self, x: jax.Array, level: jax.Array) -> jax.Array:
        """(N, H, W, 1) -> (N, H / fold, W / fold, 16): what a block's coefficients and its neighbours' say."""
        blocks = space_to_depth(x.astype(self.dtype), block=BLOCK) - 0.5
        coefficients = blocks @ jnp.asarray(scaled_dct(), self.dtype)
        y = jnp.concatenate([coefficients, jnp.broadcast_to(level, (*coefficients.shape[:3], 1))], axis=-1)
        y = leaky(Conv(self.context, dtype=self.dtype, name="context_1")(y))
        for i in range(2, self.context_layers + 1):
            y = y + leaky(Conv(self.context, dtype=self.dtype, name=f"context_{i}")(y))
        unfold = BLOCK // self.fold
        y = Conv(16 * unfold**2, size=1, dtype=self.dtype, name="context_last")(y)
        return depth_to_space(y, block=unfold)


def quantisation_strength(table: np.ndarray | None) -> float:
    """How coarsely an 8x8 DCT was quantised, as the number that `CompactRRDBNet` takes.

    Args:
        table: (8, 8) quantisation steps of 8-bit samples, or None for an image that was not coded so.

    Returns:
        The mean step of the 15 lowest frequencies (u + v < 5) over 16, 0.75 at q 60 of the standard luminance
        table; 0 for None.
    """
    if table is None:
        return 0.0
    u, v = np.indices((8, 8))
    return float(np.asarray(table, np.float64)[u + v < 5].mean() / 16.0)


def strength_of_tables(tables: jax.Array) -> jax.Array:
    """(N, 8, 8) quantisation steps -> (N,), as `quantisation_strength`; a table of zeros is no quantisation."""
    chex.assert_shape(tables, (None, BLOCK, BLOCK))
    u, v = np.indices((BLOCK, BLOCK))
    return tables[:, u + v < 5].mean(axis=1) / 16.0


def local_mean(x: jax.Array) -> jax.Array:
    """Mean over the 5x5 pixels around each; (N, H, W, C) -> the same, edges replicated."""
    padded = jnp.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    result: jax.Array = nn.avg_pool(padded, (5, 5), padding="VALID")
    return result


def bicubic(x: jax.Array, *, scale: int) -> jax.Array:
    """(N, H, W, C) -> (N, scale H, scale W, C): Keys' cubic convolution (1981, a = -0.5), half-pixel centres.

    The filter is the same one for every pixel of a phase, so this is a 5x5 convolution and a pixel-shuffle. Edges
    are replicated.
    """
    chex.assert_rank(x, 4)
    n, h, w, c = x.shape
    taps = jnp.asarray(cubic_taps(scale), jnp.float32)
    padded = jnp.pad(x.astype(jnp.float32), ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    rows = _sum([padded[:, k : k + h, None] * taps[:, k][:, None, None] for k in range(5)])
    rows = rows.reshape(n, h * scale, w + 4, c)
    columns = _sum([rows[:, :, k : k + w, None] * taps[:, k][:, None] for k in range(5)])
    return columns.reshape(n, h * scale, w * scale, c)


def _sum(terms: Sequence[jax.Array]) -> jax.Array:
    return functools.reduce(jnp.add, terms)


def cubic_taps(scale: int) -> np.ndarray:
    """(scale, 5): the weights of pixels -2..2 for each output phase."""
    offsets = (np.arange(scale) + 0.5) / scale - 0.5
    distance = np.abs(np.arange(-2, 3)[None] - offsets[:, None])
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1.0
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4.0 * distance + 2.0
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))


def scaled_dct() -> np.ndarray:
    """(64 pixels, 64 frequencies): the orthonormal 8x8 DCT-II, scaled so that all outputs are of order one."""
    row, column = np.indices((BLOCK, BLOCK))
    # The spectrum of a radiograph falls with frequency; 0.5 is for the mean.
    gain = np.where(row + column == 0, 0.5, 8.0 * (row + column)).ravel()
    return block_dct_matrix().T * gain
