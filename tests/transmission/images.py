"""Images for the tests of the sender: made ones, and real ones that pydicom brings along."""

from __future__ import annotations

import pathlib

import numpy as np
import pydicom.data

from medsr_jax.imaging.image import Image
from medsr_jax.imaging.reading import read_image

BUNDLED = pathlib.Path(pydicom.data.__file__).parent / "test_files"


def bundled(name: str) -> Image:
    return read_image(BUNDLED / name)


def made(rows: int = 96, columns: int = 120, *, seed: int = 0, dtype: str = "uint8") -> Image:
    """Smooth shapes, an edge and a little texture over the whole range of the type."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:columns] / max(rows, columns, 2)
    values = 0.4 + 0.3 * np.sin(5 * x + 2 * y) + 0.2 * (x > 0.4 + 0.2 * y) + random.normal(0, 0.006, (rows, columns))
    limits = np.iinfo(dtype)
    stored = np.clip(limits.min + values * (float(limits.max) - limits.min), limits.min, limits.max)
    return Image(pixels=stored.astype(dtype)[None], value_range=(limits.min, limits.max), kind="png", name="made.png")
