"""From values of any depth to grey levels, and from levels to the networks' range: the one place that rounds them.

Levels are uint8 (0..255) or uint16 (0..65535); the whole range of the type stands for the value window.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from medsr_jax.transmission.mapping import to_codes

ArrayT = TypeVar("ArrayT", bound=Any)


def to_levels(values: np.ndarray, low: float, high: float, *, dtype: type[np.unsignedinteger[Any]]) -> np.ndarray:
    """The line from [low, high] to the whole range of ``dtype``, rounded to the nearest and clamped at both ends.

    Args:
        values: of any shape and real type.
        low, high: the value window; an empty one gives zeros.
        dtype: np.uint8 or np.uint16.
    """
    top = np.iinfo(dtype).max
    if low == 0 and high == top and values.dtype == dtype:
        return values
    return to_codes(values, low=low, high=high, levels=int(top))


def to_eight_bits(levels: np.ndarray) -> np.ndarray:
    """uint8 levels as they are, uint16 levels rounded to 8 bits."""
    return to_levels(levels, 0, np.iinfo(levels.dtype).max, dtype=np.uint8)


def to_unit_range(levels: ArrayT) -> ArrayT:
    """uint8 levels, a NumPy or JAX array, as float32 in [0, 1]."""
    result: ArrayT = levels.astype(np.float32) / 255.0
    return result
