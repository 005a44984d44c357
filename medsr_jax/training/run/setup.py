"""What a config describes, built and checked before anything is compiled."""

from __future__ import annotations

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from medsr_jax.degradation import Degradation, configured
from medsr_jax.errors import UsageError
from medsr_jax.models import build
from medsr_jax.models.multi_scale import MultiScaleDiscriminator
from medsr_jax.models.vgg import VGG, layer_names
from medsr_jax.training.config.checks import chosen_devices, target_side
from medsr_jax.training.data.examples import make_examples
from medsr_jax.training.data.inputs import BRINGS_INPUTS
from medsr_jax.training.run import schedules
from medsr_jax.training.steps import gan_step, restoration_step, state
from medsr_jax.training.steps.adversarial import ADVERSARIAL
from medsr_jax.training.steps.losses import LOSSES
from medsr_jax.training.steps.objective import Features, Objective
from medsr_jax.weights import model_file
from medsr_jax.weights.grey import for_grey
from medsr_jax.weights.importing.vgg_weights import load_vgg

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}


@dataclasses.dataclass(frozen=True)
class Setup:
    """The parts of a run.

    Attributes:
        config: what they were built from.
        model: the generator.
        discriminator: None in the first stage.
        optimizers: of the two; the second is not used in the first stage.
        objective: of the two.
        degradation: None where the data brings inputs.
        channels: of the generator's images.
        scale: of the generator.
        side: of a target.
        devices: of all processes.
    """

    config: ConfigDict
    model: nn.Module
    discriminator: nn.Module | None
    optimizers: tuple[optax.GradientTransformation, optax.GradientTransformation]
    objective: Objective
    degradation: Degradation | None
    channels: int
    scale: int
    side: int
    devices: list[jax.Device]

    @property
    def local_devices(self) -> int:
        """How many of the devices are this process's."""
        return sum(device.process_index == jax.process_index() for device in self.devices)

    def step(self) -> restoration_step.Step:
        """The pmapped update of the stage."""
        config = self.config
        examples = make_examples(self.degradation, channels=self.channels)
        options: dict[str, Any] = {
            "ema_decay": config.ema_decay,
            "devices": self.devices,
            "parts": config.accumulate,
        }
        if self.discriminator is None:
            return restoration_step.make_step(self.model, self.optimizers[0], self.objective, examples, **options)
        return gan_step.make_step(self.model, self.discriminator, self.optimizers, self.objective, examples, **options)

    def initial_state(self) -> state.TrainState:
        """Fresh weights, or for the generator those of ``config.start_from``."""
        params = started_from(self.config) if self.config.start_from else None
        # It is run once: to optimise it would take longer than to run it as it is.
        return jax.jit(self._state, compiler_options={"xla_backend_optimization_level": 0})(params)

    def state_shapes(self) -> state.TrainState:
        """Shapes and types of a state, without making one; a run that goes on needs no ``config.start_from``."""
        return jax.eval_shape(self._state, None)

    def _state(self, params: Any) -> state.TrainState:
        config = self.config
        # XLA takes a minute to compile threefry for every parameter of a generator on a CPU, and seconds for this.
        keys = jax.random.split(jax.random.key(config.seed, impl="rbg"))
        if params is None:
            small = jnp.zeros((1, self.side // self.scale, self.side // self.scale, self.channels))
            params = self.model.init(keys[0], small, jnp.zeros((1,)))["params"]
        generator = state.network(params, self.optimizers[0])
        discriminator = self.discriminator
        if discriminator is None:
            return state.create(generator, seed=config.seed)
        # The axis over devices that batch statistics are averaged over exists under pmap alone.
        large = jnp.zeros((1, 1, self.side, self.side, self.channels))
        init = jax.vmap(lambda x: discriminator.init(keys[1], x, train=False), axis_name=state.AXIS)
        variables = jax.tree.map(lambda leaf: leaf[0], init(large))
        opponent = state.network(variables.pop("params"), self.optimizers[1], variables)
        return state.create(generator, opponent, seed=config.seed)


def build_setup(config: ConfigDict) -> Setup:
    """All parts of a run, of a config that `check_config` has passed.

    Raises:
        MedsrError: weights of the features can't be read.
    """
    devices = chosen_devices(config)
    dtype = DTYPES[config.compute_dtype]
    fields = config.model.fields.to_dict()
    model = build(config.model.name, fields, dtype=dtype)
    scale, channels = getattr(model, "scale", 1), getattr(model, "channels", 1)
    degradation = None
    if config.data.source not in BRINGS_INPUTS:
        degradation = configured(config.degradation.to_dict())
    objective = _objective(config, dtype)
    discriminator = None
    if objective.adversarial is not None:
        d = config.discriminator
        discriminator = MultiScaleDiscriminator(d.name, d.fields.to_dict(), tuple(d.scales), dtype)
    rates = (config.optimizer.learning_rate, config.discriminator.learning_rate)
    return Setup(
        config=config,
        model=model,
        discriminator=discriminator,
        optimizers=(make_optimizer(config, rates[0]), make_optimizer(config, rates[1])),
        objective=objective,
        degradation=degradation,
        channels=channels,
        scale=scale,
        side=target_side(config),
        devices=devices,
    )


def make_optimizer(config: ConfigDict, rate: float) -> optax.GradientTransformation:
    """Adam, behind a clip of the gradient's global norm if the config wants one."""
    c = config.optimizer
    schedule = schedules.learning_rate(
        c.schedule,
        peak=rate,
        steps=config.steps,
        warmup=c.warmup,
        final=c.final,
        milestones=c.milestones,
        factor=c.factor,
    )
    adam = optax.adam(schedule, b1=c.b1, b2=c.b2)
    return optax.chain(optax.clip_by_global_norm(c.clip_norm), adam) if c.clip_norm else adam


def started_from(config: ConfigDict) -> Any:
    """The parameters of ``config.start_from``, which must be of the config's model.

    Where the config asks for a grey model and the file holds one of colours, it is folded.

    Raises:
        MedsrError: there is no such file, or it is of another model.
    """
    weights = model_file.load(config.start_from)
    if config.model.fields.get("channels") == 1:
        weights = for_grey(weights)
    fields = {name: value for name, value in config.model.fields.to_dict().items() if name != "remat"}
    theirs = {name: value for name, value in weights.fields.items() if name != "remat"}
    if weights.model != config.model.name or build(weights.model, theirs) != build(config.model.name, fields):
        raise UsageError(
            f"{weights.path}: holds {weights.model} {theirs}, the config asks for {config.model.name} {fields}",
            remedy="set config.model to what the file holds",
        )
    return jax.tree.map(jnp.asarray, weights.params)


def _objective(config: ConfigDict, dtype: Any) -> Objective:
    c = config.objective
    features, constants, layers = _features(config, dtype) if c.perceptual_weight else (None, None, {})
    return Objective(
        pixel=LOSSES[c.pixel],
        pixel_weight=c.pixel_weight,
        features=features,
        constants=constants,
        layer_weights=layers,
        perceptual_weight=c.perceptual_weight,
        adversarial=ADVERSARIAL[c.adversarial] if c.adversarial_weight else None,
        adversarial_weight=c.adversarial_weight,
        r1_weight=c.r1_weight,
    )


def _features(config: ConfigDict, dtype: Any) -> tuple[Features, Any, dict[str, float]]:
    """VGG's features before the ReLU, its weights, and those of its layers in the loss."""
    weights = load_vgg(config.objective.features)
    known = layer_names(weights.depth)
    wanted = {}
    for layer, weight in config.objective.layers:
        name = max((name for name in known if name[:6] == layer[:6]), default="") if layer.endswith("_last") else layer
        if name not in known:
            raise UsageError(
                f"config.objective.layers: VGG{weights.depth} has no {layer!r}", remedy=f"it has {', '.join(known)}"
            )
        wanted[name] = weight
    vgg = VGG(depth=weights.depth, layers=tuple(wanted), dtype=dtype)

    def features(params: Any, images: jax.Array) -> dict[str, jax.Array]:
        return vgg.apply({"params": params}, images)  # type: ignore[return-value]

    return features, weights.params, wanted
