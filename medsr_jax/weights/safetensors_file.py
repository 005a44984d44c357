"""Safetensors files: their header, and their tensors as NumPy arrays.

The package `safetensors` parses the header. It refuses one that is longer than the file, offsets that overlap or leave
the file, nested values and unknown types.
"""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import safetensors

from medsr_jax.errors import MedsrError

Header = tuple[dict[str, str], dict[str, tuple[int, ...]]]


def read_header(path: pathlib.Path) -> Header:
    """A file's metadata, and the shapes of its tensors by name; no tensor is loaded.

    Raises:
        MedsrError: the file is damaged.
    """
    with _opened(path) as file:
        return _metadata(file), {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118


def read_safetensors(path: pathlib.Path) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """A file's metadata and its tensors by name: of their own type, and float32 for bfloat16.

    Raises:
        MedsrError: the file is damaged, or has types that NumPy lacks.
    """
    import ml_dtypes  # noqa: F401  # gives NumPy the type bfloat16; comes with JAX, and `medsr info` has none

    tensors: dict[str, np.ndarray] = {}
    with _opened(path) as file:
        for key in file.keys():  # noqa: SIM118
            try:
                tensor = file.get_tensor(key)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                problem = f"{key} is of a type that is not read here ({error}); take the file in 16- or 32-bit floats"
                raise MedsrError(problem, path=path) from error
            tensors[key] = tensor.astype(np.float32) if tensor.dtype.name == "bfloat16" else tensor
        return _metadata(file), tensors


@contextlib.contextmanager
def _opened(path: pathlib.Path) -> Iterator[Any]:
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            yield file
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        problem = f"is damaged or ends early as a safetensors file ({str(error)[:200]}); fetch it again"
        raise MedsrError(problem, path=path) from error


def _metadata(file: Any) -> dict[str, str]:
    return file.metadata() or {}
