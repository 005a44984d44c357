from __future__ import annotations

import numpy as np
import pytest

from medsr_jax.transmission.downscaling import KERNELS, downscale


@pytest.mark.parametrize("scale", range(1, 9))
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (17, 9), (16, 8)])
def test_small_side_is_the_side_over_the_scale_rounded_up(scale: int, kernel: str, shape: tuple[int, int]) -> None:
    small = downscale(np.full(shape, -7, np.int16), scale=scale, kernel=kernel)
    assert small.shape == (-(-shape[0] // scale), -(-shape[1] // scale))
    assert small.dtype == np.float32
    np.testing.assert_allclose(small, -7, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32])
def test_area_is_the_mean_of_each_square_to_the_last_bit(dtype: type) -> None:
    pixels = np.random.default_rng(0).integers(0, 256 if dtype == np.uint8 else 32768, (24, 40)).astype(dtype)
    expected = pixels.astype(np.float64).reshape(6, 4, 10, 4).mean((1, 3)).astype(np.float32)
    np.testing.assert_array_equal(downscale(pixels, scale=4), expected)


def test_largest_16_bit_values_do_not_overflow() -> None:
    assert (downscale(np.full((16, 16), 65535, np.uint16), scale=8) == 65535).all()


def test_last_square_is_filled_by_repetition() -> None:
    row = np.arange(5, dtype=np.uint8)[None]
    np.testing.assert_array_equal(downscale(row, scale=4), [[1.5, 4.0]])


def test_frames_are_independent() -> None:
    frames = np.random.default_rng(1).integers(0, 255, (3, 9, 10), np.uint8)
    np.testing.assert_array_equal(downscale(frames, scale=2)[1], downscale(frames[1], scale=2))


@pytest.mark.parametrize("kernel", KERNELS)
def test_nothing_above_the_new_nyquist_frequency_survives(kernel: str) -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    small = downscale(stripes, scale=4, kernel=kernel)[:, 2:-2]
    np.testing.assert_allclose(small, 127.5, atol=3)


@pytest.mark.parametrize("shape", [(), (8,), (1, 2, 8, 8), (0, 8), (8, 0), (0, 8, 8)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"pixels are \(rows, columns\) or \(frames, rows, columns\), not"):
        downscale(np.zeros(shape, np.uint8), scale=2)


@pytest.mark.parametrize("kernel", ["bicubic", "lanczos"])
def test_a_point_comes_back_as_the_stated_kernel(kernel: str) -> None:
    scale = 4
    point = np.zeros((80, 80), np.float32)
    point[40] = 1.0
    profile = downscale(point, scale=scale, kernel=kernel)[:, 10]
    distances = np.abs((np.arange(20) + 0.5) * scale - 40.5) / scale
    weights = np.array([_cubic(x) if kernel == "bicubic" else _lanczos(x) for x in distances])
    np.testing.assert_allclose(profile, weights / scale, atol=2e-3)


def _cubic(x: float) -> float:
    """Keys 1981, with a = -1/2."""
    if x < 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def _lanczos(x: float) -> float:
    return float(np.sinc(x) * np.sinc(x / 3)) if x < 3 else 0.0


@pytest.mark.parametrize("options", [{"scale": 0}, {"scale": 9}, {"scale": 4, "kernel": "nearest"}])
def test_other_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"scale|kernel"):
        downscale(np.zeros((8, 8), np.uint8), **options)  # type: ignore[arg-type]
