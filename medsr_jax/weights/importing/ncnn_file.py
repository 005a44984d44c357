"""Networks in ncnn's files: a ``.param`` of text with the layers, and a ``.bin`` with their numbers.

Layers have no names of a reference here, so that a network is told by what it computes: each layer's output is written
as an expression over the input, and a generator is recognised when its expression is the file's.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from medsr_jax.errors import MedsrError, named

MAGIC = "7767517"
_FLOAT16, _FLOAT32, _INT8 = 0x01306B47, 0, 0x000D4B38
_LEAKY = 2
_SUM = {"Eltwise": "1", "BinaryOp": "0"}
_MULTIPLY = "2"

# A sum of nodes, each times a factor; a node is a number that stands for its expression.
Value = tuple[tuple[int, float], ...]


@dataclasses.dataclass(frozen=True)
class Layer:
    """One line of a ``.param``.

    Attributes:
        kind: such as "Convolution".
        name: for messages.
        inputs, outputs: names of blobs.
        settings: by their number.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: dict[int, str]

    def integer(self, number: int, default: int = 0) -> int:
        """A setting that is an integer."""
        return int(self.settings.get(number, default))

    def numbers(self, number: int) -> list[float]:
        """A setting that is a list of numbers: its length, and they."""
        return [float(part) for part in self.settings.get(number, "0").split(",")[1:]]


@dataclasses.dataclass(frozen=True)
class NcnnNetwork:
    """What the two files hold.

    Attributes:
        tensors: named and laid out as in PyTorch's files of the same network.
        param, bin: the files.
    """

    tensors: dict[str, np.ndarray]
    param: pathlib.Path
    bin: pathlib.Path


def read_ncnn(path: pathlib.Path) -> NcnnNetwork:
    """A generator from ncnn's two files.

    Args:
        path: either of them; the other has the same name but for its suffix.

    Raises:
        MedsrError: one is missing or damaged, or they hold no generator that is known.
    """
    param, binary = path.with_suffix(".param"), path.with_suffix(".bin")
    for file in (param, binary):
        if not file.is_file():
            raise named(path, f"ncnn's weights are two files, and {file.name} is not beside it")
    layers = _read_param(param)
    names = _recognised(layers, param)
    try:
        data = binary.read_bytes()
    except OSError as error:
        raise named(binary, f"can't be read ({error.strerror or error})") from error
    weighted = [layer for layer in layers if layer.kind in ("Convolution", "PReLU")]
    tensors, at = _tensors(data, zip(weighted, names, strict=True), param, binary)
    if at != len(data):
        raise named(binary, f"has {len(data)} bytes, and {param.name} takes {at}; the two don't belong together")
    return NcnnNetwork(tensors, param, binary)


def _tensors(
    data: bytes, layers: Iterable[tuple[Layer, str]], param: pathlib.Path, binary: pathlib.Path
) -> tuple[dict[str, np.ndarray], int]:
    """The numbers of layers, by their names, and where they end."""
    tensors, at = {}, 0
    for layer, name in layers:
        try:
            out, count = layer.integer(0), layer.integer(6)
            if out < 1:
                raise ValueError(f"{out} features")
        except ValueError as error:
            raise named(param, f"the layer {layer.name} is damaged ({error})") from error
        if layer.kind == "Convolution":
            if count < 1 or count % (9 * out):
                raise named(param, f"{layer.name} has {count} weights, which are no 3x3 filters of {out} features")
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
            raise ValueError("its first line is not ncnn's")
        layers = [_layer(line) for line in lines[2:] if line.strip()]
        if not layers or len(layers) != count:
            raise ValueError(f"{len(layers)} of {count} layers are there")
    except (ValueError, IndexError) as error:
        raise named(path, f"is no description of a network of ncnn's, or damaged ({error})") from error
    except OSError as error:
        raise named(path, f"can't be read ({error.strerror or error})") from error
    return layers


