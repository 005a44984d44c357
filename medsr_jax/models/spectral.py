"""Spectral normalisation of a convolution (Miyato et al., arXiv 1802.05957).

Linen's own `nn.SpectralNorm` has the same gradient, but evaluates with the norm of the last training pass, which the
optimiser's update has made stale; it keeps no right singular vector, which a published discriminator has; and it
names its state with slashes. PyTorch's convention is kept here: both vectors are state, the norm is never.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from medsr_jax.models.convolution import convolve, kernel_parameter

STATE = "batch_stats"
_EPSILON = 1e-12


class SpectralConv(nn.Module):
    """A convolution without bias whose kernel, as a (rows * columns * C, features) matrix, has spectral norm one.

    The norm is estimated by power iteration, one in each training pass, in float32 whatever is computed in. Its state,
    the collection ``batch_stats``, is ``u`` (features,) and ``v`` (rows * columns * C,), the singular vectors: they
    depend on the kernel and on their past alone, and so stay equal on all devices. A training pass needs the
    collection to be mutable.

    Attributes:
        features, size, stride, scale, dtype: as `convolution.Conv`'s.
    """

    features: int
    size: int = 3
    stride: int = 1
    scale: float = 1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        kernel = kernel_parameter(self, x.shape[-1], self.features, size=self.size, scale=self.scale)
        matrix = kernel.reshape(-1, self.features)
        u = self.variable(STATE, "u", self._random_direction, self.features)
        v = self.variable(STATE, "v", self._random_direction, matrix.shape[0])
        if train and not self.is_initializing():
            u.value, v.value = power_iteration(matrix, u.value)
        normalised = kernel / spectral_norm(matrix, u.value, v.value)
        return convolve(x.astype(self.dtype), normalised.astype(self.dtype), stride=self.stride)

    def _random_direction(self, length: int) -> jax.Array:
        return _unit(jax.random.normal(self.make_rng("params"), (length,)))


def power_iteration(matrix: jax.Array, u: jax.Array) -> tuple[jax.Array, jax.Array]:
    """One step towards the first singular vectors (algorithm 1): (rows, columns) and u (columns,) -> (u, v)."""
    matrix, u = jax.lax.stop_gradient((matrix, u))
    v = _unit(jnp.matmul(matrix, u, precision="highest"))
    return _unit(jnp.matmul(v, matrix, precision="highest")), v


def spectral_norm(matrix: jax.Array, u: jax.Array, v: jax.Array) -> jax.Array:
    """sigma = v^T W u, whose gradient is v u^T: the vectors are constants (equation 11)."""
    u, v = jax.lax.stop_gradient((u, v))
    return v @ jnp.matmul(matrix, u, precision="highest")


def _unit(vector: jax.Array) -> jax.Array:
    return vector / jnp.maximum(jnp.linalg.norm(vector), _EPSILON)
