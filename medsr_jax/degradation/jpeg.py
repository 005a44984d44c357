"""JPEG's loss as a function of arrays: no bit stream, a quality per sample, and a gradient.

ITU-T T.81 (baseline) and T.871 (JFIF's colours). With ``tables="libjpeg"`` it stands in for libjpeg at the same
quality; "continuous" leaves the tables unrounded, as the differentiable JPEG does that Real-ESRGAN trains with.
"""

from __future__ import annotations

from typing import Literal

import chex
import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax.degradation.integer_dct import integer_dct
from medsr_jax.degradation.regions import extend, full_size
from medsr_jax.jpeg.dct import BLOCK, block_dct_matrix
from medsr_jax.jpeg.tables import CHROMINANCE, LUMINANCE

# T.871, section 7: Y, Cb and Cr of red, green and blue, in the 16-bit fixed point of libjpeg.
_TO_YCBCR = np.array([[19595, 38470, 7471], [-11058, -21710, 32768], [32768, -27439, -5329]]) / 2**16
# That of libjpeg loses the tie of a chrominance between two whole numbers downward.
_YCBCR_BIAS = 0.5 - np.array([0, 1, 1]) / 2**16
_TO_RGB = np.linalg.inv(_TO_YCBCR)

# At q 100 the continuous table is zero, by which nothing can be divided.
_LEAST_STEP = 0.01

Rounding = Literal["straight_through", "cubic"]


