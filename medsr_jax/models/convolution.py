"""Convolution in NHWC whose gradient is also fast on a CPU.

XLA's CPU back end computes the gradient with respect to the filter as a convolution with an image-sized
window, for which it has no fast path: 60 times slower than the forward pass at training shapes. Here that gradient is
one matrix product instead. On other platforms XLA's own gradient (cuDNN's, on a GPU) is kept.

A stride is removed first: folding the pixels of each stride x stride square into channels makes a strided convolution
an unstrided one with a smaller filter over more channels, exactly. Only the CPU's gradient does that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

_LAYOUT = ("NHWC", "HWIO", "NHWC")

# Shifted copies are made of so many numbers at a time, two megabytes: more, and memory is what a product waits for.
_WINDOW = 2**19
# But of so many pixels at least: fewer, and the sum is read and written more often than it is worth.
_LEAST_PIXELS = 256

# PyTorch initialises convolutions and linear layers with a variance of 1 / (3 fan in), a sixth of Kaiming normal's. The
# published discriminators keep that, and Adam's step is to be as small beside the weights as theirs.
PYTORCH_SCALE = 6.0**-0.5

# Rows and columns of zeros that lie around the input, the same number before and after.
Padding = tuple[int, int]


def _forward(x: jax.Array, kernel: jax.Array, padding: Padding, stride: int) -> jax.Array:
    pads = [(pad, pad) for pad in padding]
    return lax.conv_general_dilated(x, kernel, (stride, stride), pads, dimension_numbers=_LAYOUT)


def _complement(size: tuple[int, int], padding: Padding) -> Padding:
    """The padding of the output's gradient under which it has all the shifts that the input's gradient needs."""
    return size[0] - 1 - padding[0], size[1] - 1 - padding[1]


def _filter_gradient(x: jax.Array, g: jax.Array, size: tuple[int, int], padding: Padding) -> jax.Array:
    """dL/dK[i, j] = sum over n, y, x of x[y + i, x + j]^T g[y, x], for all (i, j) in one product, for stride 1.

    Whichever of ``x`` and ``g`` has fewer channels is the one that is shifted, so that the copy is small; and the sum
    goes over bands of rows, so that it stays in the cache.
    """
    rows, columns = size
    shifts_input = x.shape[-1] <= g.shape[-1]
    if shifts_input:
        moved, fixed = _padded(x, padding), g
        offsets = [(i, j) for i in range(rows) for j in range(columns)]
    else:
        moved, fixed = _padded(g, _complement(size, padding)), x
        offsets = [(rows - 1 - i, columns - 1 - j) for i in range(rows) for j in range(columns)]
    n, h, w, c = fixed.shape
    width = len(offsets) * moved.shape[-1]
    sum_type = jnp.promote_types(x.dtype, jnp.float32)
    samples, band = _bands(n, h, w, pixels=max(_WINDOW // width, _LEAST_PIXELS))

    def add(total: jax.Array, number: jax.Array) -> tuple[jax.Array, None]:
        place = (number // (h // band) * samples, number % (h // band) * band, 0, 0)
        window = lax.dynamic_slice(moved, place, (samples, band + rows - 1, w + columns - 1, moved.shape[-1]))
        shifted = jnp.concatenate([window[:, i : i + band, j : j + w] for i, j in offsets], axis=-1)
        part = lax.dynamic_slice(fixed, place, (samples, band, w, c)).reshape(-1, c)
        both = ((0,), (0,)), ((), ())
        product = lax.dot_general(part, shifted.reshape(-1, width), both, preferred_element_type=sum_type)
        return total + product, None

    total = jnp.zeros((c, width), sum_type)
    total, _ = lax.scan(add, total, jnp.arange(n // samples * (h // band)))
    # (fixed, shift, moved) -> (shift, C, D)
    order = (1, 2, 3, 0) if shifts_input else (1, 2, 0, 3)
    return total.reshape(c, rows, columns, -1).transpose(order)


def _bands(n: int, h: int, w: int, *, pixels: int) -> tuple[int, int]:
    """How many images, and how many rows of them, are about so many pixels: whole images, or a part of one."""
    if h * w <= pixels:
        return _divisor(n, pixels // (h * w)), h
    return 1, _divisor(h, max(pixels // w, 1))


def _divisor(number: int, most: int) -> int:
    return max(divisor for divisor in range(1, min(number, most) + 1) if number % divisor == 0)


def _padded(x: jax.Array, padding: Padding) -> jax.Array:
    return jnp.pad(x, ((0, 0), *((pad, pad) for pad in padding), (0, 0)))


def _fold(x: jax.Array, stride: int) -> jax.Array:
    """(N, s H, s W, C) -> (N, H, W, s s C); the channel varies fastest, so that runs of memory are copied whole."""
    n, h, w, c = x.shape
    x = x.reshape(n, h // stride, stride, w // stride, stride, c).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(n, h // stride, w // stride, stride**2 * c)


def _unfold(x: jax.Array, stride: int) -> jax.Array:
    n, h, w, c = x.shape
    x = x.reshape(n, h, w, stride, stride, c // stride**2).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(n, h * stride, w * stride, c // stride**2)


def _fold_filter(kernel: jax.Array, stride: int) -> jax.Array:
    """(s R, s S, C, D) -> (R, S, s s C, D): the filter as `_fold` orders the channels."""
    rows, columns, c, d = kernel.shape
    kernel = kernel.reshape(rows // stride, stride, columns // stride, stride, c, d).transpose(0, 2, 1, 3, 4, 5)
    return kernel.reshape(rows // stride, columns // stride, stride**2 * c, d)


def _unfold_filter(kernel: jax.Array, stride: int) -> jax.Array:
    rows, columns, c, d = kernel.shape
    kernel = kernel.reshape(rows, columns, stride, stride, c // stride**2, d).transpose(0, 2, 1, 3, 4, 5)
    return kernel.reshape(rows * stride, columns * stride, c // stride**2, d)


def _size(kernel: jax.Array) -> tuple[int, int]:
    return kernel.shape[0], kernel.shape[1]


def _padding(size: tuple[int, int], stride: int) -> Padding:
    return (size[0] - stride) // 2, (size[1] - stride) // 2


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _convolve(x: jax.Array, kernel: jax.Array, padding: Padding, stride: int) -> jax.Array:
    return _forward(x, kernel, padding, stride)


def _convolve_forward(
    x: jax.Array, kernel: jax.Array, padding: Padding, stride: int
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _convolve(x, kernel, padding, stride), (x, kernel)


def _convolve_backward(
    padding: Padding, stride: int, saved: tuple[jax.Array, jax.Array], g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    by_products = _gradients_as_products if stride == 1 else functools.partial(_gradients_by_folding, stride)
    result: tuple[jax.Array, jax.Array] = lax.platform_dependent(
        *saved,
        g,
        cpu=functools.partial(by_products, padding),
        default=functools.partial(_gradients_of_xla, padding, stride),
    )
    return result


def _gradients_as_products(
    padding: Padding, x: jax.Array, kernel: jax.Array, g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """For stride 1. The input's is a convolution with the filter turned by 180 degrees and its channels exchanged."""
    size = _size(kernel)
    turned = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    # By `_convolve` again, so that the gradient of a gradient (R1) is as fast.
    by_input = _convolve(g, turned, _complement(size, padding), 1)
    return by_input, _filter_gradient(x, g, size, padding).astype(kernel.dtype)


