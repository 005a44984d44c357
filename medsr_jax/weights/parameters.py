"""Parameters between Flax trees and the flat names of files."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from medsr_jax.errors import named


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, np.ndarray]:
    """A parameter tree as {path with slashes: array}."""
    flat: dict[str, np.ndarray] = {}
    for key, value in tree.items():
        flat.update(flatten(value, f"{prefix}{key}/") if isinstance(value, Mapping) else {prefix + key: value})
    return flat


def unflatten(flat: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The inverse of `flatten`."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, leaf = path.split("/")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    return tree


def as_float32(key: str, tensor: np.ndarray, path: pathlib.Path) -> np.ndarray:
    """The numbers of a file's tensor.

    Raises:
        MedsrError: they are no floats, or not finite.
    """
    if tensor.dtype.kind != "f":
        raise named(path, f"{key} holds {tensor.dtype}, no floats; take the file in 16- or 32-bit floats")
    with np.errstate(over="ignore"):
        numbers = tensor.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise named(path, f"{key} holds values that are not finite in 32 bits; take the file of a run that went well")
    return numbers
