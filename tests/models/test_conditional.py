"""The family of conditional generators: one trunk, ends by scale, a condition that matters."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.jpeg.tables import luminance_table
from medsr_jax.models import build
from medsr_jax.models.compact import bicubic
from medsr_jax.models.conditional import ConditionalRRDBNet, at_scale
from medsr_jax.models.conditions import condition_of_avif, condition_of_jpeg, condition_of_jpeg2000
from medsr_jax.weights.parameters import flatten

FAMILY = ConditionalRRDBNet(features=8, blocks=1, growth=4, grid=4, scales=(1, 2, 4))


@pytest.fixture(scope="module")
def params() -> dict[str, jax.Array]:
    return jax.jit(FAMILY.init)(jax.random.key(0, impl="rbg"), jnp.zeros((1, 8, 8, 1)))["params"]


@pytest.fixture(scope="module")
def image() -> jax.Array:
    return jax.random.uniform(jax.random.key(1, impl="rbg"), (2, 8, 16, 1))


def moved(params: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """Parameters after some training: the last convolutions are zero at first."""
    return jax.tree.map(lambda leaf: leaf + 0.05, params)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_each_scale_enlarges_and_begins_as_interpolation(
    params: dict[str, jax.Array], image: jax.Array, scale: int
) -> None:
    result = at_scale(FAMILY, scale).apply({"params": params}, image)
    np.testing.assert_array_equal(result, image if scale == 1 else bicubic(image, scale=scale))
    assert result.shape == (2, 8 * scale, 16 * scale, 1)


def test_all_scales_share_the_trunk_and_have_ends_of_their_own(params: dict[str, jax.Array], image: jax.Array) -> None:
    def gradient(scale: int) -> dict[str, np.ndarray]:
        member = at_scale(FAMILY, scale)
        loss = lambda p: jnp.abs(member.apply({"params": p}, image)).sum()  # noqa: E731
        return flatten(jax.grad(loss)(moved(params)))

    used = {scale: {name for name, leaf in gradient(scale).items() if np.any(leaf)} for scale in (1, 4)}
    both = used[1] & used[4]
    assert both == {name for name in flatten(params) if name.startswith(("body/", "conv_body/"))}
    assert {name.split("/")[0] for name in used[1] - both} == {"first_x1", "last_x1"}
    assert {name.split("/")[0] for name in used[4] - both} == {"first_x4", "last_x4"}


@pytest.mark.parametrize("first", [1, 2, 4])
def test_parameters_are_the_same_whichever_scale_they_are_made_with(first: int) -> None:
    shapes = jax.eval_shape(at_scale(FAMILY, first).init, jax.random.key(0), jnp.zeros((1, 8, 8, 1)))["params"]
    whole = jax.eval_shape(FAMILY.init, jax.random.key(0), jnp.zeros((1, 8, 8, 1)))["params"]
    assert jax.tree.map(jnp.shape, shapes) == jax.tree.map(jnp.shape, whole)


def test_condition_changes_the_result_of_its_image_alone(params: dict[str, jax.Array], image: jax.Array) -> None:
    apply = lambda strength: FAMILY.apply({"params": moved(params)}, image, strength)  # noqa: E731
    none = apply(jnp.zeros((2, 3)))
    one = apply(jnp.stack([jnp.zeros(3), jnp.asarray(condition_of_avif(160))]))
    np.testing.assert_array_equal(one[0], none[0])
    assert float(jnp.abs(one[1] - none[1]).max()) > 1e-4


def test_conditions_by_codec() -> None:
    table = luminance_table(60)
    np.testing.assert_array_equal(condition_of_jpeg(table)[1:], 0)
    assert condition_of_jpeg(table)[0] == pytest.approx(0.75, abs=0.01)
    np.testing.assert_array_equal(condition_of_jpeg2000(60), condition_of_jpeg(table)[[1, 0, 2]])
    np.testing.assert_array_equal(condition_of_avif(192), np.float32([0, 0, 1.5]))


def test_models_of_one_scale_stay_as_they_are() -> None:
    model = build("compact_rrdbnet", {"features": 8, "blocks": 1, "growth": 4, "scale": 4})
    assert at_scale(model, 2) is model


@pytest.mark.parametrize("fields", [{"scale": 3}, {"grid": 4, "scales": (1, 3), "scale": 1}])
def test_scale_that_does_not_fit_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="on a grid of 4"):
        build("conditional_rrdbnet", fields).init(jax.random.key(0), jnp.zeros((1, 8, 8, 1)))


@pytest.mark.parametrize("scales", [(), (1, 0), (1, 2.0), "1", 2])
def test_scales_are_numbers_from_1_up(scales: object) -> None:
    with pytest.raises(MedsrError, match="scales"):
        build("conditional_rrdbnet", {"scales": scales})
