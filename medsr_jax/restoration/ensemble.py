"""Geometric self-ensemble: the mean of what a generator makes of the flips and transposes of an image.

Lim et al. 2017, 'Enhanced Deep Residual Networks for Single Image Super-Resolution' (EDSR+), arXiv 1707.02921, section
3.4, over all eight symmetries of a square, which the network had been trained on.

Which views do good depends on the network. The published Real-ESRGAN x4plus, trained with a GAN, draws detail that was
not sent, another in each view, and the mean has less of it: on 4 validation radiographs (scale 4, q 60, 512x512 crops,
fitted to what was sent) two views gain 0.22 dB over one pass, four 0.35 dB and eight 0.52 dB. The packaged `xray-x4`,
trained for fidelity on images and their left-right mirror images, draws little and knows which way is up: on 48 such
radiographs the mirror pair gains 0.036 dB and is better on 44 of them, all four flips lose 0.013 dB and all eight
0.051 dB. The quantisation table, whose transpose is another, has little part in it: an image loses 0.20 dB when it is
sent transposed, and 0.21 dB upside down, where no step changes (scripts/measure/uncertainty.py). So `usual_views`
differ.

How far the answers to all eight lie apart is the spread: where the network contradicts itself.
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

# Of rows and of columns, in the order that they are averaged in; the same four of the transposed image follow.
FLIPS = ((False, False), (False, True), (True, False), (True, True))
VIEWS = 2 * len(FLIPS)
# By the model's name, where fewer views than all were measured to do better.
_FEWER = {"compact_rrdbnet": 2}


def usual_views(model: str) -> int:
    """Default number of views of an ensemble: all, as in the reference, but for the exceptions measured above."""
    return _FEWER.get(model, VIEWS)


class _Moments(NamedTuple):
    """What the views so far amount to: their number, mean, sum of squared distances from it, and the mean kept."""

    count: Any
    mean: Any
    squares: Any
    kept: Any


def ensemble(
    generator: Generator, x: jax.Array, strength: jax.Array, *, views: int, spread: bool
) -> tuple[jax.Array, jax.Array | None]:
    """The mean over ``views`` views and the spread over all eight, to be traced.

    A loop over the flips of the image, and where they are needed one over those of its transpose: a program of one or
    two passes, and the memory of one.

    Args:
        generator: a traceable function.
        x: (N, H, W, 1), sides multiples of 8.
        strength: (N,), or (N, 3) of a conditional generator.
        views: 1, 2, 4 or 8.
        spread: compute it, which takes all eight whatever the mean is over.

    Returns:
        The mean and the standard deviation, or None, each (N, scale H, scale W, 1). The deviation is divided by 8 and
        not by 7: the eight are the whole group, and no sample of it.
    """
    chex.assert_rank([x, strength], [4, {1, 2}])
    if not spread and views == 1:
        return generator(x, strength), None
    shape = jax.eval_shape(generator, x, strength)
    nothing = jnp.zeros(shape.shape, shape.dtype)
    moments = _Moments(jnp.zeros((), shape.dtype), nothing, nothing, nothing)
    for transposed, flips in _needed(VIEWS if spread else views):
        view = jnp.swapaxes(x, 1, 2) if transposed else x

        def add(moments: _Moments, flips: jax.Array, *, view: jax.Array, transposed: bool) -> tuple[_Moments, None]:
            y = _where_flipped(generator(_where_flipped(view, flips), strength), flips)
            new = _with(moments, jnp.swapaxes(y, 1, 2) if transposed else y)
            return new._replace(kept=jnp.where(new.count <= views, new.mean, new.kept)), None

        step = functools.partial(add, view=view, transposed=transposed)
        moments = jax.lax.scan(step, moments, jnp.asarray(flips))[0]
    return moments.kept, jnp.sqrt(moments.squares / VIEWS) if spread else None


def ensemble_outside(
    generator: Generator, x: np.ndarray, strength: np.ndarray, *, views: int, spread: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """`ensemble` of a generator that takes and gives NumPy arrays, one view after the other."""
    if not spread and views == 1:
        return generator(x, strength), None
    nothing = np.float32(0)
    moments = _Moments(0, nothing, nothing, nothing)
    for transposed, flips in _needed(VIEWS if spread else views):
        for flipped in flips:
            axes = tuple(axis for axis, chosen in zip((1, 2), flipped, strict=True) if chosen)
            view = np.flip(x.swapaxes(1, 2) if transposed else x, axes)
            y = np.flip(generator(np.ascontiguousarray(view), strength), axes)
            moments = _with(moments, y.swapaxes(1, 2) if transposed else y)
            if moments.count <= views:
                moments = moments._replace(kept=moments.mean)
    return moments.kept, np.sqrt(moments.squares / np.float32(VIEWS)) if spread else None


def _needed(views: int) -> list[tuple[bool, tuple[tuple[bool, bool], ...]]]:
    """The first ``views``: (transposed, its flips)."""
    upright = (False, FLIPS[:views])
    return [upright, (True, FLIPS)] if views == VIEWS else [upright]


def _with(moments: _Moments, y: Any) -> _Moments:
    """One more view (Welford 1962): a plain sum of squares would drown spreads of a thousandth in rounding."""
    count = moments.count + 1
    before = y - moments.mean
    mean = moments.mean + before / count
    return moments._replace(count=count, mean=mean, squares=moments.squares + before * (y - mean))


def _where_flipped(x: jax.Array, flips: jax.Array) -> jax.Array:
    """(N, H, W, C) with its rows and its columns reversed where the two booleans say so."""
    x = jnp.where(flips[0], x[:, ::-1], x)
    return jnp.where(flips[1], x[:, :, ::-1], x)
