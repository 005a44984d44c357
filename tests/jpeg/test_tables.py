"""Annex K's tables, against those that libjpeg writes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from medsr_jax.jpeg.tables import CHROMINANCE, luminance_table, nearest_quality


def _libjpeg(quality: int) -> dict[int, np.ndarray]:
    target = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(target, "JPEG", quality=quality)
    tables = Image.open(io.BytesIO(target.getvalue())).quantization  # type: ignore[attr-defined]
    return {number: np.reshape(table, (8, 8)) for number, table in tables.items()}


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 51, 60, 75, 95, 100])
def test_tables_are_libjpegs(quality: int) -> None:
    np.testing.assert_array_equal(luminance_table(quality), _libjpeg(quality)[0])
    assert nearest_quality(luminance_table(quality)) == quality


def test_chrominance_is_libjpegs_at_50() -> None:
    np.testing.assert_array_equal(CHROMINANCE, _libjpeg(50)[1])


def test_a_table_of_another_program_has_the_quality_of_its_mean_step() -> None:
    flat = np.full((8, 8), round(luminance_table(70).mean()))
    assert nearest_quality(flat) == pytest.approx(70, abs=1)
