"""Resizing by a factor that is drawn: each resize is one matrix for the rows and one for the columns.

Shapes stay static, so up, down and keep are the same two matrix products; rows beyond the drawn size are zero. The
methods are those of PyTorch's `interpolate`, which Real-ESRGAN degrades with (half-pixel centres, no antialiasing, area
by adaptive average pooling), and Pillow's antialiased bicubic, which is what "bicubic" means in super-resolution
benchmarks and in our sender.
"""

from __future__ import annotations

import chex
import jax
import jax.numpy as jnp

from medsr_jax.degradation.layout import interleaved, planar
from medsr_jax.degradation.regions import full_size

METHODS = ("area", "bilinear", "bicubic", "antialiased_bicubic")

# Cubic convolution of Keys (1981): PyTorch's parameter, and Pillow's and MATLAB's.
_PYTORCH_A, _PILLOW_A = -0.75, -0.5


def resize(
    image: jax.Array,
    scale: jax.Array,
    method: jax.Array,
    *,
    canvas: tuple[int, int],
    size: jax.Array | None = None,
    methods: tuple[str, ...] = METHODS,
) -> tuple[jax.Array, jax.Array]:
    """Resize by a factor: the result has ``floor(size * scale)`` rows and columns.

    Args:
        image: (N, H, W, C).
        scale: (N,) factors, at least 1 / H.
        method: (N,) int32 indices into ``methods``.
        canvas: rows and columns of the array that holds the results; what does not fit is cut off.
        size: (N, 2) rows and columns of the canvas that are the image, None for all.
        methods: the names that are chosen from; only these are computed.

    Returns:
        (N, *canvas, C), zero outside of the results, and their (N, 2) int32 sizes.
    """
    chex.assert_rank(image, 4)
    chex.assert_shape([scale, method], (image.shape[0],))
    source = full_size(image) if size is None else size
    wanted = jnp.floor(source * scale[:, None].astype(jnp.float32)).astype(jnp.int32)
    wanted = jnp.clip(wanted, 1, jnp.asarray(canvas))
    step = jnp.broadcast_to(1.0 / scale[:, None], source.shape)
    return _resampled(image, source, wanted, step, method, canvas, methods), wanted


def resize_to(
    image: jax.Array,
    wanted: jax.Array,
    method: jax.Array,
    *,
    canvas: tuple[int, int],
    size: jax.Array | None = None,
    methods: tuple[str, ...] = METHODS,
) -> jax.Array:
    """Resize to a number of rows and columns, ``wanted`` (N, 2) int32; otherwise as `resize`.

    It differs from `resize` in the last pixel's position only: there the step between source positions is 1 / scale,
    here it is the quotient of the sizes.
    """
    chex.assert_rank(image, 4)
    chex.assert_shape(wanted, (image.shape[0], 2))
    chex.assert_shape(method, (image.shape[0],))
    source = full_size(image) if size is None else size
    return _resampled(image, source, wanted, source / wanted, method, canvas, methods)


def weights(
    extent: jax.Array,
    wanted: jax.Array,
    step: jax.Array,
    method: jax.Array,
    *,
    source: int,
    target: int,
    methods: tuple[str, ...] = METHODS,
) -> jax.Array:
    """The matrices that resample one axis.

    Args:
        extent: (N,) int32 pixels that the axis has.
        wanted: (N,) int32 pixels that it shall have.
        step: (N,) distance of two new pixels' centres in old pixels.
        method: (N,) int32 indices into ``methods``.
        source, target: extents of the arrays, at least ``extent`` and ``wanted``.
        methods: the names that are chosen from.

    Returns:
        (N, target, source): rows sum to one up to ``wanted`` and are zero from there on; columns are zero from
        ``extent`` on.
    """
    chex.assert_shape([extent, wanted, step, method], (None,))
    new = jnp.arange(target)[None, :, None]
    old = jnp.arange(source)[None, None]
    n, m, step = (value[:, None, None] for value in (extent, wanted, step))
    result = jnp.zeros(())
    for index, name in enumerate(methods):
        chosen = (method == index)[:, None, None]
        result = jnp.where(chosen, _BY_METHOD[name](new, old, n, m, step), result)
    return jnp.where((new < m) & (old < n), result, 0.0)


def _resampled(
    image: jax.Array,
    source: jax.Array,
    wanted: jax.Array,
    step: jax.Array,
    method: jax.Array,
    canvas: tuple[int, int],
    methods: tuple[str, ...],
) -> jax.Array:
    rows, columns = (
        weights(
            source[:, axis],
            wanted[:, axis],
            step[:, axis].astype(image.dtype),
            method,
            source=image.shape[1 + axis],
            target=canvas[axis],
            methods=methods,
        )
        for axis in (0, 1)
    )
    # What lies outside of the image meets a weight of zero and must be finite. On a GPU the default precision of a
    # product would round pixels to 11 bits.
    planes = jnp.matmul(rows[:, None], planar(image), precision="highest")
    n, c, h, w = planes.shape
    wide = jnp.matmul(planes.reshape(n, c * h, w), columns.transpose(0, 2, 1), precision="highest")
    return interleaved(wide.reshape(n, c, *canvas))


def _area(new: jax.Array, old: jax.Array, n: jax.Array, m: jax.Array, step: jax.Array) -> jax.Array:
    """The mean of all old pixels that the new one touches (adaptive average pooling)."""
    first, end = new * n // m, -(-(new + 1) * n // m)
    return jnp.where((old >= first) & (old < end), 1.0 / (end - first).astype(step.dtype), 0.0)


def _bilinear(new: jax.Array, old: jax.Array, n: jax.Array, _: jax.Array, step: jax.Array) -> jax.Array:
    centre = jnp.clip((new + 0.5) * step - 0.5, 0.0, (n - 1).astype(step.dtype))
    return jnp.maximum(1.0 - jnp.abs(centre - old), 0.0)


def _bicubic(new: jax.Array, old: jax.Array, n: jax.Array, _: jax.Array, step: jax.Array) -> jax.Array:
    centre = (new + 0.5) * step - 0.5
    first = jnp.floor(centre)
    result = jnp.zeros((), step.dtype)
    for tap in range(-1, 3):
        # Pixels beyond the border are the border's, so a tap there adds to its weight.
        position = jnp.clip(first.astype(jnp.int32) + tap, 0, n - 1)
        result = result + jnp.where(old == position, _cubic(centre - first - tap, _PYTORCH_A), 0.0)
    return result


def _antialiased_bicubic(new: jax.Array, old: jax.Array, n: jax.Array, m: jax.Array, step: jax.Array) -> jax.Array:
    width = jnp.maximum(step, 1.0)
    values = _cubic(((new + 0.5) * step - 0.5 - old) / width, _PILLOW_A)
    values = jnp.where(old < n, values, 0.0)
    return values / jnp.where(new < m, values.sum(axis=2, keepdims=True), 1.0)


def _cubic(x: jax.Array, a: float) -> jax.Array:
    x = jnp.abs(x)
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    far = a * (((x - 5.0) * x + 8.0) * x - 4.0)
    return jnp.where(x <= 1.0, near, jnp.where(x < 2.0, far, 0.0))


_BY_METHOD = {
    "area": _area,
    "bilinear": _bilinear,
    "bicubic": _bicubic,
    "antialiased_bicubic": _antialiased_bicubic,
}
