"""Parameters between Flax trees and the flat names of files."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from medsr_jax.errors import MedsrError


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
    """A file's tensor in float32.

    Raises:
        MedsrError: it has integers, or values that are not finite.
    """
    if tensor.dtype.kind != "f":
        raise MedsrError(f"{key} has the type {tensor.dtype}", path=path, remedy="expected 16- or 32-bit floats")
    with np.errstate(over="ignore"):
        numbers = tensor.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise MedsrError(
            f"{key} has values that are not finite in 32 bits", path=path, remedy="use weights of a run that converged"
        )
    return numbers
