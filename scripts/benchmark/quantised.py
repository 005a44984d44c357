"""8-bit forms of the networks for benchmark/backends.py, made by ONNX Runtime's own tools from images sent.

Weights have a scale for each output channel, activations one for each tensor, from what calibration images need.
Products are of 8-bit integers; residual sums, all that touches the image and the result stay float32.
"""

from __future__ import annotations

import contextlib
import io
import logging
import pathlib
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantType, quantize_static

from medsr_jax.imaging import Image
from medsr_jax.models.compact import quantisation_strength
from medsr_jax.models.rrdb import DENSE_CONVOLUTIONS
from medsr_jax.restoration import backends
from medsr_jax.transmission.quality import CANDIDATES
from medsr_jax.transmission.sender import compress
from medsr_jax.weights.exporting.interface import IMAGE, STRENGTH
from medsr_jax.weights.exporting.onnx_graph import onnx_model
from medsr_jax.weights.model_file import Weights

# The image itself passes through the first three; both ends of the network cost little, and 0.02 dB if quantised.
EXACT = ("bicubic", "dct", "views", "conv_first", "conv_last")
# Of a tensor's values, the rest at either end are clipped: a range that holds them all costs 0.05 dB more.
PERCENTILE = 99.995
# ONNX Runtime has kernels for convolutions between two 8-bit tensors, and for what lies between convolutions; OpenVINO
# is faster where it may keep what a convolution gives in float32 until the next one needs it.
OPERATORS = {"onnxruntime": ["Conv", "LeakyRelu", "Concat"], "openvino": ["Conv"]}
KEPT_FLOAT: dict[str, list[str]] = {"onnxruntime": [], "openvino": ["Conv"]}
GAIN_LIMIT = 50.0

Inputs = dict[str, np.ndarray]


def received(images: Sequence[Image], *, side: int) -> list[Inputs]:
    """What the network sees of images sent at scale 4 and each quality in turn: (side, side) small pixels at most."""
    result = []
    for number, image in enumerate(images):
        packet = compress(image, scale=4, quality=CANDIDATES[number % len(CANDIDATES)], preprocess=False)
        small = packet.decode()[0]
        top, left = ((extent - min(side, extent)) // 16 * 8 for extent in small.shape)
        small = small[top : top + side, left : left + side].astype(np.float32) / np.iinfo(small.dtype).max
        x = 1 - small if packet.header.inverted else small
        strength = quantisation_strength(packet.quantisation())
        result.append({IMAGE: x[None, None], STRENGTH: np.array([strength], np.float32)})
    return result


def write_quantised(weights: Weights, inputs: Sequence[Inputs], folder: pathlib.Path) -> None:
    """Write ``onnxruntime.onnx`` and ``openvino.onnx``, the network in 8 bits as each runs it fastest.

    Args:
        weights: of one channel.
        inputs: to find the ranges of activations with.
        folder: an existing one.
    """
    model = onnx_model(weights)
    names = {value.name for value in model.graph.input}
    inputs = [{name: array for name, array in one.items() if name in names} for one in inputs]
    _equalise(model, inputs)
    exact = [n.name for n in model.graph.node if n.op_type == "Conv" and n.input[1].startswith(EXACT)]
    with tempfile.TemporaryDirectory() as ranges, _silence():
        for runtime, operators in OPERATORS.items():
            quantize_static(
                # It works in the model that it is given.
                onnx.ModelProto.FromString(model.SerializeToString()),
                folder / f"{runtime}.onnx",
                _Reader(inputs),
                op_types_to_quantize=operators,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=list(exact),
                calibrate_method=CalibrationMethod.Percentile,
                # One image after the other, since all activations of one are held.
                extra_options={
                    "CalibPercentile": PERCENTILE,
                    "CalibStridedMinMax": 1,
                    "OpTypesToExcludeOutputQuantization": KEPT_FLOAT[runtime],
                },
                # The ranges of the first runtime hold for the second, which needs some of them.
                calibration_cache_path=pathlib.Path(ranges) / "ranges.json",
            )


@contextlib.contextmanager
def opened_instead(graph: pathlib.Path) -> Iterator[None]:
    """Within it, what `backends.open_backend` opens is this graph, with all the options that the weights' own has."""
    with mock.patch.object(backends, "onnx_model", return_value=onnx.load(graph)):
        yield


def _equalise(model: onnx.ModelProto, inputs: Sequence[Inputs]) -> None:
    """Raise the new features of each dense block to the level of those it was given; the network stays the same.

    A dense block concatenates features, so they have one scale, and its new ones are the smaller: most of their 8 bits
    would be empty. A leaky ReLU passes a positive factor on, so what a convolution is multiplied by, those that read
    it are divided by (cross-layer equalisation: Nagel et al. 2019, section 4.1).
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    last = f".conv{DENSE_CONVOLUTIONS}.weight"
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    inside = {node.input[1].removesuffix(last): node.input[0] for node in convolutions if last in node.input[1]}
    for block, levels in _levels(model, inside, inputs).items():
        layers = [f"{block}.conv{i}" for i in range(1, DENSE_CONVOLUTIONS + 1)]
        kernels = [numpy_helper.to_array(constants[f"{layer}.weight"]) for layer in layers]
        given = kernels[0].shape[1]
        top = levels[:given].max()
        gain = np.where(np.arange(len(levels)) < given, 1.0, top / np.maximum(levels, top / GAIN_LIMIT))
        # The last convolution's result is none of them.
        made = np.append(gain, np.ones(given))
        for layer, kernel in zip(layers, kernels, strict=True):
            outputs, read = kernel.shape[:2]
            factor = made[read : read + outputs]
            bias = factor * numpy_helper.to_array(constants[f"{layer}.bias"])
            kernel = kernel * factor[:, None, None, None] / gain[:read, None, None]
            for name, values in ((f"{layer}.weight", kernel), (f"{layer}.bias", bias)):
                constants[name].CopyFrom(numpy_helper.from_array(values.astype(np.float32), name))


def _levels(model: onnx.ModelProto, tensors: dict[str, str], inputs: Sequence[Inputs]) -> dict[str, np.ndarray]:
    """Of each tensor, the magnitude that all but 1 in 10,000 values of each channel stay below."""
    if not tensors:
        return {}
    seen = onnx.ModelProto.FromString(model.SerializeToString())
    seen.graph.output.extend(onnx.ValueInfoProto(name=tensor) for tensor in tensors.values())
    session = onnxruntime.InferenceSession(seen.SerializeToString(), providers=["CPUExecutionProvider"])
    levels: dict[str, Any] = dict.fromkeys(tensors, 0.0)
    for one in inputs:
        for name, values in zip(tensors, session.run(list(tensors.values()), one), strict=True):
            level = np.percentile(np.abs(values), 99.99, axis=(0, 2, 3))
            levels[name] = np.maximum(levels[name], level)
    return levels


class _Reader(CalibrationDataReader):
    """Inputs as ONNX Runtime's calibration asks for them."""

    def __init__(self, inputs: Sequence[Inputs]) -> None:
        self._inputs, self._left = inputs, iter(inputs)

    def __len__(self) -> int:
        return len(self._inputs)

    def set_range(self, start_index: int, end_index: int) -> None:
        self._left = iter(self._inputs[start_index:end_index])

    def get_next(self) -> Inputs | None:
        return next(self._left, None)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Without ONNX Runtime's account of each step, and its advice to simplify a graph that has nothing to simplify."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)
