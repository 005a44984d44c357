"""Metrics of a step: averages that stay on the devices until they are logged, and per-step health."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import jax
from clu import metrics as clu_metrics
from clu.metrics import Collection

from medsr_jax.training.steps.objective import Objective

_ALWAYS = ("loss", "pixel", "gradient_norm", "update_norm", "parameter_norm", "output_deviation", "target_deviation")
_ADVERSARIAL = (
    "generator",
    "discriminator",
    "accuracy",
    "real_logits",
    "fake_logits",
    "discriminator_gradient_norm",
    "discriminator_update_norm",
)


Totals: TypeAlias = Collection


class StepHealth(NamedTuple):
    """Losses of one step and whether it was finite; the same on all devices.

    Attributes:
        loss: of the generator.
        discriminator_loss: zero in the first stage.
        finite: losses, gradients, updates and the updated parameters are; if not, the update was not applied.
    """

    loss: jax.Array
    discriminator_loss: jax.Array
    finite: jax.Array


def totals_for(objective: Objective) -> type[Totals]:
    """The collection of all metrics of a step with this objective."""
    names = list(_ALWAYS)
    if objective.features is not None and objective.perceptual_weight:
        names.append("perceptual")
    if objective.adversarial is not None:
        names += _ADVERSARIAL
    if objective.r1_weight:
        names.append("r1")
    result: type[Totals] = Totals.create(**{name: clu_metrics.Average.from_output(name) for name in names})
    return result


def added(totals: Totals, values: dict[str, jax.Array], *, finite: jax.Array) -> Totals:
    """The totals with a step's values, unless it was not finite: NaN would spoil the average."""
    outputs = {name: value[None] for name, value in values.items()}
    return totals.merge(type(totals).single_from_model_output(**outputs, mask=finite[None]))


def deviation(images: jax.Array) -> jax.Array:
    """Mean over a batch of each image's standard deviation; near zero for a constant output."""
    return images.std(axis=(1, 2, 3)).mean()


def computed(totals: Totals) -> dict[str, float]:
    """Averages as host numbers, of totals from the first device; those without a step are left out."""
    counted = {name: value for name, value in vars(totals).items() if getattr(value, "count", 0) > 0}
    return {name: float(value.compute()) for name, value in counted.items()}
