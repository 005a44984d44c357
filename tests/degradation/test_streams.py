"""Each number that a step draws has random numbers of its own."""

from __future__ import annotations

from collections import defaultdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.degradation import PRESETS, apply, kernels, preset, randomness, xray
from medsr_jax.degradation import composition as composing
from medsr_jax.degradation.randomness import sample_keys, stream, uniform
from medsr_jax.degradation.steps import STEPS, Images, blur, coding, noise, resizing
from medsr_jax.degradation.steps import xray as xray_steps

MODULES = (randomness, kernels, xray, composing, blur, coding, noise, resizing, xray_steps)


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> dict[int, list[str]]:
    """The names of the streams that are drawn from the same keys, by the keys' identity."""
    found: dict[int, list[str]] = defaultdict(list)
    kept: list[jax.Array] = []
    original = randomness.stream

    def recorded(keys: jax.Array, name: str) -> jax.Array:
        kept.append(keys)  # an identity is not used again while the object lives
        found[id(keys)].append(name)
        return original(keys, name)

    for module in MODULES:
        if hasattr(module, "stream"):
            monkeypatch.setattr(module, "stream", recorded)
    return found


def _images() -> Images:
    return Images(
        image=jnp.full((2, 16, 16, 1), 0.5),
        size=jnp.full((2, 2), 16),
        table=jnp.zeros((2, 8, 8)),
        output=(4, 4),
    )


@pytest.mark.parametrize("kind", STEPS)
def test_no_step_draws_two_numbers_from_one_stream(kind: str, streams: dict[int, list[str]]) -> None:
    step = STEPS[kind]()
    jax.eval_shape(lambda keys: step(_images(), keys).image, sample_keys(jax.random.key(0), 2))
    names = list(streams.values())
    assert names or kind == "Quantise"
    assert all(len(set(drawn)) == len(drawn) for drawn in names), names


@pytest.mark.parametrize("name", PRESETS)
def test_no_preset_gives_two_steps_one_stream(name: str, streams: dict[int, list[str]]) -> None:
    hr = jnp.full((2, 16, 16, 1), 0.5)
    jax.eval_shape(lambda key: apply(key, hr, preset(name)).lr, jax.random.key(0))
    assert all(len(set(drawn)) == len(drawn) for drawn in streams.values())


def test_streams_of_two_names_are_not_correlated_and_one_name_is_the_same_numbers() -> None:
    keys = sample_keys(jax.random.key(3), 4000)
    first, second, again = (np.asarray(uniform(stream(keys, name), 0.0, 1.0)) for name in ("up", "down", "up"))
    np.testing.assert_array_equal(first, again)
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(4000)
