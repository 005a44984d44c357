"""Adversarial losses: functions of a discriminator's logits that return a scalar.

Logits are (N, ...) of any further shape, one for each image or for each pixel: the loss is the mean over all. Every
function takes the logits of real images first, since the relativistic losses need both on both sides, and the name of
the axis over devices, so that the relativistic average is that of the whole batch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp
import optax

Loss = Callable[[jax.Array, jax.Array, str | None], jax.Array]


@dataclasses.dataclass(frozen=True)
class Adversarial:
    """An adversarial loss of both networks.

    Attributes:
        generator: (real, fake, axis) -> loss of the generator.
        discriminator: (real, fake, axis) -> loss of the discriminator.
        relativistic: the generator's loss depends on the real logits.
    """

    generator: Loss
    discriminator: Loss
    relativistic: bool = False


def _cross_entropy(logits: jax.Array, *, real: bool) -> jax.Array:
    labels = jnp.full_like(logits, 1.0 if real else 0.0)
    result: jax.Array = optax.sigmoid_binary_cross_entropy(logits, labels).mean()
    return result


def vanilla_generator(real: jax.Array, fake: jax.Array, axis: str | None = None) -> jax.Array:
    """-log D(fake): the non-saturating loss (Goodfellow et al., arXiv 1406.2661); Real-ESRGAN's."""
    del real, axis
    return _cross_entropy(fake, real=True)


def vanilla_discriminator(real: jax.Array, fake: jax.Array, axis: str | None = None) -> jax.Array:
    """-log D(real) - log(1 - D(fake)), the sum of the two as in Real-ESRGAN."""
    del axis
    return _cross_entropy(real, real=True) + _cross_entropy(fake, real=False)


def relativistic_generator(real: jax.Array, fake: jax.Array, axis: str | None = None) -> jax.Array:
    """ESRGAN's equation 2 (arXiv 1809.00219), of the average: real less realistic than fake, fake more than real."""
    chex.assert_equal_shape([real, fake])
    return _relativistic(fake, real, axis)


def relativistic_discriminator(real: jax.Array, fake: jax.Array, axis: str | None = None) -> jax.Array:
    """ESRGAN's equation 1: real more realistic than the mean fake, fake less than the mean real."""
    chex.assert_equal_shape([real, fake])
    return _relativistic(real, fake, axis)


def _relativistic(more: jax.Array, less: jax.Array, axis: str | None) -> jax.Array:
    # Half the sum, as in ESRGAN's own code; the paper's equations are twice it.
    first = _cross_entropy(more - _mean(less, axis), real=True)
    return 0.5 * (first + _cross_entropy(less - _mean(more, axis), real=False))


def _mean(logits: jax.Array, axis: str | None) -> jax.Array:
    return logits.mean() if axis is None else jax.lax.pmean(logits.mean(), axis)


def hinge_generator(real: jax.Array, fake: jax.Array, axis: str | None = None) -> jax.Array:
    """-D(fake) (Lim and Ye, arXiv 1705.02894)."""
    del real, axis
    return -fake.mean()


def hinge_discriminator(real: jax.Array, fake: jax.Array, axis: str | None = None) -> jax.Array:
    """max(0, 1 - D(real)) + max(0, 1 + D(fake))."""
    del axis
    return jax.nn.relu(1.0 - real).mean() + jax.nn.relu(1.0 + fake).mean()


ADVERSARIAL: dict[str, Adversarial] = {
    "vanilla": Adversarial(vanilla_generator, vanilla_discriminator),
    "relativistic": Adversarial(relativistic_generator, relativistic_discriminator, relativistic=True),
    "hinge": Adversarial(hinge_generator, hinge_discriminator),
}


def r1(logits: Callable[[jax.Array], jax.Array], real: jax.Array) -> jax.Array:
    """Half the mean over images of |d sum(logits) / d image|^2 (Mescheder et al., arXiv 1801.04406, equation 9).

    Args:
        logits: of images, without side effects.
        real: (N, H, W, C).
    """
    gradient = jax.grad(lambda images: logits(images).sum())(real)
    return 0.5 * jnp.square(gradient).sum(axis=(1, 2, 3)).mean()
