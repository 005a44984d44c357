"""Pixel and feature losses: functions of two image batches, or of their features, that return a scalar.

All take float32 (N, H, W, C), images in [0, 1], prediction first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import chex
import jax
import jax.numpy as jnp


def l1(prediction: jax.Array, target: jax.Array) -> jax.Array:
    """Mean absolute error. Its optimum is the median, which for the residual of a smooth image is close to zero."""
    chex.assert_equal_shape([prediction, target])
    return jnp.abs(prediction - target).mean()


def mse(prediction: jax.Array, target: jax.Array) -> jax.Array:
    """Mean squared error."""
    chex.assert_equal_shape([prediction, target])
    return jnp.square(prediction - target).mean()


def charbonnier(prediction: jax.Array, target: jax.Array, *, epsilon: float = 0.01) -> jax.Array:
    """sqrt(e^2 + epsilon^2) - epsilon, averaged (Charbonnier et al. 1994): square near zero, absolute far from it."""
    chex.assert_equal_shape([prediction, target])
    return (jnp.sqrt(jnp.square(prediction - target) + epsilon**2) - epsilon).mean()


def log_mse(prediction: jax.Array, target: jax.Array, *, floor: float = 1e-6) -> jax.Array:
    """Mean over the batch of log(MSE of the image + floor): what the mean PSNR measures, up to a factor.

    The logarithm weights easy and hard images alike. ``floor`` (1e-6 is 60 dB) limits the weight of flat patches.
    """
    chex.assert_equal_shape([prediction, target])
    return jnp.log(jnp.square(prediction - target).mean(axis=(1, 2, 3)) + floor).mean()


def perceptual(
    prediction: Mapping[str, jax.Array], target: Mapping[str, jax.Array], weights: Mapping[str, float]
) -> jax.Array:
    """Sum over layers of weight times the mean absolute difference of features (Johnson et al., arXiv 1603.08155).

    Args:
        prediction, target: features by layer, (N, h, w, c) each; before the ReLU in Real-ESRGAN.
        weights: by layer; the others are left out.
    """
    return sum((weight * l1(prediction[name], target[name]) for name, weight in weights.items()), jnp.zeros(()))


LOSSES: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
    "l1": l1,
    "mse": mse,
    "charbonnier": charbonnier,
    "log_mse": log_mse,
}
