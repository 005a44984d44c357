"""The stated, invertible line between stored values and the codes that a codec carries.

``stored value = low + (high - low) * code / levels`` with `levels` 255 or 65535. Code 0 is `low`, code `levels` is
`high`; values outside of [low, high] become the nearer end. `low` and `high` travel in the packet, so that the receiver
inverts the line without guessing.

What is lost: a window of n whole values mapped to 256 codes merges about ``n / 256`` neighbouring values into one (a
full 12-bit range: 16 of them, an error of at most 8 values or 0.2 % of the range), before the codec loses anything. A
narrower window loses less inside and everything outside.
"""

from __future__ import annotations

import numpy as np

from medsr_jax.transmission.options import Window, check_window

_WHOLE_FROM = 128


def choose_window(
    pixels: np.ndarray,
    window: Window | None,
    *,
    value_range: tuple[float, float],
    padding: tuple[float, float] | None = None,
) -> tuple[float, float]:
    """The (low, high) of the mapping, in stored values.

    Args:
        pixels: stored values of any shape.
        window: "data" spans the pixels that aren't padding, "full" the whole value range, a pair spans itself. None is
            "full" for 8-bit storage, so that the mapping is the identity and never stretches, and "data" otherwise.
        value_range: least and greatest value that the storage allows.
        padding: inclusive range of the values that mark pixels without an image.

    Returns:
        low <= high; they are equal where all pixels are.

    Raises:
        ParameterError: the window is none of these.
    """
    check_window(window)
    if window is None:
        window = "full" if value_range in ((0, 255), (-128, 127)) else "data"
    if window == "data":
        low, high = _extremes(pixels, padding)
    else:
        low, high = value_range if isinstance(window, str) else window
    return _plain(low), _plain(high)


def _extremes(pixels: np.ndarray, padding: tuple[float, float] | None) -> tuple[float, float]:
    low, high = pixels.min(), pixels.max()
    if padding is None or padding[1] < low or padding[0] > high:
        return low, high
    valid = pixels[(pixels < padding[0]) | (pixels > padding[1])]
    return (valid.min(), valid.max()) if valid.size else (low, high)


def _plain(value: float) -> float:
    """An int where the value is whole, which is shorter in the packet."""
    number = float(value)
    return int(number) if number.is_integer() else number


def above(values: np.ndarray, low: float) -> np.ndarray:
    """Stored values less `low`, as float32.

    Values of more than 16 bits are subtracted in float64: 1024 levels on top of 3,000,000,000 are lost to float32.
    """
    wide = values.dtype.itemsize > 2
    result: np.ndarray = np.subtract(values, low, dtype=np.float64 if wide else np.float32).astype(
        np.float32, copy=False
    )
    return result


def to_codes(values: np.ndarray, *, low: float, high: float, levels: int, dithered: bool = False) -> np.ndarray:
    """Stored values to uint8 (levels 255) or uint16 (levels 65535) codes, rounded to the nearest.

    Args:
        values: (rows, columns) stored values, or any shape where they aren't dithered.
        low, high, levels: of the line.
        dithered: round up or down by a fixed pattern of thresholds, so that the mean over a few pixels is kept. Whole
            values whose contrast is lowered by a few percent need it: rounded to the nearest, areas of many pixels are
            off by the same half a code, which a lossy codec keeps; the noise of the pattern it leaves out.
    """
    dtype = np.uint8 if levels == 255 else np.uint16
    if high <= low:
        return np.zeros(values.shape, dtype)
    codes = above(values, low) * np.float32(levels / (high - low))
    if dithered:
        codes += _thresholds(*codes.shape)
        np.floor(codes, out=codes)
    else:
        np.rint(codes, out=codes)
    return np.clip(codes, 0, levels, out=codes).astype(dtype)


def _thresholds(rows: int, columns: int) -> np.ndarray:
    """(rows, columns) float32 in [0, 1), evenly spread in every neighbourhood: a lattice of the plastic number."""
    down = (np.arange(rows) * 0.7548776662466927 % 1).astype(np.float32)
    across = (np.arange(columns) * 0.5698402909980532 % 1).astype(np.float32)
    pattern: np.ndarray = np.add.outer(down, across)
    np.subtract(pattern, 1, out=pattern, where=pattern >= 1)
    return pattern


def widened(low: float, high: float, *, contrast: float) -> float:
    """The `high` that lowers the contrast of codes to about a fraction; whole where both ends are, which is shorter.

    Args:
        low, high: of the line.
        contrast: above 0, up to 1.
    """
    if contrast == 1:
        return high
    wide = low + (high - low) / contrast
    whole = float(low).is_integer() and float(high).is_integer() and high - low >= _WHOLE_FROM
    return max(round(wide) if whole else float(f"{wide:.7g}"), high)


def from_codes(codes: np.ndarray, *, low: float, high: float, levels: int) -> np.ndarray:
    """Codes, whole or not, to stored values as float64, neither rounded nor clamped."""
    return low + (high - low) * np.asarray(codes, np.float64) / levels


def to_stored(values: np.ndarray, *, dtype: str, value_range: tuple[float, float]) -> np.ndarray:
    """Values clamped to the value range and rounded to the dtype that the source was stored in."""
    kind = np.dtype(dtype)
    clamped = np.clip(values, *value_range)
    result: np.ndarray = (np.rint(clamped) if kind.kind in "iu" else clamped).astype(kind)
    return result
