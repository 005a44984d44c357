"""Parts of the steps of both stages: gradient accumulation, and an update that is skipped if it is not finite."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from medsr_jax.training.steps import metrics
from medsr_jax.training.steps.state import AXIS, Network, Params, TrainState


def accumulated(
    compute: Callable[[Any, Any], tuple[Any, Any]], carry: Any, examples: Any, *, accumulate: int
) -> tuple[Any, Any]:
    """``compute`` over the micro-batches of a batch one after the other, in the memory of one.

    Args:
        compute: (carry, examples) -> (carry, outputs); the outputs are averaged over the micro-batches.
        carry: passed from one to the next.
        examples: a pytree whose leaves have the batch first.
        accumulate: number of micro-batches; the batch is a multiple of it.

    Returns:
        (the last carry, the mean outputs).
    """
    if accumulate == 1:
        return compute(carry, examples)
    split = jax.tree.map(lambda leaf: leaf.reshape(accumulate, -1, *leaf.shape[1:]), examples)
    carry, outputs = jax.lax.scan(compute, carry, split)
    return carry, jax.tree.map(lambda leaf: leaf.mean(axis=0), outputs)


def all_finite(*trees: Any) -> jax.Array:
    """Whether every number of every tree is finite."""
    leaves = jax.tree.leaves(trees)
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]).all()


def updated(
    network: Network,
    gradient: Params,
    stats: Any,
    *,
    optimizer: optax.GradientTransformation,
    rate_scale: jax.Array,
) -> tuple[Network, jax.Array]:
    """The network after an update, and the norm of that update."""
    updates, opt_state = optimizer.update(gradient, network.opt_state, network.params)
    updates = jax.tree.map(lambda leaf: leaf * rate_scale, updates)
    params = optax.apply_updates(network.params, updates)
    return Network(params=params, opt_state=opt_state, stats=stats), optax.global_norm(updates)


def averaged(past: Params, now: Params, *, decay: float, step: jax.Array) -> Params:
    """The exponential moving average after an update.

    The decay begins at (1 + step) / (10 + step), so that the initial weights soon lose their weight.
    """
    weight = jnp.minimum(decay, (1.0 + step) / (10.0 + step))
    return jax.tree.map(lambda a, b: weight * a + (1.0 - weight) * b, past, now)


def choose(condition: jax.Array, yes: Any, no: Any) -> Any:
    """One tree or the other."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def finished(
    state: TrainState,
    totals: metrics.Totals,
    values: dict[str, jax.Array],
    *,
    generator: Network,
    discriminator: Network | None = None,
    unseen: Any = (),
    ema_decay: float,
) -> tuple[TrainState, metrics.Totals, metrics.StepHealth]:
    """The end of a step of either stage: its update is applied whole if all of it is finite, and not at all otherwise.

    Args:
        state, totals: before the step.
        values: metrics of the step; those of a discriminator too where there is one.
        generator, discriminator: after their updates.
        unseen: other arrays that must be finite.
        ema_decay: of the moving average of the generator's parameters.

    Returns:
        State, totals and health after it.
    """
    finite = all_finite(values, unseen)
    ema = averaged(state.ema_params, generator.params, decay=ema_decay, step=state.step)
    before = (state.generator, state.ema_params, state.discriminator)
    generator, ema, discriminator = choose(finite, (generator, ema, discriminator), before)
    state = dataclasses.replace(
        state,
        step=state.step + 1,
        skipped=state.skipped + ~finite,
        generator=generator,
        ema_params=ema,
        discriminator=discriminator,
    )
    loss = values["loss"]
    health = metrics.StepHealth(loss, values.get("discriminator", jnp.zeros_like(loss)), finite)
    return state, metrics.added(totals, values, finite=finite), health


def over_devices(tree: Any) -> Any:
    """The mean over all devices."""
    return jax.lax.pmean(tree, AXIS)
