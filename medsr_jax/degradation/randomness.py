"""Every sample draws from a key of its own, so its pair does not depend on the batch or the device that it is in."""

from __future__ import annotations

import math
import zlib

import chex
import jax
import jax.numpy as jnp
import numpy as np

# Threefry-2x32 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011): rotations and key parity.
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
_ROUNDS = 20


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


def stream(keys: jax.Array, name: str) -> jax.Array:
    """(N,) keys of a named stream of each sample: two draws under one name would be the same numbers.

    Args:
        keys: (N,) of a batch or of a step.
        name: of a step in a degradation, or of a number that a step draws.
    """
    # crc32, for Python's own hash of a string differs from run to run.
    number = zlib.crc32(name.encode())
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)


def uniform(keys: jax.Array, low: jax.Array | float, high: jax.Array | float) -> jax.Array:
    """(N,) draws from U[low, high); the bounds may be (N,)."""
    return low + (high - low) * jax.vmap(jax.random.uniform)(keys)


def coin(keys: jax.Array, probability: float) -> jax.Array:
    """(N,) bool, true with a probability."""
    return uniform(keys, 0.0, 1.0) < probability


def choose(keys: jax.Array, shares: tuple[float, ...]) -> jax.Array:
    """(N,) int32 indices, each with the probability that its share has in the sum of all."""
    total = sum(shares)
    below = jnp.cumsum(jnp.asarray([share / total for share in shares[:-1]], jnp.float32))
    return (jax.vmap(jax.random.uniform)(keys)[:, None] >= below).sum(axis=1).astype(jnp.int32)


def normal_field(keys: jax.Array, shape: tuple[int, ...], dtype: jax.typing.DTypeLike = jnp.float32) -> jax.Array:
    """(N, *shape) standard normal numbers, each sample's from its own key.

    The generator is JAX's own, Threefry with 20 rounds. JAX runs its rounds as a loop over arrays on a CPU; written out
    they become one pass over registers, five times as fast, and this is the largest use of random numbers there is.
    The numbers differ from `jax.random.normal`'s. Keys of another generator go through JAX.
    """
    if jax.random.key_impl(keys) != "threefry2x32":
        return jax.vmap(lambda key: jax.random.normal(key, shape, dtype))(keys)
    words = jax.random.key_data(keys)
    count = math.prod(shape)
    # Flat: an innermost dimension of three channels would keep the compiler from using vectors.
    counter = jnp.arange((count + 1) // 2, dtype=jnp.uint32)[None]
    bits = jnp.concatenate(threefry(words[:, :1], words[:, 1:], counter, jnp.zeros_like(counter)), axis=1)[:, :count]
    # 23 bits fill the mantissa of a number in [1, 2).
    unit = jax.lax.bitcast_convert_type((bits >> 9) | np.uint32(0x3F800000), jnp.float32) - 1.0
    # The middle of each of the 2^23 intervals, so neither end is infinite.
    normal = math.sqrt(2.0) * jax.lax.erf_inv(2.0 * unit + (2.0**-23 - 1.0))
    return normal.reshape(len(words), *shape).astype(dtype)


def threefry(
    key_0: jax.Array, key_1: jax.Array, counter_0: jax.Array, counter_1: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Threefry-2x32-20: two words of random bits for each counter under each key; uint32 that broadcast."""
    chex.assert_type([key_0, key_1, counter_0, counter_1], jnp.uint32)
    schedule = (key_0, key_1, key_0 ^ key_1 ^ _PARITY)
    x, y = counter_0 + key_0, counter_1 + key_1
    for block in range(_ROUNDS // 4):
        for rotation in _ROTATIONS[block % 2]:
            x = x + y
            y = (y << np.uint32(rotation) | y >> np.uint32(32 - rotation)) ^ x
        x = x + schedule[(block + 1) % 3]
        y = y + schedule[(block + 2) % 3] + np.uint32(block + 1)
    return x, y
