"""The state of a run: networks, optimizer states, the generator's moving average, the random key."""

from __future__ import annotations

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

Params = Any

# The axis of `jax.pmap` over devices.
AXIS = "devices"


@flax.struct.dataclass
class Network:
    """A network in training.

    Attributes:
        params: its parameters, float32.
        opt_state: Optax's.
        stats: its other variables: spectral norms, batch statistics; empty for a generator.
    """

    params: Params
    opt_state: optax.OptState
    stats: Any


@flax.struct.dataclass
class TrainState:
    """The state of a run, a pytree.

    Attributes:
        step: batches seen, int32 scalar.
        skipped: updates not applied since a value was not finite, int32 scalar.
        key: data of the random key of the run, uint32 (2,).
        rate_scale: factor on the learning rates, float32 scalar; lowered on a plateau.
        generator: the network of the result.
        ema_params: the exponential moving average of its parameters, which is validated and saved.
        discriminator: None in the first stage.
    """

    step: jax.Array
    skipped: jax.Array
    key: jax.Array
    rate_scale: jax.Array
    generator: Network
    ema_params: Params
    discriminator: Network | None = None


def network(params: Params, optimizer: optax.GradientTransformation, stats: Any = None) -> Network:
    """A network before its first update."""
    return Network(params=params, opt_state=optimizer.init(params), stats={} if stats is None else stats)


def create(generator: Network, discriminator: Network | None = None, *, seed: int) -> TrainState:
    """The state before the first update."""
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        skipped=jnp.zeros((), jnp.int32),
        key=jax.random.key_data(jax.random.key(seed, impl="threefry2x32")),
        rate_scale=jnp.ones((), jnp.float32),
        generator=generator,
        ema_params=jax.tree.map(jnp.copy, generator.params),
        discriminator=discriminator,
    )


def shard(tree: Any, devices: list[jax.Device]) -> Any:
    """Copy host arrays with a leading axis of local devices to these devices, a row each, for `jax.pmap`."""
    local = [device for device in devices if device.process_index == jax.process_index()]
    return jax.device_put(tree, NamedSharding(Mesh(np.asarray(local), (AXIS,)), PartitionSpec(AXIS)))


def replicate(tree: Any, devices: list[jax.Device]) -> Any:
    """A copy of every leaf on each local device, with a leading device axis."""
    local = sum(device.process_index == jax.process_index() for device in devices)
    host = jax.device_get(tree)
    return shard(jax.tree.map(lambda leaf: np.broadcast_to(leaf, (local, *np.shape(leaf))), host), devices)


def unreplicate(tree: Any) -> Any:
    """The first local device's copy, as NumPy arrays."""
    shards = jax.tree.map(lambda leaf: leaf.addressable_shards[0].data, tree)
    return jax.tree.map(lambda leaf: leaf[0], jax.device_get(shards))
