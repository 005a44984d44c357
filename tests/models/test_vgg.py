from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.models.vgg import VGG, layer_names, max_pool

LAYERS = ("conv1_2", "conv2_1")


@pytest.fixture(scope="module")
def variables() -> Any:
    """Of the first three convolutions, which depend on no depth."""
    shapes = jax.eval_shape(VGG(layers=LAYERS).init, jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    random = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: random.normal(0, 0.1, leaf.shape).astype(np.float32), shapes)


def images(channels: Any) -> Any:
    return jnp.asarray(np.random.default_rng(1).random((2, 9, 8, channels)), jnp.float32)


def test_features_are_named_are_before_the_relu_and_end_at_the_deepest(variables: Any) -> None:
    features = VGG(layers=LAYERS).apply(variables, images(3))
    assert {name: leaf.shape for name, leaf in features.items()} == {
        "conv1_2": (2, 9, 8, 64),
        "conv2_1": (2, 4, 4, 128),
    }
    assert all(float(leaf.min()) < 0 for leaf in features.values())
    assert list(variables["params"]) == ["conv1_1", "conv1_2", "conv2_1"]


def test_vgg19_has_three_convolutions_more_than_vgg16() -> None:
    assert set(layer_names(19)) - set(layer_names(16)) == {"conv3_4", "conv4_4", "conv5_4"}
    assert (len(layer_names(16)), len(layer_names(19))) == (13, 16)


def test_a_grey_image_is_three_equal_channels(variables: Any) -> None:
    grey = images(1)
    for a, b in zip(
        jax.tree.leaves(VGG(layers=LAYERS).apply(variables, grey)),
        jax.tree.leaves(VGG(layers=LAYERS).apply(variables, jnp.repeat(grey, 3, axis=-1))),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_images_are_normalised_as_imagenet_s(variables: Any) -> None:
    x = images(3)
    ready = (x - jnp.array([0.485, 0.456, 0.406])) / jnp.array([0.229, 0.224, 0.225])
    for a, b in zip(
        jax.tree.leaves(VGG(layers=LAYERS).apply(variables, x)),
        jax.tree.leaves(VGG(layers=LAYERS, normalise=False).apply(variables, ready)),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-4)


def squared(network: Any, params: Any, x: Any) -> Any:
    return sum(jnp.square(leaf).sum() for leaf in network.apply({"params": params}, x).values())


def test_no_gradient_of_the_weights_is_computed(variables: Any) -> None:
    by_image = jax.jit(jax.grad(functools.partial(squared, VGG(layers=LAYERS)), argnums=1))
    program = by_image.lower(variables["params"], images(1)).as_text()
    # A filter's gradient is a matrix product on a CPU. What is there: three convolutions and their input's gradients.
    assert program.count("stablehlo.dot_general") == 0
    assert program.count("stablehlo.convolution") == 6
    by_weights = jax.grad(functools.partial(squared, VGG(layers=LAYERS)))(variables["params"], images(1))
    assert all(not leaf.any() for leaf in jax.tree.leaves(by_weights))


def test_bfloat16_gives_float32_features_close_to_the_exact(variables: Any) -> None:
    exact = VGG(layers=LAYERS).apply(variables, images(3))
    for name, leaf in VGG(layers=LAYERS, dtype=jnp.bfloat16).apply(variables, images(3)).items():
        assert leaf.dtype == jnp.float32
        np.testing.assert_allclose(leaf, exact[name], atol=0.03 * float(jnp.abs(exact[name]).max()))


def test_the_maximum_of_squares_and_its_gradient() -> None:
    x = jnp.asarray([[1.0, 2.0, 9.0], [4.0, 3.0, 9.0], [9.0, 9.0, 9.0]])[None, ..., None]
    assert max_pool(x).ravel() == 4.0
    gradient = jax.grad(lambda x: max_pool(x).sum())(x)[0, ..., 0]
    np.testing.assert_array_equal(gradient, [[0, 0, 0], [1, 0, 0], [0, 0, 0]])


def test_what_is_not_there_is_refused(variables: Any) -> None:
    with pytest.raises(ValueError, match="VGG16 has no layer 'conv3_4'"):
        VGG(depth=16, layers=("conv3_4",)).apply(variables, images(3))
    with pytest.raises(ValueError, match="1 or 3 channels, not 2"):
        VGG(layers=LAYERS).apply(variables, images(2))
