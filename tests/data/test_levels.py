"""From values of any depth to grey levels, and to the range of the networks."""

import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.data.levels import to_eight_bits, to_levels, to_unit_range


def test_a_window_maps_its_ends_to_black_and_white() -> None:
    values = np.array([0, 100, 160, 200, 999])
    np.testing.assert_array_equal(to_levels(values, 100, 200, dtype=np.uint8), [0, 0, 153, 255, 255])
    np.testing.assert_array_equal(to_levels(values, 100, 200, dtype=np.uint16), [0, 0, 39321, 65535, 65535])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_levels_are_the_nearest(dtype: type[np.generic]) -> None:
    values = np.arange(0, 256).astype(dtype)
    levels = to_levels(values, 10, 243, dtype=np.uint16)
    exact = np.clip((np.arange(256) - 10) / 233, 0, 1) * 65535
    assert np.abs(levels - exact).max() <= 0.51


def test_an_empty_window_is_black() -> None:
    assert not to_levels(np.array([3, 4, 5]), 4, 4, dtype=np.uint8).any()


def test_sixteen_bits_are_rounded_to_eight_and_eight_are_kept() -> None:
    deep = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(to_eight_bits(deep), (deep.astype(int) + 128) // 257)
    shallow = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_eight_bits(shallow), shallow)


def test_the_unit_range_is_the_same_in_numpy_and_jax_to_the_last_bit_but_one() -> None:
    levels = np.arange(256, dtype=np.uint8)
    unit = to_unit_range(levels)
    assert unit.dtype == np.float32
    assert (unit[0], unit[-1]) == (0.0, 1.0)
    # XLA multiplies by the reciprocal.
    np.testing.assert_allclose(to_unit_range(jnp.asarray(levels)), unit, rtol=2e-7, atol=0)
