"""One training step for us and for a peer: the same networks with the same weights on the same batch."""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from rrdb_problem import published, random_params

from medsr_jax.evaluation.studies.samples import radiograph, tiled

SCALE = 4
LEARNING_RATE = 1e-4  # as in peers/pytorch_rrdb.py
# Real-ESRGAN's weights, on VGG16's layers in place of VGG19's.
LAYERS = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_3": 1.0, "conv4_3": 1.0, "conv5_3": 1.0}


@dataclasses.dataclass(frozen=True)
class Problem:
    """A stage of training at its start.

    Attributes:
        setup: the trainer's.
        params: of the generator.
        variables: of the discriminator, None in the first stage.
        features: parameters of VGG16, None in the first stage.
        batch: ``lr`` and ``hr``, uint8 (N, H, W, 1), and ``strength``.
    """

    setup: Any
    params: Any
    variables: Any
    features: Any
    batch: dict[str, np.ndarray]

    def initial_state(self) -> Any:
        """The trainer's state before its first step."""
        import jax

        from medsr_jax.training.steps import state

        generator = state.network(jax.tree.map(jax.numpy.asarray, self.params), self.setup.optimizers[0])
        if self.variables is None:
            return state.create(generator, seed=1)
        variables = jax.tree.map(jax.numpy.asarray, self.variables)
        stats = {"batch_stats": variables["batch_stats"]}
        opponent = state.network(variables["params"], self.setup.optimizers[1], stats)
        return state.create(generator, opponent, seed=1)

    def describe(self) -> str:
        """In a line."""
        import jax

        counts = {"RRDB": self.params, "U-Net": (self.variables or {}).get("params"), "VGG16": self.features}
        sizes = {name: sum(leaf.size for leaf in jax.tree.leaves(tree)) for name, tree in counts.items()}
        n, side = self.batch["lr"].shape[:2]
        networks = ", ".join(f"{name} of {size} parameters" for name, size in sizes.items() if size)
        return f"{networks}; batch {n} of {side}x{side}"

    def write(self, path: pathlib.Path) -> None:
        """As an .npz file for `peers/pytorch_training.py`."""
        model, setup = self.setup.model, self.setup
        sizes: dict[str, Any] = {
            "generator": {name: getattr(model, name) for name in ("channels", "features", "blocks", "growth")}
        }
        named = published(self.params, blocks=model.blocks)
        arrays = {f"generator/{name}": array for name, array in named.items()}
        if self.variables is not None:
            sizes["discriminator"] = dict(setup.discriminator.fields)
            sizes["layers"] = dict(setup.objective.layer_weights)
            arrays |= {f"discriminator/{name}": array for name, array in _discriminator(self.variables)}
            arrays |= {f"vgg/{name}": array for name, array in _convolutions(self.features)}
        np.savez(path, sizes=json.dumps(sizes), lr=self.batch["lr"], hr=self.batch["hr"], **arrays)

    def parts(self) -> dict[str, tuple[Callable[..., Any], tuple[Any, ...]]]:
        """Parts of the second stage, each a function and its arguments, named as the peer's are."""
        import jax

        from medsr_jax.data.levels import to_unit_range
        from medsr_jax.training.steps.losses import perceptual

        setup, objective = self.setup, self.setup.objective
        lr, hr = (to_unit_range(jax.device_put(self.batch[name])) for name in ("lr", "hr"))
        output = jax.jit(lambda params, x: setup.model.apply({"params": params}, x))(self.params, lr)

        def judged(variables: Any, x: jax.Array) -> jax.Array:
            logits: jax.Array = setup.discriminator.apply(variables, x, train=True, mutable=["batch_stats"])[0][0]
            return logits

        def generator(params: Any, x: jax.Array, g: jax.Array) -> jax.Array:
            return (setup.model.apply({"params": params}, x) * g).sum()

        def features(x: jax.Array, y: jax.Array, constants: Any) -> jax.Array:
            ours, theirs = (objective.features(constants, images) for images in (x, y))
            return perceptual(ours, theirs, objective.layer_weights)

        def fooled(x: jax.Array, variables: Any) -> jax.Array:
            logits = judged(variables, x)
            return objective.adversarial.generator(logits, logits, None)

        def told_apart(params: Any, stats: Any, x: jax.Array, y: jax.Array) -> jax.Array:
            variables = {"params": params, "batch_stats": stats}
            return objective.adversarial.discriminator(judged(variables, y), judged(variables, x), None)

        theirs = self.variables
        return {
            "generator, forward and backward": (jax.grad(generator), (self.params, lr, output)),
            "features of both, and back to one": (jax.grad(features), (output, hr, self.features)),
            "discriminator, and back to its input": (jax.grad(fooled), (output, theirs)),
            "discriminator on both, and back to its weights": (
                jax.grad(told_apart),
                (theirs["params"], theirs["batch_stats"], output, hr),
            ),
        }


