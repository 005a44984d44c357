from __future__ import annotations

import numpy as np
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import Image
from medsr_jax.transmission.mapping import choose_window, from_codes, to_codes, to_stored
from medsr_jax.transmission.sender import compress


def test_eight_bits_are_never_stretched() -> None:
    pixels = np.array([[90, 100]], np.uint8)
    low, high = choose_window(pixels, None, value_range=(0, 255))
    np.testing.assert_array_equal(to_codes(pixels, low=low, high=high, levels=255), pixels)


def test_more_bits_span_the_data_without_the_padding() -> None:
    pixels = np.array([[-2000, -1000, 5, 900]], np.int16)
    assert choose_window(pixels, None, value_range=(-32768, 32767)) == (-2000, 900)
    assert choose_window(pixels, None, value_range=(-32768, 32767), padding=(-2000, -2000)) == (-1000, 900)
    assert choose_window(pixels, "full", value_range=(-2048, 2047)) == (-2048, 2047)
    assert choose_window(pixels, (0, 100.5), value_range=(-2048, 2047)) == (0, 100.5)


def test_all_padding_is_still_an_image() -> None:
    assert choose_window(np.full((2, 2), 7), None, value_range=(0, 4095), padding=(7, 7)) == (7, 7)


@pytest.mark.parametrize("window", [(5, 5), (9, 1), (0, float("nan")), (float("-inf"), 1), "narrow"])
def test_windows_that_are_none_are_refused(window: object) -> None:
    with pytest.raises(MedsrError):
        choose_window(np.zeros((2, 2)), window, value_range=(0, 255))  # type: ignore[arg-type]


@pytest.mark.parametrize(("levels", "worst"), [(255, 0.5 * 4000 / 255), (65535, 0.5)])
def test_mapping_inverts_to_half_a_level(levels: int, worst: float) -> None:
    stored = np.arange(-1000, 3001, dtype=np.int16)
    codes = to_codes(stored, low=-1000, high=3000, levels=levels)
    back = from_codes(codes, low=-1000, high=3000, levels=levels)
    assert np.abs(back - stored).max() <= worst + 1e-3
    if levels == 65535:
        np.testing.assert_array_equal(to_stored(back, dtype="int16", value_range=(-32768, 32767)), stored)


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "int32", "uint32"])
def test_the_ends_of_a_type_are_the_ends_of_the_codes(dtype: str) -> None:
    """The distance between them is more than the type itself can hold."""
    ends = np.iinfo(dtype)
    stored = np.array([ends.min, ends.max], dtype)
    np.testing.assert_array_equal(to_codes(stored, low=ends.min, high=ends.max, levels=65535), [0, 65535])


def test_constant_image_comes_back_exactly() -> None:
    codes = to_codes(np.full((3, 3), 1234, np.uint16), low=1234, high=1234, levels=255)
    assert (from_codes(codes, low=1234, high=1234, levels=255) == 1234).all()


def test_values_outside_of_the_window_become_its_ends() -> None:
    codes = to_codes(np.array([-5, 0, 10, 99]), low=0, high=10, levels=255)
    np.testing.assert_array_equal(codes, [0, 0, 255, 255])


def test_restored_values_keep_to_the_storage() -> None:
    stored = to_stored(np.array([-9.0, 4095.4, 5000.0]), dtype="uint16", value_range=(0, 4095))
    assert stored.dtype == np.uint16
    np.testing.assert_array_equal(stored, [0, 4095, 4095])
    assert to_stored(np.array([0.25]), dtype="float32", value_range=(0, 1))[0] == 0.25


@pytest.mark.parametrize(("dtype", "offset"), [("uint32", 3_000_000_000), ("int32", -2_000_000_000), ("float64", 1e12)])
def test_levels_on_top_of_a_large_offset_are_kept(dtype: str, offset: float) -> None:
    levels = np.arange(1024).reshape(1, 32, 32)
    image = Image((levels + offset).astype(dtype), (offset, offset + 1023), "tiff")
    header = (packet := compress(image, scale=1, codec="jpeg2000", quality=100)).header
    values = from_codes(packet.decode(), low=header.low, high=header.high, levels=header.levels)
    restored = to_stored(values, dtype=dtype, value_range=image.value_range)
    assert restored.dtype == dtype
    assert np.abs(restored.astype(np.float64) - offset - levels).max() < 3  # of 1023
