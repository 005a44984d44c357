"""A family of RRDB generators for all scales of the link, with one trunk, conditioned on codec and quantiser.

All scales fold their image to one grid of the restored image's pixels, so that the RRDBs between, which have nearly all
parameters and work, are shared: what is learnt of anatomy at one scale serves the others. Each scale has a first and a
last convolution of its own. The condition is an input, as in FFDNet (Zhang et al. 2018, arXiv 1710.04026).
"""

from __future__ import annotations

from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp

from medsr_jax.models.compact import DETAIL_GAIN, bicubic, local_mean
from medsr_jax.models.conditions import CONDITIONS
from medsr_jax.models.convolution import Conv
from medsr_jax.models.rrdb import leaky, scan_blocks
from medsr_jax.models.shuffling import depth_to_space, space_to_depth

# What a codec took away at full size is a few thousandths of the range. With the gain of `compact` (0.25) one step of
# Adam moves the output by more, and 200 steps end 0.02 dB below the input instead of level with it.
CORRECTION_GAIN = 0.05


class ConditionalRRDBNet(nn.Module):
    """RRDBs at 1/``grid`` of the restored image's side, for several scales.

    Attributes:
        features, blocks, growth: of the RRDBs.
        grid: side of the square of restored pixels that a position of the trunk stands for; a multiple of all scales.
        scales: enlargements that there are parameters for, 1 to 8.
        scale: the one that is applied, of `scales`.
        remat: see `scan_blocks`.
        dtype: the type computed in; parameters and the result are float32.
    """

    features: int = 64
    blocks: int = 2
    growth: int = 32
    grid: int = 4
    scales: tuple[int, ...] = (1, 2, 4)
    scale: int = 2
    remat: bool = False
    dtype: Any = jnp.float32

    @property
    def multiple(self) -> int:
        """The input's sides must be multiples of this."""
        return self.grid // self.scale

    @nn.compact
    def __call__(self, x: jax.Array, strength: jax.Array | None = None) -> jax.Array:
        """Enlarge and restore.

        Args:
            x: (N, H, W, 1) in [0, 1], H and W multiples of `multiple`.
            strength: (N, 3) of `conditions.condition`; zeros, the default, is an image that was not coded.

        Returns:
            (N, scale H, scale W, 1), unclipped.

        Raises:
            ValueError: the scale is none of `scales`, or the grid no multiple of it.
        """
        chex.assert_shape(x, (None, None, None, 1))
        if self.scale not in self.scales or any(self.grid % scale for scale in self.scales):
            raise ValueError(f"scale {self.scale} of {self.scales} on a grid of {self.grid}")
        if strength is None:
            strength = jnp.zeros((len(x), CONDITIONS), x.dtype)
        chex.assert_shape(strength, (len(x), CONDITIONS))
        if self.is_initializing():
            # Parameters of all scales are made whichever is applied.
            for scale in sorted({*self.scales} - {self.scale}):
                side = 4 * self.grid // scale
                self._ends(jnp.zeros((1, side, side, 1)), jnp.zeros((1, CONDITIONS)), lambda y: y, scale=scale)

        body = scan_blocks(self.blocks, self.growth, remat=self.remat, dtype=self.dtype)
        last = Conv(self.features, dtype=self.dtype, name="conv_body")
        detail = self._ends(x, strength, lambda y: leaky(y + last(body(y))), scale=self.scale)
        plain = x.astype(jnp.float32) if self.scale == 1 else bicubic(x, scale=self.scale)
        return plain + detail.astype(jnp.float32)

    def _ends(self, x: jax.Array, strength: jax.Array, trunk: Any, *, scale: int) -> jax.Array:
        """The first convolution of a scale, the trunk, the last convolution."""
        first_name, last_name = ends_of(scale)
        views = jnp.concatenate([2.0 * x - 1.0, DETAIL_GAIN * (x - local_mean(x))], axis=-1)
        folded = space_to_depth(views.astype(self.dtype), block=self.grid // scale)
        level = jnp.broadcast_to(strength[:, None, None].astype(self.dtype), (*folded.shape[:3], CONDITIONS))
        first = Conv(self.features, dtype=self.dtype, name=first_name)
        y = trunk(first(jnp.concatenate([folded, level], axis=-1)))
        # Zero at first: noise of its own would be what it first has to unlearn (twice the gain after 200 steps).
        y = Conv(self.grid**2, scale=0.0, dtype=self.dtype, name=last_name)(y)
        return CORRECTION_GAIN * depth_to_space(y, block=self.grid)


def ends_of(scale: int) -> tuple[str, str]:
    """The names of a scale's own convolutions."""
    return f"first_x{scale}", f"last_x{scale}"


def at_scale(model: nn.Module, scale: int) -> nn.Module:
    """The generator with an enlargement, where it is of a family; others as they are."""
    return model.clone(scale=scale) if isinstance(model, ConditionalRRDBNet) else model
