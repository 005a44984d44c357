"""Gaussian and Poisson noise, of a strength and a kind for each sample.

Real-ESRGAN, section 3.2, with the paper's equation 6: sensor noise is Gaussian, quantum noise Poisson. Images are
(N, H, W, C) in [0, 1]; results are clipped to that.
"""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp

from medsr_jax.degradation.layout import interleaved, planar
from medsr_jax.degradation.poisson import poisson_quantile
from medsr_jax.degradation.randomness import normal_field, sample_keys
from medsr_jax.degradation.regions import inside

# ITU-R BT.601.
_LUMA = (0.2989, 0.587, 0.114)


def gaussian_noise(key: jax.Array, image: jax.Array, sigma: jax.Array, *, grey: jax.Array | None = None) -> jax.Array:
    """Add N(0, sigma^2), ``sigma`` (N,) of the range; where ``grey`` (N,) bool, one number for all channels."""
    chex.assert_rank([image, sigma], [4, 1])
    planes = planar(image)
    return interleaved(_clipped(planes + _column(sigma) * _field(key, planes, grey)))


def poisson_noise(
    key: jax.Array,
    image: jax.Array,
    scale: jax.Array,
    *,
    grey: jax.Array | None = None,
    size: jax.Array | None = None,
) -> jax.Array:
    """Add ``scale`` times the noise of an image whose white is as many photons as it has distinct levels.

    The number of levels is rounded up to a power of two, as Real-ESRGAN and scikit-image do.

    Args:
        key: see `sample_keys`.
        image: (N, H, W, C).
        scale: (N,); 1 is Poisson noise itself.
        grey: (N,) bool: the noise of the luma, the same in all channels.
        size: (N, 2) rows and columns that are the image, None for all; levels are counted there.

    Returns:
        (N, H, W, C). Its gradient is that of the image alone: noise of mean zero is taken as a constant.
    """
    chex.assert_rank([image, scale], [4, 1])
    planes = planar(image)
    residual = _poisson_residual(_field(key, planes, grey), planes, grey, size)
    return interleaved(_clipped(planes + _column(scale) * residual))


def mixed_noise(
    key: jax.Array,
    image: jax.Array,
    *,
    gaussian: jax.Array,
    sigma: jax.Array,
    scale: jax.Array,
    grey: jax.Array,
    size: jax.Array | None = None,
) -> jax.Array:
    """`gaussian_noise` where ``gaussian`` (N,) bool, else `poisson_noise`, both from one field of random numbers."""
    chex.assert_rank(image, 4)
    chex.assert_shape([gaussian, sigma, scale, grey], image.shape[:1])
    planes = planar(image)
    field = _field(key, planes, grey)
    quantum = _column(scale) * _poisson_residual(field, planes, grey, size)
    return interleaved(_clipped(planes + jnp.where(_column(gaussian), _column(sigma) * field, quantum)))


def distinct_levels(image: jax.Array, *, size: jax.Array | None = None) -> jax.Array:
    """(N,) int32: how many of the 256 levels of 8 bits each image has, over all its channels."""
    chex.assert_rank(image, 4)
    return _distinct(_levels(planar(image)), size)


def _distinct(levels: jax.Array, size: jax.Array | None) -> jax.Array:
    if size is not None:
        known = inside(size, *levels.shape[2:]).reshape(len(levels), 1, *levels.shape[2:])
        # A level that is there anyway stands for what is outside.
        levels = jnp.where(known, levels, levels[:, :1, :1, :1])
    # A scatter of 256 flags: on a CPU a fifth of the time of bit sets joined by a reduction, and far below a sort.
    flat = levels.astype(jnp.int32).reshape(len(levels), -1)
    flags = jax.vmap(lambda found: jnp.zeros(256, jnp.int32).at[found].set(1, mode="promise_in_bounds"))(flat)
    return flags.sum(axis=1)


def _field(key: jax.Array, planes: jax.Array, grey: jax.Array | None) -> jax.Array:
    """Standard normal numbers for every pixel, the same in all planes where grey."""
    field = normal_field(sample_keys(key, len(planes)), planes.shape[1:], planes.dtype)
    return field if grey is None else jnp.where(_column(grey), field[:, :1], field)


def _poisson_residual(field: jax.Array, planes: jax.Array, grey: jax.Array | None, size: jax.Array | None) -> jax.Array:
    expected = jax.lax.stop_gradient(_clipped(planes))
    if grey is not None and planes.shape[1] == 3:
        luma = sum(weight * expected[:, k : k + 1] for k, weight in enumerate(_LUMA))
        expected = jnp.where(_column(grey), luma, expected)
    levels = _levels(expected)
    photons = _column(2.0 ** jnp.ceil(jnp.log2(_distinct(levels, size).astype(planes.dtype))))
    expected = levels / 255.0
    return poisson_quantile(field, expected * photons) / photons - expected


def _levels(planes: jax.Array) -> jax.Array:
    return jnp.round(255.0 * _clipped(planes))


def _column(value: jax.Array) -> jax.Array:
    return value[:, None, None, None]


def _clipped(image: jax.Array) -> jax.Array:
    return jnp.clip(image, 0.0, 1.0)
