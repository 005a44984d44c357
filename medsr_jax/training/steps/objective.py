"""The objective of both stages: the losses of generator and discriminator.

    generator:      w_pixel pixel(G(x), y') + w_perceptual sum_l w_l |F_l(G(x)) - F_l(y')| + w_gan adversarial(D(G(x)))
    discriminator:  mean over scales of adversarial(D_s(y), D_s(G(x))), and w_r1 R1

x is the input, y the truth and y' the target, which is y sharpened where the degradation does so: pixel and
perceptual losses use y', and the discriminator y (Real-ESRGAN, arXiv 2107.10833, section 3.4 and its code).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from medsr_jax.training.steps.adversarial import Adversarial
from medsr_jax.training.steps.losses import perceptual

Terms = dict[str, jax.Array]
# (constants, images (N, H, W, C) in [0, 1]) -> features by layer
Features = Callable[[Any, jax.Array], Mapping[str, jax.Array]]


@dataclasses.dataclass(frozen=True)
class Objective:
    """The losses and their weights.

    Attributes:
        pixel: a function of `losses.LOSSES`.
        pixel_weight: of it.
        features: by layer, of constants and images; None leaves the perceptual loss out.
        constants: weights of the features' network, host arrays. They are an argument of the step, since a compiled
            program would hold a copy of its constants.
        layer_weights: of the layers.
        perceptual_weight: of their sum.
        adversarial: None leaves it out.
        adversarial_weight: of the generator's adversarial loss.
        r1_weight: of the discriminator's gradient penalty; 0 leaves it out.
    """

    pixel: Callable[[jax.Array, jax.Array], jax.Array]
    pixel_weight: float = 1.0
    features: Features | None = None
    constants: Any = None
    layer_weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    perceptual_weight: float = 0.0
    adversarial: Adversarial | None = None
    adversarial_weight: float = 0.0
    r1_weight: float = 0.0


def restoration_loss(
    objective: Objective, prediction: jax.Array, target: jax.Array, *, constants: Any
) -> tuple[jax.Array, Terms]:
    """The losses without a discriminator: (their weighted sum, each of them unweighted)."""
    terms = {"pixel": objective.pixel(prediction, target)}
    loss = objective.pixel_weight * terms["pixel"]
    if objective.features is not None and objective.perceptual_weight:
        wanted = jax.lax.stop_gradient(objective.features(constants, target))
        terms["perceptual"] = perceptual(objective.features(constants, prediction), wanted, objective.layer_weights)
        loss = loss + objective.perceptual_weight * terms["perceptual"]
    return loss, terms


def generator_loss(
    objective: Objective,
    prediction: jax.Array,
    target: jax.Array,
    *,
    constants: Any,
    real: Sequence[jax.Array],
    fake: Sequence[jax.Array],
    axis: str | None,
) -> tuple[jax.Array, Terms]:
    """All losses of the generator; ``real`` and ``fake`` are logits, an entry for each scale."""
    assert objective.adversarial is not None
    loss, terms = restoration_loss(objective, prediction, target, constants=constants)
    loss_of = objective.adversarial.generator
    terms["generator"] = _mean_over_scales(loss_of(r, f, axis) for r, f in zip(real, fake, strict=True))
    return loss + objective.adversarial_weight * terms["generator"], terms


def discriminator_loss(
    objective: Objective, *, real: Sequence[jax.Array], fake: Sequence[jax.Array], axis: str | None
) -> tuple[jax.Array, Terms]:
    """The loss of the discriminator, and its accuracy: 0.5 is chance."""
    assert objective.adversarial is not None
    loss_of = objective.adversarial.discriminator
    loss = _mean_over_scales(loss_of(r, f, axis) for r, f in zip(real, fake, strict=True))
    right = _mean_over_scales(_accuracy(objective.adversarial, r, f, axis) for r, f in zip(real, fake, strict=True))
    terms = {
        "discriminator": loss,
        "accuracy": right,
        "real_logits": _mean_over_scales(logits.mean() for logits in real),
        "fake_logits": _mean_over_scales(logits.mean() for logits in fake),
    }
    return loss, jax.lax.stop_gradient(terms)


def _accuracy(adversarial: Adversarial, real: jax.Array, fake: jax.Array, axis: str | None) -> jax.Array:
    if adversarial.relativistic:
        means = jnp.stack([real.mean(), fake.mean()])
        middle = (means if axis is None else jax.lax.pmean(means, axis)).mean()
        real, fake = real - middle, fake - middle
    return 0.5 * ((real > 0).mean() + (fake < 0).mean())


def _mean_over_scales(values: object) -> jax.Array:
    return jnp.stack(list(values)).mean()  # type: ignore[call-overload]
