from __future__ import annotations

import jax
import numpy as np
from scipy import special

from medsr_jax.degradation.bessel import bessel_j1


def test_j1_is_scipys_over_the_range_that_kernels_use() -> None:
    x = np.linspace(-100, 100, 200_001).astype(np.float32)
    # The largest argument of a kernel is pi times the diagonal of 21x21, 44.
    np.testing.assert_allclose(bessel_j1(x), special.j1(x.astype(np.float64)), atol=1e-6)


def test_its_derivative_is_finite_and_right_at_zero_and_at_the_join() -> None:
    x = np.array([0.0, 1e-6, 0.5, 2.999, 3.0, 3.001, 10.0, 44.0], np.float32)
    derivative = jax.vmap(jax.grad(bessel_j1))(x)
    np.testing.assert_allclose(derivative, special.jvp(1, x.astype(np.float64)), atol=2e-6)
