"""The jitted function at the heart of the receiver: small images in, restored ones out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax.restoration.consistency import block_violations, project
from medsr_jax.restoration.denoise import denoise


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Inputs:
    """A batch of small images or tiles of them, of one shape.

    Attributes:
        small: (N, H, W, 1) uint8 or uint16 codes.
        strength: (N,) see `models.compact.quantisation_strength`.
        inverted: (N,) bool, low values are white; the network sees such an image inverted.
        valid: (N, 2) int32, rows and columns of the result that are real; below and right of them is padding.
        indices: (N, H / 8, W / 8, 8, 8) int16 quantised DCT coefficients as sent, or None.
        table: (N, 8, 8) int32 quantisation steps, or None.
    """

    small: jax.Array | np.ndarray
    strength: jax.Array | np.ndarray
    inverted: jax.Array | np.ndarray
    valid: jax.Array | np.ndarray
    indices: jax.Array | np.ndarray | None = None
    table: jax.Array | np.ndarray | None = None


def make_restore(
    model: nn.Module, *, scale: int, smooth: bool = False
) -> Callable[[Any, Inputs], tuple[jax.Array, jax.Array | None]]:
    """The jitted restoration ``I_final = D_N(G(I_compressed))``.

    Args:
        model: a generator, called with (images, strength).
        scale: its enlargement.
        smooth: apply `denoise` after the generator.

    Returns:
        A function of parameters and `Inputs` that gives (N, scale H, scale W, 1) float32 in [0, 1], and None. Where the
        inputs have indices the result is projected onto what they allow (`consistency.project`), last, for smoothing
        would undo it, and in place of None comes how far each block contradicted them before, (N, H / 8, W / 8).
    """

    def restore(params: Any, inputs: Inputs) -> tuple[jax.Array, jax.Array | None]:
        levels = jnp.iinfo(inputs.small.dtype).max
        x = inputs.small.astype(jnp.float32) / levels
        turned = inputs.inverted[:, None, None, None]
        x = jnp.where(turned, 1.0 - x, x)
        y = jnp.asarray(model.apply({"params": params}, x, inputs.strength))
        y = jnp.where(turned, 1.0 - y, y)
        y = jnp.clip(y, 0.0, 1.0)
        if smooth:
            y = denoise(y)
        if inputs.indices is None or inputs.table is None:
            return y, None

        def fit(y: jax.Array, indices: Any, table: Any, valid: Any) -> tuple[jax.Array, jax.Array]:
            one = (y[None], indices[None], table, valid[None])
            return project(*one, scale=scale)[0], block_violations(*one, scale=scale)[0]

        return jax.vmap(fit)(y, inputs.indices, inputs.table.astype(jnp.float32), inputs.valid)

    return jax.jit(restore)
