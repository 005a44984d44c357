"""Images that are smaller than the array that holds them.

Shapes are static under `jit` while a resize draws its scale, so a sample's content lies at the top left of a canvas and
``size``, (N, 2) int32, says how many rows and columns of it are the image. What lies outside is undefined. Steps whose
result depends on the edge (blur, JPEG) fill it by `extend` first.
"""

from __future__ import annotations

from typing import Literal

import chex
import jax
import jax.numpy as jnp


def full_size(image: jax.Array) -> jax.Array:
    """(N, 2) int32: the size of images that fill their canvas (N, H, W, C)."""
    n, rows, columns, _ = image.shape
    return jnp.broadcast_to(jnp.asarray([rows, columns], jnp.int32), (n, 2))


def inside(size: jax.Array, rows: int, columns: int) -> jax.Array:
    """(N, rows, columns, 1) bool: which pixels of a canvas belong to the image."""
    chex.assert_shape(size, (None, 2))
    row = jnp.arange(rows)[None] < size[:, :1]
    column = jnp.arange(columns)[None] < size[:, 1:]
    return (row[:, :, None] & column[:, None, :])[..., None]


def extend(
    image: jax.Array, size: jax.Array | None, *, before: int, after: int, mode: Literal["edge", "reflect"]
) -> jax.Array:
    """Grow the canvas on all sides and fill everything outside of the image from its own pixels.

    Args:
        image: (N, H, W, C).
        size: (N, 2) rows and columns that are the image, None for all.
        before, after: rows and columns added at the top and left, and at the bottom and right.
        mode: "edge" repeats the border pixel; "reflect" mirrors about it without repeating it, and repeats whatever
            is left where the image is too small for that.

    Returns:
        (N, before + H + after, before + W + after, C), the image's first pixel at (before, before).
    """
    chex.assert_rank(image, 4)
    if size is None:
        widths = ((0, 0), (before, after), (before, after), (0, 0))
        return jnp.pad(image, widths, mode="edge") if mode == "edge" else _reflected(image, widths)
    chex.assert_shape(size, (image.shape[0], 2))
    rows = _sources(size[:, 0], image.shape[1], before, after, mode)
    columns = _sources(size[:, 1], image.shape[2], before, after, mode)
    result: jax.Array = jax.vmap(lambda x, r, c: x[r[:, None], c[None]])(image, rows, columns)
    return result


def _sources(extent: jax.Array, canvas: int, before: int, after: int, mode: str) -> jax.Array:
    """(N, before + canvas + after): the pixel that each comes from."""
    last = extent[:, None] - 1
    position = jnp.arange(-before, canvas + after)[None]
    if mode == "reflect":
        position = jnp.abs(position)
        position = jnp.where(position > last, 2 * last - position, position)
    return jnp.clip(position, 0, last)


def _reflected(image: jax.Array, widths: tuple[tuple[int, int], ...]) -> jax.Array:
    least = min(image.shape[1:3])
    if least > max(max(pair) for pair in widths):
        return jnp.pad(image, widths, mode="reflect")
    before, after = widths[1]
    return extend(image, full_size(image), before=before, after=after, mode="reflect")
