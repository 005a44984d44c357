from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from medsr_jax.degradation.poisson import poisson_quantile
from medsr_jax.degradation.randomness import normal_field, sample_keys

quantile = jax.jit(poisson_quantile)

# Evenly spaced probabilities, so that means over them are integrals.
PROBABILITIES = (np.arange(100_000) + 0.5) / 100_000
NORMAL = stats.norm.ppf(PROBABILITIES).astype(np.float32)


@pytest.mark.parametrize("rate", [0.01, 0.3, 1.0, 3.99, 4.0, 7.5, 20.0, 256.0, 1000.0, 50_000.0])
def test_counts_are_the_poisson_quantiles(rate: float) -> None:
    counts = np.asarray(quantile(NORMAL, np.full_like(NORMAL, rate)))
    expected = stats.poisson.ppf(PROBABILITIES, rate)
    assert (counts != expected).mean() < 0.003
    # Float32 has too few digits for the last one of a count of tens of thousands.
    assert np.abs(counts - expected).max() <= 1
    assert abs(counts.mean() - rate) < 2e-3 * max(1.0, rate**0.5)
    assert abs(counts.var() / rate - 1) < 3e-3


def test_drawn_counts_have_the_poisson_distribution() -> None:
    field = normal_field(sample_keys(jax.random.key(0), 1), (200_000,))[0]
    for rate in (0.8, 5.0):
        counts = np.asarray(quantile(field, jnp.full_like(field, rate))).astype(int)
        top = int(stats.poisson.ppf(0.9999, rate))
        seen = np.bincount(np.minimum(counts, top), minlength=top + 1)
        expected = 200_000 * np.append(stats.poisson.pmf(np.arange(top), rate), stats.poisson.sf(top - 1, rate))
        assert stats.chisquare(seen, expected * seen.sum() / expected.sum()).pvalue > 1e-4


def test_no_photons_are_expected_and_none_come() -> None:
    assert not quantile(NORMAL, np.zeros_like(NORMAL)).any()


def test_no_gradient_passes() -> None:
    gradient = jax.grad(lambda rate: poisson_quantile(jnp.asarray(NORMAL[:100]), rate).sum())(jnp.full(100, 9.0))
    assert not gradient.any()
