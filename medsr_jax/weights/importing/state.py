"""Find a network's tensors in another project's checkpoint."""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.weights.file_kinds import NCNN, PYTORCH, SAFETENSORS, kind_of
from medsr_jax.weights.importing import naming
from medsr_jax.weights.importing.ncnn_file import read_ncnn
from medsr_jax.weights.importing.torch_file import read_torch
from medsr_jax.weights.model_file import FORMAT
from medsr_jax.weights.safetensors_file import read_safetensors

Tensors = dict[str, np.ndarray]

# How far down a network is looked for, in dicts and in prefixes of names together.
_DEEPEST = 4


@dataclasses.dataclass(frozen=True)
class State:
    """A network's tensors, as in its file.

    Attributes:
        tensors: by PyTorch's names, in PyTorch's layout.
        format: of the file, in a few words.
        path: the file with the numbers.
    """

    tensors: Tensors
    format: str
    path: pathlib.Path


def read_state(
    path: pathlib.Path,
    *,
    wanted: Callable[[Iterable[str]], bool] = naming.is_generator,
    title: str = "RRDBNet or SRVGGNetCompact",
) -> State:
    """The network in a file whose tensors have the expected names.

    Nested dicts and prefixes of names are searched, as checkpoints have them. Of several such networks the averaged one
    (EMA) is returned.

    Args:
        path: a PyTorch, safetensors or ncnn file.
        wanted: whether tensor names are the expected ones.
        title: of the network, for messages.

    Raises:
        MedsrError: the file is damaged or of an unknown format, or has no such network or several.
    """
    kind = kind_of(path)
    if kind == NCNN:
        network = read_ncnn(path)
        return State(network.tensors, kind, network.bin)
    tree: Mapping[Any, Any]
    if kind == SAFETENSORS:
        header, tree = read_safetensors(path)
        if header.get("format") == FORMAT:
            raise MedsrError("a weights file of this package already", path=path, remedy="name it as the model")
    elif kind == PYTORCH:
        tree = read_torch(path)
    else:
        raise MedsrError("expected weights of PyTorch (.pth), safetensors or ncnn (.param and .bin)", path=path)
    found = _networks(tree, wanted)
    if not found:
        raise MedsrError(f"no {title} found, but {_described(tree)}", path=path)
    place = _chosen(list(found), path)
    return State(found[place], f"{kind} ({place})" if place else kind, path)


def _networks(tree: Mapping[Any, Any], wanted: Callable[[Iterable[str]], bool]) -> dict[str, Tensors]:
    """The expected networks by their places: keys and prefixes, joined by dots."""
    found: dict[str, Tensors] = {}
    queue: list[tuple[tuple[str, ...], Mapping[Any, Any]]] = [((), tree)]
    seen: set[int] = set()
    for place, held in queue:
        if id(held) in seen:  # shared dicts could nest without end
            continue
        seen.add(id(held))
        tensors = _tensors(held)
        parts = {str(key): value for key, value in held.items() if isinstance(value, dict)}
        if wanted(tensors):
            found[".".join(place)] = tensors
        else:
            parts = {**_by_prefix(tensors), **parts}
        if len(place) < _DEEPEST:
            queue += [((*place, key), part) for key, part in parts.items()]
    return found


def _tensors(tree: Mapping[Any, Any]) -> Tensors:
    return {str(key): value for key, value in tree.items() if isinstance(value, np.ndarray)}


def _by_prefix(tensors: Tensors) -> dict[str, Tensors]:
    """Tensors by the first part of their names, unless that is a number: layers of a sequence are no networks."""
    groups: dict[str, Tensors] = {}
    for name, tensor in tensors.items():
        prefix, dot, rest = name.partition(".")
        if dot and not prefix.isdecimal():
            groups.setdefault(prefix, {})[rest] = tensor
    return groups


def _chosen(places: list[str], path: pathlib.Path) -> str:
    averages = [place for place in places if "ema" in re.split(r"[._]", place.lower())]
    if len(averages) == 1:
        return averages[0]
    if len(places) > 1:
        raise MedsrError(f"several networks found, at {_listed(places)}", path=path, remedy="save one of them alone")
    return places[0]


def _described(tree: Mapping[Any, Any]) -> str:
    """The content of a file without a known network, by its keys."""
    if (tensors := _tensors(tree)) or not tree:
        return naming.described(tensors)
    parts = {str(key): _tensors(value) if isinstance(value, dict) else {} for key, value in tree.items()}
    return _listed([f"{naming.described(part)} at {key}" for key, part in parts.items()], by="; ")


def _listed(words: list[str], *, by: str = ", ") -> str:
    return by.join(words[:4]) + (f"{by}..." if len(words) > 4 else "")
