"""The same network with the same weights for us and for a peer, handed over as an .npz file."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from medsr_jax.models import RRDBNet


def random_params(model: RRDBNet) -> dict[str, Any]:
    """Kaiming-normal kernels, a tenth of that in the body, and no biases: made by NumPy, since the initialisers
    would be compiled for minutes on a slow machine.
    """
    import jax

    random = np.random.default_rng(0)

    def fill(path: Any, leaf: Any) -> np.ndarray:
        names = [key.key for key in path]
        if names[-1] == "bias":
            return np.zeros(leaf.shape, np.float32)
        deviation = np.sqrt(2.0 / np.prod(leaf.shape[-4:-1])) * (0.1 if names[0] == "body" else 1.0)
        return random.normal(0.0, deviation, leaf.shape).astype(np.float32)

    x = jax.ShapeDtypeStruct((1, 8, 8, model.channels), np.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), x)["params"]
    return jax.tree_util.tree_map_with_path(fill, shapes)


def write_problem(path: pathlib.Path, model: RRDBNet, params: Mapping[str, Any], **arrays: np.ndarray) -> None:
    """Write what `peers/pytorch_rrdb.py` reads: the sizes, the weights under their published names, and ``arrays``.

    Args:
        path: an .npz file.
        model: of scale 4.
        params: its parameters.
        arrays: ``x`` (N, H, W, C).
    """
    sizes = {name: getattr(model, name) for name in ("channels", "features", "blocks", "growth")}
    named = {f"weights/{name}": array for name, array in published(params, blocks=model.blocks).items()}
    np.savez(path, sizes=json.dumps(sizes), **named, **arrays)


def published(params: Mapping[str, Any], *, blocks: int) -> dict[str, np.ndarray]:
    """Flax parameters -> arrays in PyTorch's order under the published names, ``body.7.rdb2.conv3.weight``."""
    named: dict[str, np.ndarray] = {}
    for layer in (name for name in params if name != "body"):
        named.update(_convolution(layer, params[layer]))
    for block in range(blocks):
        for dense, convolutions in params["body"].items():
            for name, leaves in convolutions.items():
                one = {key: leaf[block] for key, leaf in leaves.items()}
                named.update(_convolution(f"body.{block}.{dense}.{name}", one))
    return named


def _convolution(name: str, leaves: Mapping[str, Any]) -> dict[str, np.ndarray]:
    weight = np.asarray(leaves["kernel"]).transpose(3, 2, 0, 1)
    return {f"{name}.weight": np.ascontiguousarray(weight), f"{name}.bias": np.asarray(leaves["bias"])}
