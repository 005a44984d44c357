import numpy as np
import pytest

from medsr_jax.restoration.denoise import denoise, guided_filter


@pytest.mark.parametrize("dtype", [np.uint8, np.int16])
def test_denoising_reduces_noise_and_keeps_an_edge(dtype: type[np.generic]) -> None:
    low, high = (0, 255) if dtype is np.uint8 else (-1024, 3071)
    clean = np.full((64, 64), 0.3)
    clean[:, 32:] = 0.7
    noise = np.random.default_rng(0).normal(0, 0.03, clean.shape)
    noisy = np.rint((clean + noise) * (high - low) + low).astype(dtype)
    denoised = denoise(noisy[None], value_range=(low, high))
    assert (denoised.shape, denoised.dtype) == ((1, 64, 64), noisy.dtype)
    result = (denoised[0].astype(float) - low) / (high - low)
    assert np.std((result - clean)[8:-8, 8:24]) < 0.6 * 0.03
    step = result[:, 33].mean() - result[:, 30].mean()
    assert step > 0.36


def test_each_frame_has_its_own_noise() -> None:
    random = np.random.default_rng(0)
    frames = np.stack([np.full((64, 64), 120.0), 120 + random.normal(0, 10, (64, 64))]).astype(np.uint8)
    denoised = denoise(frames, value_range=(0, 255))
    np.testing.assert_array_equal(denoised[0], frames[0])
    assert denoised[1].std() < 0.6 * frames[1].std()


def test_the_guided_filter_is_its_formula() -> None:
    """Equations 5, 6 and 8 of He et al. 2010 with the guide equal to the input, window by window."""
    x = np.random.default_rng(0).random((9, 11))
    padded = np.pad(x, 1, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
    a = windows.var((-2, -1)) / (windows.var((-2, -1)) + 0.02)
    b = (1 - a) * windows.mean((-2, -1))
    mean_a, mean_b = (
        np.lib.stride_tricks.sliding_window_view(np.pad(c, 1, mode="edge"), (3, 3)).mean((-2, -1)) for c in (a, b)
    )
    ours = guided_filter(x[None, ..., None].astype(np.float32), variance=np.array([0.02], np.float32), radius=1)
    np.testing.assert_allclose(np.asarray(ours)[0, ..., 0], mean_a * x + mean_b, atol=1e-5)
