"""The parts of a run, built from its config."""

from __future__ import annotations

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from medsr_jax.degradation import Degradation, configured
from medsr_jax.errors import UsageError
from medsr_jax.models import build
from medsr_jax.models.conditional import ends_of
from medsr_jax.models.multi_scale import MultiScaleDiscriminator
from medsr_jax.models.vgg import VGG
from medsr_jax.training.config.rules import channels_of, scale_of, vgg_layer
from medsr_jax.training.config.schema import Config, Losses, Optimizer
from medsr_jax.training.data.examples import make_examples
from medsr_jax.training.run import schedules
from medsr_jax.training.steps import gan_step, restoration_step, state
from medsr_jax.training.steps.adversarial import ADVERSARIAL
from medsr_jax.training.steps.losses import LOSSES
from medsr_jax.training.steps.objective import Features, Objective
from medsr_jax.weights import model_file
from medsr_jax.weights.grey import for_grey
from medsr_jax.weights.importing.vgg_weights import load_vgg


@dataclasses.dataclass(frozen=True)
class Setup:
    """The parts of a run.

    Attributes:
        config: of the run.
        model: the generator.
        discriminator: None in the first stage.
        optimizers: of the two; the second is not used in the first stage.
        objective: of the two.
        degradation: None where the source is of pairs.
        channels: of the generator's images.
        scale: of the generator.
        devices: of all processes.
    """

    config: Config
    model: nn.Module
    discriminator: nn.Module | None
    optimizers: tuple[optax.GradientTransformation, optax.GradientTransformation]
    objective: Objective
    degradation: Degradation | None
    channels: int
    scale: int
    devices: list[jax.Device]

    @property
    def local_devices(self) -> int:
        """Number of the devices of this process."""
        return sum(device.process_index == jax.process_index() for device in self.devices)

    def step(self) -> restoration_step.Step:
        """The pmapped update of the stage."""
        config = self.config
        examples = make_examples(self.degradation, channels=self.channels)
        options: dict[str, Any] = {
            "ema_decay": config.ema_decay,
            "devices": self.devices,
            "accumulate": config.accumulate,
        }
        if self.discriminator is None:
            return restoration_step.make_step(self.model, self.optimizers[0], self.objective, examples, **options)
        return gan_step.make_step(self.model, self.discriminator, self.optimizers, self.objective, examples, **options)

    def initial_state(self) -> state.TrainState:
        """Fresh weights, or for the generator those of ``config.start_from``."""
        params = initial_params(self.config) if self.config.start_from else None
        # It runs once: optimising it would take longer than it saves.
        result: state.TrainState = jax.jit(self._state, compiler_options={"xla_backend_optimization_level": 0})(params)
        return result

    def state_shapes(self) -> state.TrainState:
        """Shapes and types of a state, without making one; a resumed run doesn't need ``config.start_from``."""
        result: state.TrainState = jax.eval_shape(self._state, None)
        return result

    def _state(self, params: Any) -> state.TrainState:
        config, side = self.config, self.config.target_side
        # XLA takes a minute to compile threefry for every parameter of a generator on a CPU, and seconds for this.
        keys = jax.random.split(jax.random.key(config.seed, impl="rbg"))
        small = jnp.zeros((1, side // self.scale, side // self.scale, self.channels))
        if params is None:
            params = self.model.init(keys[0], small)["params"]
        elif new := sorted({*getattr(self.model, "scales", ())} - {*_scales(params)}):
            # Weights of fewer scales: the trunk is theirs, and the other scales' ends are fresh.
            fresh = self.model.init(keys[0], small)["params"]
            params = params | {name: fresh[name] for scale in new for name in ends_of(scale)}
        generator = state.network(params, self.optimizers[0])
        discriminator = self.discriminator
        if discriminator is None:
            return state.create(generator, seed=config.seed)
        # Batch statistics are averaged over an axis of devices, which only pmap and vmap provide.
        large = jnp.zeros((1, 1, side, side, self.channels))
        init = jax.vmap(lambda x: discriminator.init(keys[1], x, train=False), axis_name=state.AXIS)
        variables = jax.tree.map(lambda leaf: leaf[0], init(large))  # type: ignore[no-untyped-call]
        opponent = state.network(variables.pop("params"), self.optimizers[1], variables)
        return state.create(generator, opponent, seed=config.seed)


def build_setup(config: Config) -> Setup:
    """All parts of a run.

    Args:
        config: of `config.checking.checked`.

    Raises:
        MedsrError: the weights of the perceptual loss can't be read, or have other layers.
    """
    dtype = jnp.dtype(config.compute_dtype)
    model = build(config.model.name, config.model.fields, dtype=dtype)
    objective = _objective(config.objective, dtype)
    c, discriminator = config.discriminator, None
    if objective.adversarial is not None:
        discriminator = MultiScaleDiscriminator(c.name, c.fields, c.scales, dtype)
    return Setup(
        config=config,
        model=model,
        discriminator=discriminator,
        optimizers=(
            make_optimizer(config.optimizer, config.optimizer.learning_rate, steps=config.steps),
            make_optimizer(config.optimizer, c.learning_rate, steps=config.steps),
        ),
        objective=objective,
        degradation=None if config.data.brings_inputs else configured(config.degradation),
        channels=channels_of(model),
        scale=scale_of(model),
        devices=jax.devices() if config.devices is None else jax.local_devices()[: config.devices],
    )


def make_optimizer(optimizer: Optimizer, learning_rate: float, *, steps: int) -> optax.GradientTransformation:
    """Adam, after clipping by the global norm if there is a limit.

    Args:
        optimizer: settings of both networks.
        learning_rate: peak, of this network.
        steps: of the run.
    """
    adam = optax.adam(schedules.schedule(optimizer, learning_rate, steps=steps), b1=optimizer.b1, b2=optimizer.b2)
    if not optimizer.clip_norm:
        return adam
    return optax.chain(optax.clip_by_global_norm(optimizer.clip_norm), adam)


def initial_params(config: Config) -> Any:
    """The parameters of ``config.start_from``, a file of the config's model.

    A model of three channels is folded to a grayscale one where the config has one channel.

    Raises:
        MedsrError: there is no such file, or it is of another model.
    """
    weights = model_file.load(config.start_from)
    if config.model.fields.get("channels") == 1:
        weights = for_grey(weights)
    # Recomputing activations in the backward pass changes no parameter, and scales of a family have their own.
    differing = ("remat", "scales", "scale") if weights.scales else ("remat",)
    expected, found = (
        {name: value for name, value in fields.items() if name not in differing}
        for fields in (config.model.fields, weights.fields)
    )
    more = {*weights.scales} - {*config.model.fields.get("scales", ())}
    if more or weights.model != config.model.name or build(weights.model, found) != build(config.model.name, expected):
        raise UsageError(
            f"{weights.path}: has {weights.model} {found}, but config.model is {config.model.name} {expected}",
            remedy="set config.model to the model of the file",
        )
    return jax.tree.map(jnp.asarray, weights.params)


def _scales(params: Any) -> list[int]:
    """Of a family's parameters."""
    return [int(name.removeprefix("first_x")) for name in params if name.startswith("first_x")]


def _objective(losses: Losses, dtype: Any) -> Objective:
    features, constants, layer_weights = _features(losses, dtype) if losses.perceptual_weight else (None, None, {})
    return Objective(
        pixel=LOSSES[losses.pixel],
        pixel_weight=losses.pixel_weight,
        features=features,
        constants=constants,
        layer_weights=layer_weights,
        perceptual_weight=losses.perceptual_weight,
        adversarial=ADVERSARIAL[losses.adversarial] if losses.adversarial_weight else None,
        adversarial_weight=losses.adversarial_weight,
        r1_weight=losses.r1_weight,
    )


def _features(losses: Losses, dtype: Any) -> tuple[Features, Any, dict[str, float]]:
    """VGG's features before the ReLU, its weights, and those of its layers in the loss."""
    weights = load_vgg(losses.features)
    layer_weights = {}
    for layer, weight in losses.layers:
        name = vgg_layer(layer, depth=weights.depth)
        if name is None:  # a file of VGG16, in which VGG19 was expected
            raise UsageError(f"config.objective.layers: {weights.source} is VGG{weights.depth} and has no {layer}")
        layer_weights[name] = weight
    vgg = VGG(depth=weights.depth, layers=tuple(layer_weights), dtype=dtype)

    def features(params: Any, images: jax.Array) -> dict[str, jax.Array]:
        return vgg.apply({"params": params}, images)  # type: ignore[return-value]

    return features, weights.params, layer_weights