class Running:
    """The trainer's step on one device, from a problem's start.

    Attributes:
        setup: the trainer's.
        state, totals: what the last step left.
    """

    def __init__(self, problem: Problem) -> None:
        import jax

        from medsr_jax.training.steps import state
        from medsr_jax.training.steps.metrics import totals_for

        self.setup = problem.setup
        self.state = state.replicate(problem.initial_state(), self.setup.devices)
        self.totals = state.replicate(totals_for(self.setup.objective).empty(), self.setup.devices)
        self._step = self.setup.step()
        self._batch = jax.device_put({name: value[None] for name, value in problem.batch.items()})

    def advance(self, batch: Any) -> Any:
        """One update on a batch with a device axis; its health."""
        self.state, self.totals, health = self._step(self.state, self.totals, batch)
        return health

    def losses(self) -> list[float]:
        """One update on the problem's batch; the losses that it lowers."""
        health = self.advance(self._batch)
        losses = [health.loss] if self.setup.discriminator is None else [health.loss, health.discriminator_loss]
        return [float(loss[0]) for loss in losses]

    def __call__(self) -> float:
        """Seconds of one update on the problem's batch, until its losses are known and its weights are there."""
        import jax

        begin = time.perf_counter()
        self.losses()
        jax.block_until_ready(self.state)
        return time.perf_counter() - begin


def make_problem(options: argparse.Namespace, *, gan: bool, degraded: bool = False) -> Problem:
    """The trainer set up as the options of benchmark/training.py say, with random weights.

    Args:
        gan: the second stage.
        degraded: its inputs are made on the device.
    """
    import jax

    from medsr_jax.training.config.checking import checked
    from medsr_jax.training.run.setup import build_setup

    config = training_config(options, gan=gan, source="folders" if degraded else "sender")
    setup = build_setup(checked(config))
    batch = _pairs(options, batch=config.batch)
    if degraded:
        batch = {"hr": batch["hr"]}
    variables = features = None
    if gan:
        variables = _random_discriminator(setup.discriminator, side=setup.config.target_side)
        features, function = _random_features(jax.numpy.dtype(config.compute_dtype))
        objective = dataclasses.replace(
            setup.objective, features=function, constants=features, layer_weights=LAYERS, perceptual_weight=1.0
        )
        setup = dataclasses.replace(setup, objective=objective)
    return Problem(setup, random_params(setup.model), variables, features, batch)


def training_config(options: argparse.Namespace, *, gan: bool, source: str) -> Any:
    """The trainer's fields; features are set elsewhere, since the real ones may not be installed."""
    from medsr_jax.training.config.schema import defaults

    c = defaults()
    c.batch = options.gan_batch if gan else options.batch
    c.devices = 1
    c.compute_dtype = "bfloat16" if options.bfloat16 else "float32"
    c.model.fields = {
        "channels": 1,
        "features": options.features,
        "blocks": options.blocks,
        "growth": options.growth,
        "scale": SCALE,
    }
    c.discriminator.fields = {"channels": 1, "features": options.critic_features}
    c.optimizer.learning_rate = c.discriminator.learning_rate = LEARNING_RATE
    c.objective.adversarial_weight = 0.1 if gan else 0.0
    c.data.source = source
    c.data.side = options.side * SCALE
    c.data.sender.patch = options.side
    return c


