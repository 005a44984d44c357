"""The function at the heart of the receiver: small images in, restored ones out."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax.restoration.consistency import block_violations, project
from medsr_jax.restoration.ensemble import Generator, ensemble, ensemble_outside


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


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Outputs:
    """A batch restored.

    Attributes:
        image: (N, scale H, scale W, 1) float32 in [0, 1].
        before: (N, H / 8, W / 8) how far each block contradicted what was sent before the image was projected onto it,
            in quantisation steps; None where the inputs have no indices.
        spread: (N, scale H, scale W, 1) float32, the standard deviation of the generator's answers to the eight views,
            neither clipped nor projected; None unless requested.
    """

    image: jax.Array
    before: jax.Array | None = None
    spread: jax.Array | None = None


def make_restore(
    model: nn.Module, *, scale: int, views: int = 1, spread: bool = False
) -> Callable[[Any, Inputs], Outputs]:
    """The restoration ``I_final = D_N(G(I_compressed))`` as one jitted program.

    Args:
        model: a generator, called with (images, strength).
        scale: its enlargement.
        views, spread: of the small image, that the generator's answers are averaged over (`ensemble`), and whether to
            give the spread over all eight.

    Returns:
        A function of parameters and `Inputs`. Where the inputs have indices the result is projected onto what they
        allow (`consistency.project`), which is ``D_N``; the paper's also denoises, see `denoise`.
    """

    def restore(params: Any, inputs: Inputs) -> Outputs:
        def generator(x: jax.Array, strength: jax.Array) -> jax.Array:
            return jnp.asarray(model.apply({"params": params}, x, strength))

        x, strength = positive(inputs), jnp.asarray(inputs.strength)
        y, deviation = ensemble(generator, x, strength, views=views, spread=spread)
        return _finish(y, deviation, inputs, scale=scale)

    return jax.jit(restore)


def make_restore_outside(
    generator: Generator, *, scale: int, views: int = 1, spread: bool = False
) -> Callable[[Inputs], Outputs]:
    """`make_restore` with a generator that another runtime computes; what follows it is jitted.

    Args:
        generator: takes NumPy arrays, (N, H, W, 1) float32 in [0, 1] and the strength (N,), and gives
            (N, scale H, scale W, 1) float32.
        scale, views, spread: as of `make_restore`.

    Returns:
        A function of `Inputs` of NumPy arrays.
    """
    finish = jax.jit(functools.partial(_finish, scale=scale))

    def restore(inputs: Inputs) -> Outputs:
        x, strength = positive(inputs), np.asarray(inputs.strength)
        y, deviation = ensemble_outside(generator, x, strength, views=views, spread=spread)
        result: Outputs = finish(*jax.device_put((y, deviation, inputs)))
        return result

    return restore


def positive(inputs: Inputs) -> Any:
    """The small images in [0, 1], with low values black: NumPy's arrays of NumPy's, JAX's of JAX's."""
    x = inputs.small.astype(np.float32) / np.float32(np.iinfo(inputs.small.dtype).max)
    # |0 - x| is x and |1 - x| is 1 - x, both exactly.
    return abs(inputs.inverted[:, None, None, None].astype(np.float32) - x)


def _finish(y: Any, spread: Any, inputs: Inputs, *, scale: int) -> Outputs:
    """What follows the generator: the image is inverted back, clipped and projected onto what was sent."""
    y = jnp.where(jnp.asarray(inputs.inverted)[:, None, None, None], 1.0 - y, y)
    y = jnp.clip(y, 0.0, 1.0)
    if inputs.indices is None or inputs.table is None:
        return Outputs(y, spread=spread)

    def fit(y: jax.Array, indices: Any, table: Any, valid: Any) -> tuple[jax.Array, jax.Array]:
        one = (y[None], indices[None], table, valid[None])
        return project(*one, scale=scale)[0], block_violations(*one, scale=scale)[0]

    image, before = jax.vmap(fit)(y, inputs.indices, inputs.table.astype(jnp.float32), inputs.valid)
    return Outputs(image, before, spread)
