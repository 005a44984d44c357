"""Geometric self-ensemble: the mean of what a generator makes of the eight flips and transposes of an image.

Lim et al. 2017, 'Enhanced Deep Residual Networks for Single Image Super-Resolution' (EDSR+), arXiv 1707.02921, section
3.4. The eight are the symmetries of a square (the dihedral group). A generator that had learnt them would answer each
view alike; how far its answers lie apart is the spread.

Sides are multiples of JPEG's 8, so that a flip maps blocks onto blocks; it changes the sign of coefficients and no
quantisation step. A transpose makes of the table its transpose, which is another table.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

# (images (N, H, W, 1) in [0, 1], strength (N,)) -> enlarged images
Generator = Callable[[Any, Any], Any]

# Of rows and of columns.
FLIPS = ((False, False), (False, True), (True, False), (True, True))
VIEWS = 2 * len(FLIPS)


class _Moments(NamedTuple):
    """What the views so far amount to: their number, their mean and their sum of squared distances from it."""

    count: Any
    mean: Any
    squares: Any


def ensemble(generator: Generator, x: jax.Array, strength: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The mean over the eight views and their spread, to be traced.

    A loop over the flips of the image and one over those of its transpose: a program of two passes for eight, and the
    memory of one.

    Args:
        generator: a traceable function.
        x: (N, H, W, 1).
        strength: (N,).

    Returns:
        Mean and standard deviation, each (N, scale H, scale W, 1). The deviation is divided by 8 and not by 7: the
        eight are the whole group, and no sample of it.
    """
    chex.assert_rank([x, strength], [4, 1])
    shape = jax.eval_shape(generator, x, strength)
    nothing = jnp.zeros(shape.shape, shape.dtype)
    moments = _Moments(jnp.zeros((), shape.dtype), nothing, nothing)
    for transposed in (False, True):
        view = jnp.swapaxes(x, 1, 2) if transposed else x

        def add(moments: _Moments, flips: jax.Array, *, view: jax.Array, transposed: bool) -> tuple[_Moments, None]:
            y = _where_flipped(generator(_where_flipped(view, flips), strength), flips)
            return _with(moments, jnp.swapaxes(y, 1, 2) if transposed else y), None

        step = functools.partial(add, view=view, transposed=transposed)
        moments = jax.lax.scan(step, moments, jnp.asarray(FLIPS))[0]
    return moments.mean, jnp.sqrt(moments.squares / VIEWS)


def ensemble_outside(generator: Generator, x: np.ndarray, strength: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`ensemble` of a generator that takes and gives NumPy arrays, one view after the other."""
    moments = _Moments(0, np.float32(0), np.float32(0))
    for transposed in (False, True):
        for flips in FLIPS:
            axes = tuple(axis for axis, flipped in zip((1, 2), flips, strict=True) if flipped)
            view = np.flip(x.swapaxes(1, 2) if transposed else x, axes)
            y = np.flip(generator(np.ascontiguousarray(view), strength), axes)
            moments = _with(moments, y.swapaxes(1, 2) if transposed else y)
    return moments.mean, np.sqrt(moments.squares / np.float32(VIEWS))


def _with(moments: _Moments, y: Any) -> _Moments:
    """One more view (Welford 1962): a plain sum of squares would drown spreads of a thousandth in rounding."""
    count = moments.count + 1
    before = y - moments.mean
    mean = moments.mean + before / count
    return _Moments(count, mean, moments.squares + before * (y - mean))


def _where_flipped(x: jax.Array, flips: jax.Array) -> jax.Array:
    """(N, H, W, C) with its rows and its columns reversed where the two booleans say so."""
    x = jnp.where(flips[0], x[:, ::-1], x)
    return jnp.where(flips[1], x[:, :, ::-1], x)
