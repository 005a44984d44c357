"""What a run is at a step: parameters, their running average, the optimiser."""

from __future__ import annotations

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

Params = Any


@flax.struct.dataclass
class TrainState:
    """The state of an L1-stage run, a pytree.

    Attributes:
        step: updates done, int32 scalar.
        params: the network's parameters.
        ema_params: their exponential moving average, which is what is measured and shipped.
        opt_state: Optax's.
    """

    step: jax.Array
    params: Params
    ema_params: Params
    opt_state: optax.OptState


def create(params: Params, optimizer: optax.GradientTransformation) -> TrainState:
    """The state before the first update."""
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        ema_params=jax.tree.map(jnp.copy, params),
        opt_state=optimizer.init(params),
    )


def replicate(tree: Any, devices: list[jax.Device]) -> Any:
    """A copy of every leaf on each device, with a leading device axis, as `jax.pmap` takes it."""
    return jax.pmap(lambda _, leaf: leaf, in_axes=(0, None), devices=devices)(jnp.arange(len(devices)), tree)


def unreplicate(tree: Any) -> Any:
    """The first device's copy."""
    return jax.tree.map(lambda leaf: leaf[0], tree)
