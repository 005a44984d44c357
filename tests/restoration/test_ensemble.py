from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.models import build
from medsr_jax.restoration.ensemble import ensemble, ensemble_outside, usual_views
from medsr_jax.restoration.function import Inputs, make_restore, make_restore_outside
from medsr_jax.weights import model_file

SHAPES = [(2, 16, 16, 1), (1, 8, 24, 1)]


def nearest(x: Any, strength: Any) -> Any:
    """A generator that treats all directions alike."""
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2) + strength[:, None, None, None]


def lopsided(x: Any, strength: Any) -> Any:
    """One that does not: another weight for each neighbour, and squares, so that views don't commute."""
    return nearest(x * x + 0.5 * jnp.roll(x, 1, axis=1) - 0.3 * jnp.roll(x, 3, axis=2), strength)


def inputs(shape: Any) -> tuple[Any, ...]:
    x = np.random.default_rng(0).random(shape, np.float32)
    return x, np.linspace(0.1, 0.2, shape[0], dtype=np.float32)


def answers(x: Any, strength: Any) -> Any:
    """Of `lopsided` to the eight symmetries, as turns by right angles of the image and of its mirror image."""
    result = []
    for mirrored in (False, True):
        for turns in range(4):
            view = np.rot90(x[:, :, ::-1] if mirrored else x, turns, axes=(1, 2))
            y = np.rot90(np.asarray(lopsided(view, strength)), -turns, axes=(1, 2))
            result.append(y[:, :, ::-1] if mirrored else y)
    return np.stack(result)


def traced(x: Any, strength: Any, *, generator: Any = lopsided, **options: Any) -> Any:
    return jax.jit(lambda x, strength: ensemble(generator, x, strength, **options))(x, strength)


def outside(x: Any, strength: Any, *, generator: Any = lopsided, **options: Any) -> Any:
    return ensemble_outside(lambda *arrays: np.asarray(generator(*arrays)), x, strength, **options)


@pytest.mark.parametrize("averaged", [traced, outside])
@pytest.mark.parametrize("shape", SHAPES)
def test_all_eight_are_the_turns_of_the_image_and_of_its_mirror_image(averaged: Any, shape: Any) -> None:
    x, strength = inputs(shape)
    mean, spread = averaged(x, strength, views=8, spread=True)
    each = answers(x, strength)
    np.testing.assert_allclose(mean, each.mean(0), atol=1e-6)
    np.testing.assert_allclose(spread, each.std(0), atol=1e-6)


@pytest.mark.parametrize("averaged", [traced, outside])
@pytest.mark.parametrize(("views", "turned"), [(1, [0]), (2, [0, 4]), (4, [0, 2, 4, 6])])
def test_fewer_views_are_the_mirror_pair_and_the_flips_and_leave_the_spread_as_it_is(
    averaged: Any, views: int, turned: list[Any]
) -> None:
    x, strength = inputs(SHAPES[1])
    each = answers(x, strength)
    mean, spread = averaged(x, strength, views=views, spread=True)
    np.testing.assert_allclose(mean, each[turned].mean(0), atol=1e-6)
    np.testing.assert_allclose(spread, each.std(0), atol=1e-6)
    alone, none = averaged(x, strength, views=views, spread=False)
    np.testing.assert_allclose(alone, mean, atol=1e-6)
    assert none is None


@pytest.mark.parametrize("averaged", [traced, outside])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_generator_that_treats_directions_alike_has_no_spread_and_keeps_its_answer(averaged: Any, shape: Any) -> None:
    x, strength = inputs(shape)
    mean, spread = averaged(x, strength, generator=nearest, views=8, spread=True)
    np.testing.assert_array_equal(mean, nearest(x, strength))
    assert not np.any(spread)


def test_all_views_are_usual_but_for_the_model_that_was_measured_to_do_better_with_two() -> None:
    assert usual_views("rrdbnet") == usual_views("srvgg") == 8
    assert usual_views("compact_rrdbnet") == 2


@pytest.mark.parametrize("options", [{}, {"views": 2, "spread": True}])
def test_a_network_computed_elsewhere_gives_what_the_one_program_gives(
    tiny_weights: Any, options: dict[str, Any]
) -> None:
    weights = model_file.load(tiny_weights)
    model = build(weights.model, weights.fields)
    random = np.random.default_rng(0)
    batch = Inputs(
        small=random.integers(0, 256, (2, 32, 32, 1), np.uint8),
        strength=np.array([0.0, 0.9], np.float32),
        inverted=np.array([True, False]),
        valid=np.array([[128, 128], [120, 99]], np.int32),
        indices=random.integers(-2, 3, (2, 4, 4, 8, 8)).astype(np.int16),
        table=np.full((2, 8, 8), 16, np.int32),
    )
    apply = jax.jit(lambda x, strength: model.apply({"params": weights.params}, x, strength))
    elsewhere = make_restore_outside(lambda *arrays: np.asarray(apply(*arrays)), scale=4, **options)(batch)
    together = make_restore(model, scale=4, **options)(weights.params, batch)
    np.testing.assert_allclose(elsewhere.image, together.image, atol=1e-5)
    np.testing.assert_allclose(elsewhere.before, together.before, atol=1e-3)
    if options:
        np.testing.assert_allclose(elsewhere.spread, together.spread, atol=1e-6)
    else:
        assert elsewhere.spread is together.spread is None
