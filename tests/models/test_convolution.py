from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from medsr_jax.models.convolution import Conv, convolve


def plain(x: Any, kernel: Any, *, stride: Any = 1) -> Any:
    pads = [((side - stride) // 2,) * 2 for side in kernel.shape[:2]]
    return lax.conv_general_dilated(x, kernel, (stride, stride), pads, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def assert_same_value_and_gradients(x: Any, kernel: Any, *, stride: Any) -> None:
    weight = jnp.cos(jnp.arange(plain(x, kernel, stride=stride).size, dtype=jnp.float32))

    def loss(convolution: Any) -> Any:
        return lambda x, kernel: (jnp.sin(convolution(x, kernel, stride=stride)).ravel() * weight).sum()

    ours = jax.value_and_grad(loss(convolve), argnums=(0, 1))(x, kernel)
    theirs = jax.value_and_grad(loss(plain), argnums=(0, 1))(x, kernel)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("size", "c_in", "c_out"), [((3, 3), 3, 5), ((3, 3), 5, 3), ((1, 1), 4, 2), ((5, 3), 2, 3), ((5, 3), 3, 2)]
)
def test_its_gradients_are_those_of_the_plain_convolution(size: tuple[int, ...], c_in: int, c_out: int) -> None:
    random = np.random.default_rng(0)
    x = jnp.asarray(random.normal(size=(2, 6, 7, c_in)), jnp.float32)
    kernel = jnp.asarray(random.normal(size=(*size, c_in, c_out)), jnp.float32)
    assert_same_value_and_gradients(x, kernel, stride=1)


@pytest.mark.parametrize(
    ("size", "stride", "c_in", "c_out"),
    [((4, 4), 2, 3, 5), ((4, 4), 2, 1, 9), ((4, 4), 2, 5, 3), ((2, 4), 2, 2, 3), ((9, 3), 3, 2, 3)],
)
def test_a_stride_changes_neither_values_nor_gradients(
    size: tuple[int, ...], stride: int, c_in: int, c_out: int
) -> None:
    random = np.random.default_rng(0)
    x = jnp.asarray(random.normal(size=(2, 4 * stride, 3 * stride, c_in)), jnp.float32)
    kernel = jnp.asarray(random.normal(size=(*size, c_in, c_out)), jnp.float32)
    assert_same_value_and_gradients(x, kernel, stride=stride)


@pytest.mark.parametrize(("size", "stride"), [(3, 1), (4, 2)])
def test_a_penalty_on_the_gradient_can_be_differentiated(size: int, stride: int) -> None:
    random = np.random.default_rng(0)
    x = jnp.asarray(random.normal(size=(2, 4, 6, 2)), jnp.float32)
    kernel = jnp.asarray(random.normal(size=(size, size, 2, 3)), jnp.float32)

    def penalty(convolution: Any) -> Any:
        def score(x: Any, kernel: Any) -> Any:
            return jnp.sin(convolution(x, kernel, stride=stride)).sum()

        return lambda x, kernel: jnp.square(jax.grad(score)(x, kernel)).sum()

    ours = jax.jit(jax.grad(penalty(convolve), argnums=(0, 1)))(x, kernel)
    theirs = jax.grad(penalty(plain), argnums=(0, 1))(x, kernel)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("size", "sides", "stride", "message"),
    [
        ((2, 4), (8, 8), 1, "odd"),
        ((3, 3), (8, 8), 2, "folded"),
        ((4, 2), (8, 8), 4, "folded"),
        ((4, 4), (7, 8), 2, "multiples of the stride"),
    ],
)
def test_what_it_is_not_defined_for_is_refused(
    size: tuple[int, ...], sides: tuple[int, ...], stride: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        convolve(jnp.zeros((1, *sides, 1)), jnp.zeros((*size, 1, 1)), stride=stride)


def test_a_layer_without_bias_has_only_a_kernel_and_halves_the_sides() -> None:
    layer = Conv(6, size=4, stride=2, use_bias=False)
    y, variables = layer.init_with_output(jax.random.key(0, impl="rbg"), jnp.ones((1, 8, 6, 3)))
    assert y.shape == (1, 4, 3, 6)
    assert jax.tree.map(jnp.shape, variables) == {"params": {"kernel": (4, 4, 3, 6)}}


def test_the_gradient_of_bfloat16_is_bfloat16() -> None:
    x, kernel = jnp.ones((1, 4, 4, 2), jnp.bfloat16), jnp.ones((4, 4, 2, 3), jnp.bfloat16)
    loss = functools.partial(convolve, stride=2)
    gradients = jax.grad(lambda x, k: loss(x, k).sum().astype(jnp.float32), argnums=(0, 1))(x, kernel)
    assert [g.dtype for g in gradients] == [jnp.bfloat16, jnp.bfloat16]
