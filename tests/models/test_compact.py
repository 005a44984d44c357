from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from medsr_jax.models import CompactRRDBNet
from medsr_jax.models.compact import bicubic, quantisation_strength


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_agrees_with_pillow(scale: int) -> None:
    x = np.random.default_rng(0).random((9, 7), np.float32)
    ours = bicubic(jnp.asarray(x)[None, ..., None], scale=scale)[0, ..., 0]
    theirs = np.asarray(Image.fromarray(x).resize((7 * scale, 9 * scale), Image.Resampling.BICUBIC))
    inside = slice(2 * scale, -2 * scale)  # Pillow renormalises at the edge, where we repeat the last pixel
    np.testing.assert_allclose(ours[inside, inside], theirs[inside, inside], atol=1e-5)


def moved(variables: dict[str, Any]) -> dict[str, Any]:
    """Parameters after some training: the last convolution is zero at first."""
    return jax.tree.map(lambda leaf: leaf + 0.05, variables)


@pytest.mark.parametrize(("fold", "context"), [(2, 0), (2, 8), (4, 8)])
def test_it_enlarges_and_begins_as_bicubic(fold: int, context: int) -> None:
    model = CompactRRDBNet(features=8, growth=4, blocks=1, fold=fold, context=context)
    x = 0.5 + 0.02 * jax.random.uniform(jax.random.key(0, impl="rbg"), (2, 16, 24, 1))
    y, _ = jax.jit(model.init_with_output)(jax.random.key(1, impl="rbg"), x, jnp.ones((2,)))
    assert y.shape == (2, 64, 96, 1)
    assert y.dtype == jnp.float32
    np.testing.assert_array_equal(y, bicubic(x, scale=4))


def test_all_parameters_learn_after_the_first_step() -> None:
    """The last convolution's gradient is not zero at the start, so that the others' are not zero thereafter."""
    model = CompactRRDBNet(features=8, growth=4, blocks=1, context=8)
    x = jax.random.uniform(jax.random.key(0, impl="rbg"), (1, 8, 8, 1))
    variables = model.init(jax.random.key(1, impl="rbg"), x)

    @jax.jit
    def gradient(variables: dict[str, Any]) -> Any:
        return jax.grad(lambda v: jnp.square(model.apply(v, x, jnp.ones((1,))) - 1.0).mean())(variables)["params"]

    first = gradient(variables)
    assert np.any(first["conv_last"]["kernel"])
    second = gradient({"params": jax.tree.map(lambda p, g: p - 0.1 * g, variables["params"], first)})
    assert all(np.any(leaf) for leaf in jax.tree.leaves(second))


def test_the_strength_of_the_quantisation_changes_the_result() -> None:
    model = CompactRRDBNet(features=8, growth=4, blocks=1, context=8)
    x = jax.random.uniform(jax.random.key(0, impl="rbg"), (1, 8, 8, 1))
    variables = moved(model.init(jax.random.key(1, impl="rbg"), x))
    weak, strong = (model.apply(variables, x, jnp.full((1,), s)) for s in (0.2, 1.2))
    assert float(jnp.abs(weak - strong).max()) > 1e-4


def test_a_blind_network_takes_no_notice_of_it() -> None:
    model = CompactRRDBNet(features=8, growth=4, blocks=1, context=8, blind=True)
    x = jax.random.uniform(jax.random.key(0, impl="rbg"), (1, 8, 8, 1))
    variables = moved(model.init(jax.random.key(1, impl="rbg"), x))
    weak, strong = (model.apply(variables, x, jnp.full((1,), s)) for s in (0.0, 1.2))
    np.testing.assert_array_equal(weak, strong)


def test_the_strength_is_the_mean_low_frequency_step() -> None:
    assert quantisation_strength(None) == 0.0
    assert quantisation_strength(np.full((8, 8), 16)) == 1.0
    table = np.full((8, 8), 1000)
    u, v = np.indices((8, 8))
    table[u + v < 5] = 8
    assert quantisation_strength(table) == 0.5