def _pairs(options: argparse.Namespace, *, batch: int) -> dict[str, np.ndarray]:
    """Patches of a radiograph and the same, shrunk."""
    from medsr_jax.transmission import downscale

    side = options.side * SCALE
    image = radiograph(options.image)
    image = tiled(image, side=max(side, min(image.shape)))
    starts = np.random.default_rng(0).integers(0, image.shape[0] - side + 1, (batch, 2))
    large = np.stack([image[y : y + side, x : x + side] for y, x in starts])
    small = np.stack([np.rint(downscale(patch, scale=SCALE)).astype(np.uint8) for patch in large])
    return {"lr": small[..., None], "hr": large[..., None], "strength": np.zeros(batch, np.float32)}


def _random_discriminator(module: Any, *, side: int) -> Any:
    """Parameters and spectral vectors, made by NumPy: XLA compiles initialisers slowly."""
    import jax

    random = np.random.default_rng(1)

    def fill(path: Any, leaf: Any) -> np.ndarray:
        if path[-1].key == "bias":
            return np.zeros(leaf.shape, np.float32)
        values = random.normal(0.0, 1.0, leaf.shape).astype(np.float32)
        # Vectors are directions; kernels have PyTorch's variance, 1 / (3 fan in).
        scale = np.linalg.norm(values) if values.ndim == 1 else np.sqrt(3.0 * np.prod(leaf.shape[:-1]))
        return (values / scale).astype(np.float32)

    x = jax.ShapeDtypeStruct((1, side, side, module.fields["channels"]), np.float32)
    shapes = jax.eval_shape(lambda key, x: module.init(key, x, train=False), jax.random.key(0), x)
    return jax.tree_util.tree_map_with_path(fill, shapes)


def _random_features(dtype: Any) -> tuple[Any, Callable[..., Any]]:
    """VGG16's parameters, Kaiming normal so that all layers have values of about one, and the trainer's function."""
    import jax

    from medsr_jax.models.vgg import VGG

    module = VGG(depth=16, layers=tuple(LAYERS), dtype=dtype)
    random = np.random.default_rng(2)

    def fill(leaf: Any) -> np.ndarray:
        deviation = np.sqrt(2.0 / np.prod(leaf.shape[:-1])) if len(leaf.shape) > 1 else 0.0
        return random.normal(0.0, deviation, leaf.shape).astype(np.float32)

    x = jax.ShapeDtypeStruct((1, 32, 32, 3), np.float32)
    params = jax.tree.map(fill, jax.eval_shape(module.init, jax.random.key(0), x)["params"])
    return params, lambda params, images: module.apply({"params": params}, images)


def _discriminator(variables: Any) -> Iterator[tuple[str, np.ndarray]]:
    """The U-Net's parameters and vectors; PyTorch's hook keeps the kernel of a layer with vectors as weight_orig."""
    params, vectors = (variables[name]["scale_1"] for name in ("params", "batch_stats"))
    for name, array in _convolutions(params):
        layer, leaf = name.split(".")
        if leaf == "bias" or layer not in vectors:
            yield name, array
            continue
        c_in, rows, columns = array.shape[1:]
        yield f"{layer}.weight_orig", array
        yield f"{layer}.weight_u", vectors[layer]["u"]
        yield f"{layer}.weight_v", vectors[layer]["v"].reshape(rows, columns, c_in).transpose(2, 0, 1).ravel()


def _convolutions(params: Mapping[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    """A flat network's parameters in PyTorch's order: ``conv3.weight`` and ``conv3.bias``."""
    for layer, leaves in params.items():
        yield f"{layer}.weight", np.ascontiguousarray(np.asarray(leaves["kernel"]).transpose(3, 2, 0, 1))
        if "bias" in leaves:
            yield f"{layer}.bias", np.asarray(leaves["bias"])
