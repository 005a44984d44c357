from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.models import SRVGGNetCompact


@pytest.mark.parametrize(("convolutions", "count"), [(16, 621_424), (32, 1_213_296)])
def test_it_has_as_many_parameters_as_the_published_models(convolutions: int, count: int) -> None:
    model = SRVGGNetCompact(convolutions=convolutions)
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 4, 4, 3)))["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == count


def test_without_weights_it_repeats_pixels() -> None:
    model = SRVGGNetCompact(channels=1, features=4, convolutions=1, scale=3)
    x = jnp.asarray(np.random.default_rng(0).random((2, 5, 6, 1)), jnp.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), x)["params"]
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), shapes)
    expected = jnp.repeat(jnp.repeat(x, 3, axis=1), 3, axis=2)
    np.testing.assert_array_equal(model.apply({"params": nothing}, x), expected)