def _gradients_by_folding(
    stride: int, padding: Padding, x: jax.Array, kernel: jax.Array, g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    h, w = x.shape[1:3]
    folded = _fold(_padded(x, padding), stride)
    by_input, by_filter = _gradients_as_products((0, 0), folded, _fold_filter(kernel, stride), g)
    by_input = _unfold(by_input, stride)[:, padding[0] : padding[0] + h, padding[1] : padding[1] + w]
    return by_input, _unfold_filter(by_filter, stride)


def _gradients_of_xla(
    padding: Padding, stride: int, x: jax.Array, kernel: jax.Array, g: jax.Array
) -> tuple[jax.Array, jax.Array]:
    _, pull_back = jax.vjp(lambda x, kernel: _forward(x, kernel, padding, stride), x, kernel)
    result: tuple[jax.Array, jax.Array] = pull_back(g)
    return result


_convolve.defvjp(_convolve_forward, _convolve_backward)


def convolve(x: jax.Array, kernel: jax.Array, *, stride: int = 1) -> jax.Array:
    """Cross-correlation with zero padding of (side of the filter - stride) / 2 on each side.

    Args:
        x: (N, H, W, C) images or features, H and W multiples of the stride.
        kernel: (rows, columns, C, D), odd sides for stride 1, multiples of the stride for others.
        stride: of the output, 1 for an output of the same size.

    Returns:
        (N, H / stride, W / stride, D).

    Forward-mode differentiation (`jax.jvp`, `jax.jacfwd`) is not available, as with every `jax.custom_vjp`.
    """
    chex.assert_rank([x, kernel], 4)
    size = _size(kernel)
    if stride == 1 and not (size[0] % 2 and size[1] % 2):
        raise ValueError(f"the filter's sides are odd for stride 1, not {size}")
    if any(side % stride or (side - stride) % 2 or side < stride for side in size):
        raise ValueError(f"a filter of {size} can't be padded alike on all sides and folded for stride {stride}")
    if x.shape[1] % stride or x.shape[2] % stride:
        raise ValueError(f"sides {x.shape[1]}x{x.shape[2]} are not multiples of the stride {stride}")
    return _convolve(x, kernel, _padding(size, stride), stride)


class Conv(nn.Module):
    """A convolution layer over `convolve`: parameters ``kernel`` (rows, columns, C, features) and ``bias``.

    Attributes:
        features: output channels.
        size: side of the square filter.
        stride: see `convolve`.
        use_bias: whether there is a bias.
        scale: the initial kernel is Kaiming normal times this (ESRGAN, arXiv 1809.00219, section 3.1, uses 0.1).
        dtype: the type computed in; parameters stay float32.
    """

    features: int
    size: int = 3
    stride: int = 1
    use_bias: bool = True
    scale: float = 1.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = x.astype(self.dtype)
        if not self.use_bias:
            kernel = kernel_parameter(self, x.shape[-1], self.features, size=self.size, scale=self.scale)
            return convolve(x, kernel.astype(self.dtype), stride=self.stride)
        kernel, bias = kernel_and_bias(self, x.shape[-1], self.features, size=self.size, scale=self.scale)
        return convolve(x, kernel.astype(self.dtype), stride=self.stride) + bias.astype(self.dtype)


def kaiming_normal(scale: float) -> Callable[..., jax.Array]:
    """Initialiser: He et al. 2015, fan in, times ``scale``."""
    return nn.initializers.variance_scaling(2.0 * scale**2, "fan_in", "normal")


def kernel_parameter(module: nn.Module, c_in: int, c_out: int, *, size: int = 3, scale: float = 1.0) -> jax.Array:
    """Declare a convolution's kernel (size, size, c_in, c_out) on ``module``."""
    return module.param("kernel", kaiming_normal(scale), (size, size, c_in, c_out))


def kernel_and_bias(
    module: nn.Module, c_in: int, c_out: int, *, size: int = 3, scale: float = 1.0
) -> tuple[jax.Array, jax.Array]:
    """Declare a convolution's parameters on ``module``: kernel (size, size, c_in, c_out) and bias (c_out,)."""
    kernel = kernel_parameter(module, c_in, c_out, size=size, scale=scale)
    return kernel, module.param("bias", nn.initializers.zeros, (c_out,))