def _layer(line: str) -> Layer:
    kind, name, inputs, outputs, *rest = line.split()
    n, m = int(inputs), int(outputs)
    settings = dict(part.split("=", 1) for part in rest[n + m :])
    # Lists have their number as -23300 - number.
    numbered = {int(key) if int(key) >= 0 else -23300 - int(key): value for key, value in settings.items()}
    return Layer(kind, name, tuple(rest[:n]), tuple(rest[n : n + m]), numbered)


def _weights(data: bytes, at: int, count: int, layer: Layer, path: pathlib.Path) -> tuple[np.ndarray, int]:
    if at + 4 > len(data):
        raise named(path, f"ends early, at {layer.name}; fetch it again")
    tag = int.from_bytes(data[at : at + 4], "little")
    at += 4
    if tag == _FLOAT16:
        size = -(-2 * count // 4) * 4
        if at + size > len(data):
            raise named(path, f"ends early, at {layer.name}; fetch it again")
        return np.frombuffer(data, "<f2", count, at).astype(np.float32), at + size
    if tag != _FLOAT32:
        what = "8-bit integers" if tag == _INT8 else "a kind that is not known"
        raise named(path, f"the weights of {layer.name} are of {what}; take the file in 16- or 32-bit floats")
    return _floats(data, at, count, layer, path)


def _floats(data: bytes, at: int, count: int, layer: Layer, path: pathlib.Path) -> tuple[np.ndarray, int]:
    if at + 4 * count > len(data):
        raise named(path, f"ends early, at {layer.name}; fetch it again")
    return np.frombuffer(data, "<f4", count, at).astype(np.float32), at + 4 * count


class _Expressions:
    """Numbers that stand for expressions: the same number for the same one."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], int] = {}
        self.convolutions = self.slopes = 0

    def node(self, *parts: object) -> Value:
        return ((self._known.setdefault(parts, len(self._known)), 1.0),)

    def convolution(self, x: Value, slope: float | None) -> Value:
        self.convolutions += 1
        return self.node("convolution", self.convolutions, x, slope)

    def prelu(self, x: Value) -> Value:
        self.slopes += 1
        return self.node("prelu", self.slopes, x)

    @staticmethod
    def total(*terms: tuple[Value, float]) -> Value:
        factors: dict[int, float] = {}
        for value, factor in terms:
            for number, inner in value:
                factors[number] = factors.get(number, 0.0) + factor * inner
        return tuple(sorted((number, round(factor, 5)) for number, factor in factors.items()))


def _recognised(layers: list[Layer], path: pathlib.Path) -> Iterator[str]:
    """The names of all layers that have weights, in order; for a generator that computes what these layers do."""
    known = _Expressions()
    result = _expression(layers, known, path)
    blocks, rest = divmod(known.convolutions - 6, 15)
    if not rest and blocks > 0 and not known.slopes:
        expected = _Expressions()
        expected._known = known._known
        if _rrdbnet(expected, blocks) == result:
            return _rrdbnet_names(blocks)
    convolutions = known.convolutions - 2
    if known.slopes == convolutions + 1:
        for scale in (1, 2, 3, 4, 8):
            expected = _Expressions()
            expected._known = known._known
            if _srvgg(expected, convolutions, scale) == result:
                return iter([f"body.{number}" for number in range(2 * convolutions + 3)])
    last = layers[-1]
    note = f"; its last layer resizes the result, by {last.settings.get(1, '?')}" if last.kind == "Interp" else ""
    raise named(
        path,
        f"is neither an RRDBNet of scale 4 nor an SRVGGNetCompact, but {known.convolutions} convolutions that are"
        f" joined otherwise{note}; import the PyTorch file of the model, or another one",
    )


def _expression(layers: list[Layer], known: _Expressions, path: pathlib.Path) -> Value:
    """What the last layer gives."""
    blobs: dict[str, Value] = {}
    value: Value = ()
    for layer in layers:
        try:
            inputs = [blobs[name] for name in layer.inputs]
            value = _apply(layer, inputs, known)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise named(path, f"the layer {layer.name} is damaged ({error})") from error
        except MedsrError as error:
            raise named(path, str(error)) from error
        blobs.update(dict.fromkeys(layer.outputs, value))
    return value


def _apply(layer: Layer, inputs: list[Value], known: _Expressions) -> Value:
    kind = layer.kind
    if kind == "Input":
        return known.node("input")
    if kind == "Split":
        return inputs[0]
    if kind == "Convolution":
        sides = (layer.integer(1), layer.integer(11, layer.integer(1)))
        plain = layer.integer(2, 1) == 1 and layer.integer(3, 1) == 1 and layer.integer(4) == 1
        activation = layer.integer(9)
        if sides != (3, 3) or not plain or layer.integer(5) != 1 or activation not in (0, _LEAKY):
            raise MedsrError(f"{layer.name} is no 3x3 convolution with a bias and at most a leaky ReLU")
        return known.convolution(inputs[0], round(layer.numbers(10)[0], 5) if activation else None)
    if kind == "PReLU":
        return known.prelu(inputs[0])
    if kind == "ReLU":
        return known.node("relu", inputs[0], round(float(layer.settings.get(0, 0.0)), 5))
    if kind == "Concat" and layer.integer(0) == 0:
        return known.node("concat", *inputs)
    if kind == "Eltwise" and layer.settings.get(0) == _SUM[kind]:
        return known.total(*zip(inputs, layer.numbers(1) or [1.0] * len(inputs), strict=True))
    if kind == "BinaryOp" and len(inputs) == 2 and layer.settings.get(0, "0") == _SUM[kind]:
        return known.total((inputs[0], 1.0), (inputs[1], 1.0))
    if kind == "BinaryOp" and layer.integer(1) and layer.settings.get(0) == _MULTIPLY:
        return known.total((inputs[0], float(layer.settings[2])))
    if kind == "Interp":
        return known.node("resize", inputs[0], layer.integer(0), float(layer.settings[1]), float(layer.settings[2]))
    if kind == "PixelShuffle" and layer.integer(1) == 0:
        return known.node("shuffle", inputs[0], layer.integer(0))
    raise MedsrError(f"{layer.name} is a layer {kind}, which no generator that is known has")


_NEAREST = 1


def _rrdbnet(known: _Expressions, blocks: int) -> Value:
    """What an RRDBNet of scale 4 computes (models/rrdb.py)."""
    convolution: Callable[[Value, float | None], Value] = known.convolution
    shallow = x = convolution(known.node("input"), None)
    for _ in range(blocks):
        y = x
        for _ in range(3):
            seen = [y]
            for _ in range(4):
                seen.append(convolution(known.node("concat", *seen) if len(seen) > 1 else y, 0.2))
            y = known.total((y, 1.0), (convolution(known.node("concat", *seen), None), 0.2))
        x = known.total((x, 1.0), (y, 0.2))
    y = known.total((shallow, 1.0), (convolution(x, None), 1.0))
    for _ in range(2):
        y = convolution(known.node("resize", y, _NEAREST, 2.0, 2.0), 0.2)
    return convolution(convolution(y, 0.2), None)


def _srvgg(known: _Expressions, convolutions: int, scale: int) -> Value:
    """What an SRVGGNetCompact computes (models/srvgg.py)."""
    x = y = known.node("input")
    for _ in range(convolutions + 1):
        y = known.prelu(known.convolution(y, None))
    y = known.node("shuffle", known.convolution(y, None), scale)
    return known.total((y, 1.0), (known.node("resize", x, _NEAREST, float(scale), float(scale)), 1.0))


def _rrdbnet_names(blocks: int) -> Iterator[str]:
    yield "conv_first"
    for block in range(blocks):
        for rdb in (1, 2, 3):
            yield from (f"body.{block}.rdb{rdb}.conv{conv}" for conv in range(1, 6))
    yield from ("conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last")
