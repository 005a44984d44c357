"""A batch between two steps of a degradation."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp


class Images(NamedTuple):
    """A batch between two steps.

    Attributes:
        image: (N, H, W, C), content at the top left; in [0, 1] but for what a kernel or a resize overshot; noise
            and JPEG clip.
        size: (N, 2) int32 rows and columns of the content.
        table: (N, 8, 8) luminance quantisation steps of the JPEG grid that the images still lie on; zeros where none.
        output: rows and columns that the degradation ends with.
    """

    image: jax.Array
    size: jax.Array
    table: jax.Array
    output: tuple[int, int]

    def blank_table(self) -> jax.Array:
        """Of images that no longer lie on a JPEG grid."""
        return jnp.zeros_like(self.table)


class Step(Protocol):
    """What `Degradation` composes."""

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        """One step; ``keys`` are (N,)."""
        ...
