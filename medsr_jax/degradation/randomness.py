"""Every sample draws from a key of its own, so its pair does not depend on the batch or the device that it is in."""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp


def sample_keys(key: jax.Array, n: int) -> jax.Array:
    """(N,) keys: the ones given, or one for each sample split from a single key.

    Split a batch's key once on the host side of a `pmap`, hand each device its share of the (N,) keys, and the pairs
    are those of one device. Threefry keys (JAX's default) hold that promise; the bits of ``rbg`` keys depend on the
    batch.

    Raises:
        TypeError: ``key`` is no typed key (`jax.random.key`).
        AssertionError: there is not one key for each sample.
    """
    if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        raise TypeError("key: make it with jax.random.key(seed); raw uint32 keys are ambiguous in a batch")
    if key.ndim == 0:
        return jax.random.split(key, n)
    chex.assert_shape(key, (n,))
    return key


def fold_in(keys: jax.Array, step: int) -> jax.Array:
    """(N,) keys for the ``step``-th draw of each sample."""
    return jax.vmap(lambda key: jax.random.fold_in(key, step))(keys)


def uniform(keys: jax.Array, low: jax.Array | float, high: jax.Array | float) -> jax.Array:
    """(N,) draws from U[low, high); the bounds may be (N,)."""
    return low + (high - low) * jax.vmap(jax.random.uniform)(keys)


def choose(keys: jax.Array, shares: tuple[float, ...]) -> jax.Array:
    """(N,) int32 indices, each with the probability that its share has in the sum of all."""
    total = sum(shares)
    below = jnp.cumsum(jnp.asarray([share / total for share in shares[:-1]], jnp.float32))
    return (jax.vmap(jax.random.uniform)(keys)[:, None] >= below).sum(axis=1).astype(jnp.int32)
