import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.restoration.denoise import denoise, noise_level


@pytest.mark.parametrize("sigma", [0.01, 0.03, 0.1])
def test_the_noise_level_is_the_one_that_was_added(radiograph, sigma):
    clean = np.full((128, 128), 0.5)
    noisy = clean + np.random.default_rng(0).normal(0, sigma, clean.shape)
    estimate = float(noise_level(jnp.asarray(noisy, jnp.float32)[None, ..., None])[0])
    assert estimate == pytest.approx(sigma, rel=0.1)


def test_it_takes_noise_away_and_leaves_an_edge():
    clean = np.full((64, 64), 0.3, np.float32)
    clean[:, 32:] = 0.7
    noisy = clean + np.random.default_rng(0).normal(0, 0.03, clean.shape).astype(np.float32)
    result = np.asarray(denoise(jnp.asarray(noisy)[None, ..., None]))[0, ..., 0]
    assert np.std((result - clean)[8:-8, 8:24]) < 0.6 * 0.03
    step = result[:, 33].mean() - result[:, 30].mean()
    assert step > 0.36
