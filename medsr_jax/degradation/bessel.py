"""The Bessel function that a circular low-pass needs and JAX lacks."""

from __future__ import annotations

import jax
import jax.numpy as jnp

# Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 9.4.4 and 9.4.6, lowest power first.
_NEAR = (0.5, -0.56249985, 0.21093573, -0.03954289, 0.00443319, -0.00031761, 0.00001109)
_AMPLITUDE = (0.79788456, 0.00000156, 0.01659667, 0.00017105, -0.00249511, 0.00113653, -0.00020033)
_PHASE = (-2.35619449, 0.12499612, 0.00005650, -0.00637879, 0.00074348, 0.00079824, -0.00029166)
_BOUNDARY = 3.0


def bessel_j1(x: jax.Array) -> jax.Array:
    """J1, the Bessel function of the first kind of order one, within 1e-6 of its value for |x| up to 100 in float32.

    Polynomials of Abramowitz and Stegun, 9.4.4 up to |x| = 3 and 9.4.6 beyond. Differentiable everywhere.
    """
    magnitude = jnp.abs(x)
    is_near = magnitude <= _BOUNDARY
    near = x * _polynomial(_NEAR, (jnp.where(is_near, magnitude, 0.0) / _BOUNDARY) ** 2)
    far_x = jnp.where(is_near, 2 * _BOUNDARY, magnitude)
    inverse = _BOUNDARY / far_x
    far = _polynomial(_AMPLITUDE, inverse) / jnp.sqrt(far_x) * jnp.cos(far_x + _polynomial(_PHASE, inverse))
    return jnp.where(is_near, near, jnp.sign(x) * far)


def _polynomial(coefficients: tuple[float, ...], x: jax.Array) -> jax.Array:
    result = jnp.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        result = result * x + coefficient
    return result
