"""The error of a small image that bicubic interpolation enlarges."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from medsr_jax.transmission.enlargement import enlargement_error
from medsr_jax.transmission.packet import PacketHeader
from tests.transmission.images import made


def _header(rows: int, columns: int, *, low: float = 0, high: float = 255) -> PacketHeader:
    return PacketHeader(
        rows=rows, columns=columns, dtype="uint8", value_range=(0, 255), low=low, high=high, levels=255, scale=4,
        kernel="area", quality=60, codec="jpeg",
    )  # fmt: skip


def _averaged(frame: np.ndarray) -> np.ndarray:
    rows, columns = frame.shape
    return np.rint(frame.reshape(rows // 4, 4, columns // 4, 4).mean((1, 3))).astype(np.uint8)


def test_it_is_the_mean_squared_error_of_pillows_bicubic() -> None:
    frame = made(200, 160).pixels[0]
    small = _averaged(frame)
    large = Pillow.fromarray(small.astype(np.float32)).resize((160, 200), Pillow.Resampling.BICUBIC)
    expected = np.mean((np.clip(np.asarray(large), 0, 255) / 255 - frame / 255.0) ** 2)
    assert enlargement_error(small, frame, header=_header(200, 160)) == pytest.approx(expected, rel=1e-4)


def test_bands_of_a_tall_image_stand_for_all_of_it() -> None:
    frame = made(2400, 400).pixels[0]
    small = _averaged(frame)
    parts = [
        enlargement_error(small[top : top + 100], frame[4 * top : 4 * top + 400], header=_header(400, 400))
        for top in range(0, 600, 100)
    ]
    banded = enlargement_error(small, frame, header=_header(2400, 400))
    assert banded == pytest.approx(np.mean(parts), rel=0.25)
    assert banded != pytest.approx(np.mean(parts), rel=1e-6)


def test_a_window_without_extent_has_no_error() -> None:
    frame = made(40, 40).pixels[0]
    assert enlargement_error(_averaged(frame), frame, header=_header(40, 40, low=7, high=7)) == 0.0
