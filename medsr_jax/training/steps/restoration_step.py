"""The update of the first stage: pixel and perceptual losses, data parallel over devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import optax

from medsr_jax.models.conditional import at_scale
from medsr_jax.training.data.examples import Batch, Examples, step_keys
from medsr_jax.training.steps import metrics
from medsr_jax.training.steps.objective import Objective, restoration_loss
from medsr_jax.training.steps.state import AXIS, TrainState, replicate
from medsr_jax.training.steps.update import accumulated, finished, over_devices, updated

Step = Callable[[TrainState, metrics.Totals, Batch], tuple[TrainState, metrics.Totals, metrics.StepHealth]]


def make_step(
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    objective: Objective,
    examples: Callable[[Batch, jax.Array], Examples],
    *,
    ema_decay: float,
    devices: list[jax.Device],
    accumulate: int = 1,
) -> Step:
    """The pmapped update.

    Args:
        model: a generator, called with (lr, strength).
        optimizer: an Optax transformation.
        objective: of the generator; its adversarial loss is not used.
        examples: of `examples.make_examples`.
        ema_decay: of the moving average, .999 in Real-ESRGAN.
        devices: of all processes.
        accumulate: gradient-accumulation steps per device.

    Returns:
        A function of a replicated `TrainState` and totals, whose buffers it consumes, and a batch with a leading
        device axis. An update with any number that is not finite is not applied; `metrics.StepHealth` reports it.
    """

    def objective_of(params: Any, part: Examples, constants: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
        family_member = at_scale(model, part.target.shape[1] // part.lr.shape[1])
        prediction = family_member.apply({"params": params}, part.lr, part.strength)
        loss, terms = restoration_loss(objective, prediction, part.target, constants=constants)  # type: ignore[arg-type]
        deviations = {
            "output_deviation": metrics.deviation(prediction),  # type: ignore[arg-type]
            "target_deviation": metrics.deviation(part.target),
        }
        return loss, {"loss": loss, **terms, **jax.lax.stop_gradient(deviations)}

    def step(
        state: TrainState, totals: metrics.Totals, batch: Batch, constants: Any
    ) -> tuple[TrainState, metrics.Totals, metrics.StepHealth]:
        n = len(batch["hr"])
        made = examples(batch, step_keys(state.key, state.step, n=n, axis=AXIS))

        def part(carry: None, part: Examples) -> tuple[None, Any]:
            (_, terms), gradient = jax.value_and_grad(objective_of, has_aux=True)(
                state.generator.params, part, constants
            )
            return carry, (terms, gradient)

        _, outputs = accumulated(part, None, made, accumulate=accumulate)
        terms, gradient = over_devices(outputs)
        norm = optax.global_norm(gradient)
        generator, update_norm = updated(
            state.generator, gradient, {}, optimizer=optimizer, rate_scale=state.rate_scale
        )
        values = {
            **terms,
            "gradient_norm": norm,
            "update_norm": update_norm,
            "parameter_norm": optax.global_norm(generator.params),
        }
        # A finite gradient can still overflow in Adam's square, or in the norm that it is clipped by: the norms of
        # update and parameters are among the values that must be finite.
        return finished(state, totals, values, generator=generator, ema_decay=ema_decay)

    return bound(step, objective, devices=devices)


def bound(step: Callable[..., Any], objective: Objective, *, devices: list[jax.Device]) -> Step:
    """A step over devices, with donated state and totals, and the objective's constants copied to each device."""
    mapped = jax.pmap(step, axis_name=AXIS, devices=devices, donate_argnums=(0, 1))
    constants = replicate(objective.constants, devices)
    return lambda state, totals, batch: mapped(state, totals, batch, constants)
