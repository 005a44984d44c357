"""One `.safetensors` file a model: the parameters, and in its header the model's configuration and its card."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from medsr_jax.errors import MedsrError, named
from medsr_jax.imaging.files import atomic_write

FORMAT = "medsr-weights-1"
SUFFIX = ".safetensors"
_PACKAGED = pathlib.Path(__file__).parent / "packaged"


@dataclasses.dataclass(frozen=True)
class Weights:
    """A model as a file holds it.

    Attributes:
        model: its name in `medsr_jax.models.MODELS`.
        fields: the module's fields.
        params: the Flax parameter tree, float32 NumPy arrays.
        card: what is known of it: data, licence, steps, degradation, measured quality.
        path: where it was read.
    """

    model: str
    fields: dict[str, Any]
    params: dict[str, Any]
    card: dict[str, str]
    path: pathlib.Path

    @property
    def parameters(self) -> int:
        """How many numbers the model has."""
        return sum(leaf.size for leaf in flatten(self.params).values())


def save(
    path: pathlib.Path,
    *,
    model: str,
    fields: Mapping[str, Any],
    params: Mapping[str, Any],
    card: Mapping[str, str],
    dtype: Any = np.float32,
) -> None:
    """Write a weights file, whole or not at all.

    Args:
        dtype: the type stored, float32 or float16; float16 halves the file and rounds each weight to 11 bits. None is
            float16 for each tensor that it keeps exactly, and float32 for the others.
    """
    tensors = {
        name: np.ascontiguousarray(leaf, _smallest(leaf) if dtype is None else dtype)
        for name, leaf in flatten(params).items()
    }
    header = {
        "format": FORMAT,
        "model": model,
        "fields": json.dumps(dict(fields), sort_keys=True),
        "card": json.dumps(dict(card), sort_keys=True),
    }
    atomic_write(path, safetensors.numpy.save(tensors, metadata=header))


def _smallest(leaf: np.ndarray) -> Any:
    with np.errstate(over="ignore"):
        return np.float16 if np.array_equal(leaf, leaf.astype(np.float16)) else np.float32


def load(name: str | pathlib.Path) -> Weights:
    """Read a packaged model by name (``xray-x4``) or a weights file by path.

    Raises:
        MedsrError: there is none, or the file is damaged or is no weights file of this package.
    """
    path = find(name)
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                raise named(path, "these are not weights of this package; bring them in with `medsr import`")
            tensors = {key: file.get_tensor(key).astype(np.float32) for key in file.keys()}  # noqa: SIM118
            fields, card = json.loads(header["fields"]), json.loads(header["card"])
            return Weights(header["model"], fields, unflatten(tensors), card, path)
    except (safetensors.SafetensorError, OSError, KeyError, ValueError) as error:
        raise named(path, f"the weights file is damaged ({error}); fetch it again") from error


def find(name: str | pathlib.Path) -> pathlib.Path:
    """The file of a packaged model's name, or the path itself."""
    packaged = _PACKAGED / f"{name}{SUFFIX}"
    if packaged.is_file():
        return packaged
    path = pathlib.Path(name)
    if not path.is_file():
        raise MedsrError(f"{name}: neither a weights file nor a packaged model; there are {', '.join(names())}")
    return path


def names() -> list[str]:
    """The packaged models."""
    return sorted(path.stem for path in _PACKAGED.glob(f"*{SUFFIX}"))


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, np.ndarray]:
    """A parameter tree as {path with slashes: array}."""
    flat: dict[str, np.ndarray] = {}
    for key, value in tree.items():
        flat.update(flatten(value, f"{prefix}{key}/") if isinstance(value, Mapping) else {prefix + key: value})
    return flat


def unflatten(flat: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The inverse of `flatten`."""
    """The inverse of `flatten`."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, leaf = path.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    return tree
