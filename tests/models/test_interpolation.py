from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.models import build
from medsr_jax.models.compact import bicubic

X = np.random.default_rng(0).random((2, 5, 7, 1), np.float32)


@pytest.mark.parametrize("scale", [2, 3, 8])
def test_it_is_bicubic_interpolation_of_any_size_without_parameters(scale: int) -> None:
    y, variables = build("bicubic", {"scale": scale}).init_with_output(
        jax.random.key(0), jnp.asarray(X), jnp.ones((2,))
    )
    assert not variables
    assert y.dtype == jnp.float32
    np.testing.assert_allclose(y, bicubic(jnp.asarray(X), scale=scale), atol=1e-6)


def test_at_full_size_nothing_changes() -> None:
    np.testing.assert_array_equal(build("bicubic", {"scale": 1}).apply({}, X), X)
