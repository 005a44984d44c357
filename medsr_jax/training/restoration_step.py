"""The update of the first stage: a generator against a pixel loss, data parallel over devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from medsr_jax.training.state import TrainState

Batch = dict[str, jax.Array]
Step = Callable[[TrainState, Batch], tuple[TrainState, dict[str, jax.Array]]]

AXIS = "devices"


def make_step(
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    loss: Callable[[jax.Array, jax.Array], jax.Array],
    *,
    ema_decay: float,
    devices: list[jax.Device],
) -> Step:
    """The pmapped update.

    Args:
        model: a generator, called with (lr, strength).
        optimizer: an Optax transformation.
        loss: a function of `losses`.
        ema_decay: weight of the past in the running average, .999 in Real-ESRGAN. It is lowered at the start to
            (1 + step) / (10 + step), so that the initial weights are soon forgotten.
        devices: the local devices to use.

    Returns:
        A function of a replicated `TrainState`, whose buffers it consumes, and a batch with a leading device axis:
        ``lr`` uint8 (D, N, H, W, 1), ``hr`` uint8 (D, N, sH, sW, 1), ``strength`` float32 (D, N). It returns the
        next state and the loss and the norms of gradient and update.
    """

    def objective(params: Any, batch: Batch) -> jax.Array:
        prediction = model.apply({"params": params}, as_float(batch["lr"]), batch["strength"])
        return loss(prediction, as_float(batch["hr"]))  # type: ignore[arg-type]

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, jax.Array]]:
        value, gradient = jax.value_and_grad(objective)(state.params, batch)
        value, gradient = jax.lax.pmean((value, gradient), AXIS)
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        decay = jnp.minimum(ema_decay, (1.0 + state.step) / (10.0 + state.step))
        ema = jax.tree.map(lambda past, now: decay * past + (1.0 - decay) * now, state.ema_params, params)
        metrics = {
            "loss": value,
            "gradient_norm": optax.global_norm(gradient),
            "update_norm": optax.global_norm(updates),
        }
        return TrainState(state.step + 1, params, ema, opt_state), metrics

    return jax.pmap(step, axis_name=AXIS, devices=devices, donate_argnums=(0,))


def as_float(pixels: jax.Array) -> jax.Array:
    """uint8 -> float32 in [0, 1]: bytes are what crosses from host to device."""
    return pixels.astype(jnp.float32) / 255.0
