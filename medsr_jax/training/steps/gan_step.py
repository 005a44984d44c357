"""The update of the second stage: generator and discriminator, data parallel over devices.

Both gradients are taken at the parameters before the step, as in Real-ESRGAN and BasicSR, which compute the
generator's output once before either update. The discriminator's state (power iterations of its spectral norms)
advances at each of its passes, equally on all devices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import optax

from medsr_jax.models.conditional import at_scale
from medsr_jax.training.data.examples import Batch, Examples, step_keys
from medsr_jax.training.steps import metrics
from medsr_jax.training.steps.adversarial import r1
from medsr_jax.training.steps.objective import Objective, discriminator_loss, generator_loss
from medsr_jax.training.steps.restoration_step import Step, bound
from medsr_jax.training.steps.state import AXIS, TrainState
from medsr_jax.training.steps.update import accumulated, finished, over_devices, updated

Logits = tuple[jax.Array, ...]


def make_step(
    model: nn.Module,
    discriminator: nn.Module,
    optimizers: tuple[optax.GradientTransformation, optax.GradientTransformation],
    objective: Objective,
    examples: Callable[[Batch, jax.Array], Examples],
    *,
    ema_decay: float,
    devices: list[jax.Device],
    accumulate: int = 1,
) -> Step:
    """The pmapped update of both networks.

    Args:
        model: a generator, called with (lr, strength).
        discriminator: `models.MultiScaleDiscriminator`, called with (images, train).
        optimizers: of the generator and of the discriminator.
        objective: of both.
        examples, ema_decay, devices, accumulate: as in `restoration_step.make_step`.

    Returns:
        As there. If either network's update is not finite, neither is applied.
    """
    assert objective.adversarial is not None
    relativistic = objective.adversarial.relativistic

    def judge(params: Any, stats: Any, images: jax.Array) -> tuple[Logits, Any]:
        logits, changed = discriminator.apply({"params": params, **stats}, images, train=True, mutable=list(stats))
        return logits, changed

    def generator_side(
        params: Any, opponent: Any, stats: Any, part: Examples, constants: Any
    ) -> tuple[jax.Array, tuple[jax.Array, Any, dict[str, jax.Array]]]:
        family_member = at_scale(model, part.target.shape[1] // part.lr.shape[1])
        prediction: jax.Array = family_member.apply({"params": params}, part.lr, part.strength)  # type: ignore[assignment]
        fake, stats = judge(opponent, stats, prediction)
        real = fake
        if relativistic:
            real, stats = judge(opponent, stats, part.truth)
            real = jax.lax.stop_gradient(real)
        loss, terms = generator_loss(
            objective, prediction, part.target, constants=constants, real=real, fake=fake, axis=AXIS
        )
        deviations = {
            "output_deviation": metrics.deviation(prediction),
            "target_deviation": metrics.deviation(part.target),
        }
        return loss, (prediction, stats, {"loss": loss, **terms, **jax.lax.stop_gradient(deviations)})

    def discriminator_side(
        params: Any, stats: Any, truth: jax.Array, prediction: jax.Array
    ) -> tuple[jax.Array, tuple[Any, dict[str, jax.Array]]]:
        real, stats = judge(params, stats, truth)
        fake, stats = judge(params, stats, prediction)
        loss, terms = discriminator_loss(objective, real=real, fake=fake, axis=AXIS)
        if objective.r1_weight:
            fixed = stats

            def summed(images: jax.Array) -> jax.Array:
                return sum(logits.sum() for logits in judge(params, fixed, images)[0])  # type: ignore[return-value]

            terms["r1"] = r1(summed, truth)
            loss = loss + objective.r1_weight * terms["r1"]
        return loss, (stats, jax.lax.stop_gradient(terms))

    def step(
        state: TrainState, totals: metrics.Totals, batch: Batch, constants: Any
    ) -> tuple[TrainState, metrics.Totals, metrics.StepHealth]:
        assert state.discriminator is not None
        ours, theirs = state.generator, state.discriminator
        made = examples(batch, step_keys(state.key, state.step, n=len(batch["hr"]), axis=AXIS))

        def part(stats: Any, part: Examples) -> tuple[Any, Any]:
            first = jax.value_and_grad(generator_side, has_aux=True)
            (_, (prediction, stats, terms)), gradient = first(ours.params, theirs.params, stats, part, constants)
            second = jax.value_and_grad(discriminator_side, has_aux=True)
            prediction = jax.lax.stop_gradient(prediction)
            (_, (stats, more)), their_gradient = second(theirs.params, stats, part.truth, prediction)
            return stats, ({**terms, **more}, gradient, their_gradient)

        stats, outputs = accumulated(part, theirs.stats, made, accumulate=accumulate)
        (terms, gradient, their_gradient), stats = over_devices((outputs, stats))
        norm, their_norm = optax.global_norm(gradient), optax.global_norm(their_gradient)
        scale = state.rate_scale
        generator, update_norm = updated(ours, gradient, {}, optimizer=optimizers[0], rate_scale=scale)
        opponent, their_update = updated(theirs, their_gradient, stats, optimizer=optimizers[1], rate_scale=scale)
        values = {
            **terms,
            "gradient_norm": norm,
            "update_norm": update_norm,
            "parameter_norm": optax.global_norm(generator.params),
            "discriminator_gradient_norm": their_norm,
            "discriminator_update_norm": their_update,
        }
        # Spectral norms and batch statistics are state, which no gradient covers.
        unseen = (optax.global_norm(opponent.params), stats)
        return finished(
            state,
            totals,
            values,
            generator=generator,
            discriminator=opponent,
            unseen=unseen,
            ema_decay=ema_decay,
        )

    return bound(step, objective, devices=devices)
