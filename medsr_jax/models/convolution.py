"""Convolution in NHWC whose gradient is also fast on a CPU.

XLA's CPU back end computes the gradient with respect to the filter as a convolution with an image-sized
window, for which it has no fast path: 60 times slower than the forward pass at training shapes. Here that gradient is
one matrix product instead. On other platforms XLA's own gradient (cuDNN's, on a GPU) is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def _forward(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=_LAYOUT)


def _input_gradient(kernel: jax.Array, g: jax.Array) -> jax.Array:
    """The same convolution with the filter turned by 180 degrees and its channels exchanged."""
    return _forward(g, jnp.flip(kernel, (0, 1)).swapaxes(2, 3))


def _shifted(x: jax.Array, rows: int, columns: int, *, reverse: bool) -> jax.Array:
    """(N, H, W, C) -> (N, H, W, rows * columns * C): the zero-padded shifts of ``x`` that a filter sees."""
    h, w = x.shape[1:3]
    top, left = rows // 2, columns // 2
    padded = jnp.pad(x, ((0, 0), (top, top), (left, left), (0, 0)))
    order = [(i, j) for i in range(rows) for j in range(columns)]
    if reverse:
        order = [(rows - 1 - i, columns - 1 - j) for i, j in order]
    return jnp.concatenate([padded[:, i : i + h, j : j + w] for i, j in order], axis=-1)


def _filter_gradient_as_product(x: jax.Array, g: jax.Array, rows: int, columns: int) -> jax.Array:
    """dL/dK[i, j] = sum over n, y, x of x[y + i, x + j]^T g[y, x], for all (i, j) in one product.

    Whichever of ``x`` and ``g`` has fewer channels is the one that is shifted, so that the copy is small.
    """
    c_in, c_out = x.shape[-1], g.shape[-1]
    if c_in <= c_out:
        shifted = _shifted(x, rows, columns, reverse=False).reshape(-1, rows * columns * c_in)
        return (shifted.T @ g.reshape(-1, c_out)).reshape(rows, columns, c_in, c_out)
    shifted = _shifted(g, rows, columns, reverse=True).reshape(-1, rows * columns * c_out)
    product = x.reshape(-1, c_in).T @ shifted
    return product.reshape(c_in, rows, columns, c_out).transpose(1, 2, 0, 3)


def _filter_gradient_of_xla(x: jax.Array, g: jax.Array, kernel: jax.Array) -> jax.Array:
    _, pull_back = jax.vjp(lambda k: _forward(x, k), kernel)
    return pull_back(g)[0]


@jax.custom_vjp
def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Cross-correlation with stride 1 and zero padding to the same size.

    Args:
        x: (N, H, W, C) images or features.
        kernel: (rows, columns, C, D), odd sides.

    Returns:
        (N, H, W, D).

    Forward-mode differentiation (`jax.jvp`, `jax.jacfwd`) is not available, as with every `jax.custom_vjp`.
    """
    chex.assert_rank([x, kernel], 4)
    if not (kernel.shape[0] % 2 and kernel.shape[1] % 2):
        raise ValueError(f"the filter's sides are odd, not {kernel.shape[:2]}")
    return _forward(x, kernel)


def _convolve_forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return convolve(x, kernel), (x, kernel)


def _convolve_backward(saved: tuple[jax.Array, jax.Array], g: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    rows, columns = kernel.shape[:2]
    filter_gradient = lax.platform_dependent(
        x,
        g,
        kernel,
        cpu=lambda x, g, k: _filter_gradient_as_product(x, g, rows, columns).astype(k.dtype),
        default=_filter_gradient_of_xla,
    )
    return _input_gradient(kernel, g), filter_gradient


convolve.defvjp(_convolve_forward, _convolve_backward)


class Conv(nn.Module):
    """A convolution layer over `convolve`: parameters ``kernel`` (rows, columns, C, features) and ``bias``.

    Attributes:
        features: output channels.
        size: side of the square filter.
        scale: the initial kernel is Kaiming normal times this (ESRGAN, arXiv 1809.00219, section 3.1, uses 0.1).
        dtype: the type computed in; parameters stay float32.
    """

    features: int
    size: int = 3
    scale: float = 1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel, bias = kernel_and_bias(self, x.shape[-1], self.features, size=self.size, scale=self.scale)
        return convolve(x.astype(self.dtype), kernel.astype(self.dtype)) + bias.astype(self.dtype)


def kaiming_normal(scale: float) -> Callable[..., jax.Array]:
    """Initialiser: He et al. 2015, fan in, times ``scale``."""
    return nn.initializers.variance_scaling(2.0 * scale**2, "fan_in", "normal")


def kernel_and_bias(
    module: nn.Module, c_in: int, c_out: int, *, size: int = 3, scale: float = 1.0
) -> tuple[jax.Array, jax.Array]:
    """Declare a convolution's parameters on ``module``: kernel (size, size, c_in, c_out) and bias (c_out,)."""
    kernel = module.param("kernel", kaiming_normal(scale), (size, size, c_in, c_out))
    return kernel, module.param("bias", nn.initializers.zeros, (c_out,))
