from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.random import threefry_2x32
from scipy import stats

from medsr_jax.degradation.randomness import choose, normal_field, sample_keys, threefry, uniform


def test_threefry_is_jaxs() -> None:
    words = jnp.asarray([0x13198A2E, 0x03707344], jnp.uint32)
    counter = jnp.arange(2000, dtype=jnp.uint32) * jnp.uint32(2654435761)
    first, second = threefry(words[0], words[1], counter[:1000], counter[1000:])
    # JAX splits its counters into halves in the same way.
    np.testing.assert_array_equal(jnp.concatenate([first, second]), threefry_2x32(words, counter))


def test_threefry_gives_the_published_answer() -> None:
    """A vector of the authors' Random123 distribution."""
    word = lambda x: jnp.uint32(x)  # noqa: E731
    first, second = threefry(word(0x13198A2E), word(0x03707344), word(0x243F6A88), word(0x85A308D3))
    assert (int(first), int(second)) == (0xC4923A9C, 0x483DF7A0)


def test_a_field_is_normal_and_differs_between_samples() -> None:
    keys = sample_keys(jax.random.key(0), 4)
    field = np.asarray(normal_field(keys, (1, 101, 333)), np.float64)
    assert np.isfinite(field).all() and field.shape == (4, 1, 101, 333)
    assert stats.kstest(field.ravel(), "norm").pvalue > 0.001
    assert abs(stats.kurtosis(field.ravel())) < 0.05
    correlation = np.corrcoef(field.reshape(4, -1)) - np.eye(4)
    assert np.abs(correlation).max() < 0.025
    neighbours = np.corrcoef(field[..., 1:].ravel(), field[..., :-1].ravel())[0, 1]
    assert abs(neighbours) < 0.01


def test_a_samples_field_comes_from_its_own_key_alone() -> None:
    keys = sample_keys(jax.random.key(1), 5)
    np.testing.assert_array_equal(normal_field(keys, (3, 7))[3:], normal_field(keys[3:], (3, 7)))


def test_keys_of_another_generator_work() -> None:
    field = normal_field(sample_keys(jax.random.key(0, impl="rbg"), 2), (50, 50))
    assert abs(float(field.std()) - 1) < 0.05


def test_draws_are_of_the_interval_and_of_the_shares() -> None:
    keys = sample_keys(jax.random.key(2), 10_000)
    assert stats.kstest(np.asarray(uniform(keys, 2.0, 5.0)), "uniform", (2.0, 3.0)).pvalue > 0.001
    counts = np.bincount(choose(keys, (2.0, 0.0, 6.0, 2.0)), minlength=4)
    assert counts[1] == 0 and stats.chisquare(counts[[0, 2, 3]], [2000, 6000, 2000]).pvalue > 0.001


def test_keys_must_be_typed_and_one_for_each_sample() -> None:
    with pytest.raises(TypeError, match=r"jax\.random\.key"):
        sample_keys(jax.random.PRNGKey(0), 2)
    with pytest.raises(AssertionError):
        sample_keys(sample_keys(jax.random.key(0), 3), 2)