def jpeg(
    image: jax.Array,
    quality: jax.Array,
    *,
    size: jax.Array | None = None,
    subsampling: Literal["4:2:0", "4:4:4"] = "4:2:0",
    rounding: Rounding = "straight_through",
    tables: Literal["libjpeg", "continuous"] = "libjpeg",
    upsampling: Literal["linear", "nearest"] = "linear",
) -> jax.Array:
    """Code and decode.

    Args:
        image: (N, H, W, C) in [0, 1]; C = 1 is coded as luminance, C = 3 as YCbCr. libjpeg's own input is whole levels
            of 255.
        quality: (N,) from 1 to 100.
        size: (N, 2) rows and columns that are the image, None for all. Blocks that reach beyond are filled as
            libjpeg fills them, from the last row and column.
        subsampling: of the chrominance.
        rounding: of the coefficients: "straight_through" rounds and has the gradient of no rounding; "cubic",
            round(x) + (x - round(x))^3, rounds nearly and is what its gradient says (Shin and Song, 2017).
        tables: see `quantisation_tables`.
        upsampling: of the chrominance; "linear" is libjpeg's triangle filter.

    Returns:
        (N, H, W, C) in [0, 1], not rounded to levels.
    """
    chex.assert_rank(image, 4)
    n, rows, columns, channels = image.shape
    chex.assert_shape(quality, (n,))
    if channels not in (1, 3):
        raise AssertionError(f"JPEG takes 1 or 3 channels, not {channels}")
    luminance, chrominance = quantisation_tables(quality.astype(image.dtype), tables=tables)
    # libjpeg works on whole numbers, and where a coefficient falls on the border of two steps that decides.
    integer = tables == "libjpeg" and rounding == "straight_through"
    halve = channels == 3 and subsampling == "4:2:0"
    levels = 255.0 * _to_multiple(image, size, 2 * BLOCK if halve else BLOCK)
    levels = _whole(levels, 0.5) if integer else levels
    if channels == 1:
        decoded = _coded(levels - 128.0, luminance, rounding, integer=integer)[:, :rows, :columns]
        return jnp.clip((decoded + 128.0) / 255.0, 0.0, 1.0)

    ycbcr = jnp.einsum("nhwc,dc->nhwd", levels, jnp.asarray(_TO_YCBCR, image.dtype), precision="highest")
    ycbcr = _whole(ycbcr, jnp.asarray(_YCBCR_BIAS, image.dtype)) if integer else ycbcr
    y, chroma = ycbcr[..., :1] - 128.0, ycbcr[..., 1:]
    y = _coded(y, luminance, rounding, integer=integer)
    if halve:
        extent = full_size(image) if size is None else size
        chroma = _coded(_halved(chroma, extent, integer=integer), chrominance, rounding, integer=integer)
        chroma = _upsampled(chroma, (extent + 1) // 2, upsampling)
    else:
        chroma = _coded(chroma, chrominance, rounding, integer=integer)
    # The decoder's components are bytes, so they end where bytes do.
    ycbcr = jnp.concatenate([jnp.clip(y, -128.0, 127.0) + 128.0, jnp.clip(chroma, -128.0, 127.0)], axis=-1)
    ycbcr = ycbcr[:, :rows, :columns]
    rgb = jnp.einsum("nhwc,dc->nhwd", ycbcr, jnp.asarray(_TO_RGB, image.dtype), precision="highest")
    return jnp.clip(rgb / 255.0, 0.0, 1.0)


def quantisation_tables(
    quality: jax.Array, *, tables: Literal["libjpeg", "continuous"] = "libjpeg"
) -> tuple[jax.Array, jax.Array]:
    """Steps for luminance and chrominance, (N, 8, 8) each, in levels of 255; [:, 0, 0] is the mean's.

    The standard's example tables times 5000 / q percent below q = 50 and 200 - 2 q from there on. "libjpeg" rounds to
    whole steps from 1 to 255 as that library does; "continuous" does not round.
    """
    chex.assert_rank(quality, 1)
    below = 5000.0 / jnp.minimum(quality, 50.0)
    if tables == "libjpeg":
        below = jnp.floor(below)
    percent = jnp.where(quality < 50, below, 200.0 - 2.0 * quality)[:, None, None]
    luminance, chrominance = (jnp.asarray(base, quality.dtype) * percent for base in (LUMINANCE, CHROMINANCE))
    if tables == "libjpeg":
        luminance, chrominance = (jnp.floor((table + 50.0) / 100.0) for table in (luminance, chrominance))
        return jnp.clip(luminance, 1.0, 255.0), jnp.clip(chrominance, 1.0, 255.0)
    return jnp.maximum(luminance / 100.0, _LEAST_STEP), jnp.maximum(chrominance / 100.0, _LEAST_STEP)


def rounded(x: jax.Array, rounding: Rounding) -> jax.Array:
    """To whole numbers, halves away from zero as libjpeg rounds; see `jpeg` for the gradients."""
    # jnp.round would send halves to even numbers. They are common: a block's mean has few digits.
    whole = jax.lax.stop_gradient(jnp.sign(x) * jnp.floor(jnp.abs(x) + 0.5))
    if rounding == "cubic":
        return whole + (x - whole) ** 3
    return _straight_through(x, whole)


def _straight_through(x: jax.Array, value: jax.Array) -> jax.Array:
    """The value of one, the gradient of the other."""
    return jax.lax.stop_gradient(value) + (x - jax.lax.stop_gradient(x))


def _to_multiple(image: jax.Array, size: jax.Array | None, unit: int) -> jax.Array:
    """The canvas grown to whole units, and everything outside of the image filled from its edge."""
    rows, columns = image.shape[1:3]
    after = max(-rows % unit, -columns % unit)
    if size is None and not after:
        return image
    grown = extend(image, size, before=0, after=after, mode="edge")
    return grown[:, : rows + -rows % unit, : columns + -columns % unit]


def _coded(levels: jax.Array, table: jax.Array, rounding: Rounding, *, integer: bool) -> jax.Array:
    """Transform, quantise and transform back: (N, H, W, C), sides multiples of 8, with a table (N, 8, 8)."""
    n, h, w, c = levels.shape
    dct = jnp.asarray(block_dct_matrix(), levels.dtype)
    blocks = levels.reshape(n, h // BLOCK, BLOCK, w // BLOCK, BLOCK, c).transpose(0, 1, 3, 5, 2, 4)
    blocks = blocks.reshape(n, -1, BLOCK * BLOCK)
    steps = table.reshape(n, 1, BLOCK * BLOCK)
    coefficients = jnp.matmul(blocks, dct.T, precision="highest")
    if integer:
        whole = integer_dct(blocks.reshape(n, -1, BLOCK, BLOCK)).reshape(blocks.shape)
        coefficients = _straight_through(coefficients, whole)
    decoded = jnp.matmul(rounded(coefficients / steps, rounding) * steps, dct, precision="highest")
    blocks = decoded.reshape(n, h // BLOCK, w // BLOCK, c, BLOCK, BLOCK)
    return blocks.transpose(0, 1, 4, 2, 5, 3).reshape(levels.shape)


def _halved(chroma: jax.Array, size: jax.Array, *, integer: bool) -> jax.Array:
    n, h, w, c = chroma.shape
    half = chroma.reshape(n, h // 2, 2, w // 2, 2, c).mean(axis=(2, 4))
    if integer:
        # Alternately a quarter and a half is added before the fraction is dropped.
        half = _whole(half, (0.25 + 0.25 * (jnp.arange(w // 2) % 2))[:, None])
    # libjpeg fills columns before it halves and rows after.
    extent = jnp.stack([(size[:, 0] + 1) // 2, jnp.full(n, w // 2)], axis=1)
    return extend(half, extent, before=0, after=0, mode="edge")


def _whole(x: jax.Array, bias: jax.Array | float) -> jax.Array:
    return _straight_through(x, jnp.floor(x + bias))


def _upsampled(half: jax.Array, size: jax.Array, upsampling: str) -> jax.Array:
    if upsampling == "nearest":
        return half.repeat(2, axis=1).repeat(2, axis=2)
    rows = extend(half, size, before=1, after=1, mode="edge")
    middle, above, below = rows[:, 1:-1], rows[:, :-2], rows[:, 2:]
    tall = jnp.stack([0.75 * middle + 0.25 * above, 0.75 * middle + 0.25 * below], axis=2)
    tall = tall.reshape(half.shape[0], 2 * half.shape[1], half.shape[2] + 2, half.shape[3])
    middle, left, right = tall[:, :, 1:-1], tall[:, :, :-2], tall[:, :, 2:]
    wide = jnp.stack([0.75 * middle + 0.25 * left, 0.75 * middle + 0.25 * right], axis=3)
    return wide.reshape(half.shape[0], 2 * half.shape[1], 2 * half.shape[2], half.shape[3])
