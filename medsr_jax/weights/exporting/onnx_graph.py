"""Build ONNX graphs of generators.

The graphs are built by hand rather than traced: NCHW without transposes, blocks unrolled, features of dense blocks
concatenated, as ONNX Runtime and OpenVINO run fastest, and with dynamic sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.jpeg.dct import BLOCK
from medsr_jax.models import build
from medsr_jax.models.compact import DETAIL_GAIN, OUTPUT_GAIN, scaled_dct
from medsr_jax.models.conditional import CORRECTION_GAIN
from medsr_jax.models.conditions import CONDITIONS
from medsr_jax.models.rrdb import DENSE_CONVOLUTIONS, RESIDUAL_SCALE
from medsr_jax.weights.exporting.interface import IMAGE, RESULT, STRENGTH, interface, metadata
from medsr_jax.weights.model_file import Weights

if TYPE_CHECKING:
    import onnx

    from medsr_jax.weights.exporting.onnx_ops import Graph

Tree = Mapping[str, Any]


def onnx_model(weights: Weights) -> onnx.ModelProto:
    """The network as a model of ONNX.

    Args:
        weights: of a generator in `models.MODELS`.

    Returns:
        A model from ``image`` (batch, channels, height, width), float32 in [0, 1], and, for models with that input,
        ``strength`` (batch,) or (batch, 3), to ``restored`` (batch, channels, scale height, scale width), unclipped.
        The sides are multiples of the metadata's ``multiple``. The metadata also carry the model's name, fields and
        card, and a warning.

    Raises:
        MedsrError: onnx is not installed, or the network has no graph here.
    """
    try:
        from medsr_jax.weights.exporting.onnx_ops import Graph
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "onnx":
            raise
        raise MedsrError("the package onnx is not installed", remedy="pip install 'medsr-jax[onnx]'") from error
    if weights.model not in _NETWORKS:
        known = ", ".join(sorted(_NETWORKS))
        raise MedsrError(f"{weights.model} can't be exported to ONNX", path=weights.path, remedy=f"these can: {known}")
    module: Any = build(weights.model, weights.fields)
    ends = interface(weights)
    graph = Graph()
    try:
        result = _NETWORKS[weights.model](graph, module, weights.params)
    except (KeyError, IndexError) as error:
        raise MedsrError(f"the parameters don't fit {weights.model}: {error} is missing", path=weights.path) from error
    inputs: dict[str, tuple[int | str, ...]] = {IMAGE: ("batch", ends.channels, "height", "width")}
    if ends.strength:
        inputs[STRENGTH] = ("batch", CONDITIONS) if ends.conditional else ("batch",)
    sides = [side if ends.scale == 1 else f"{ends.scale}*{side}" for side in ("height", "width")]
    axes: tuple[int | str, ...] = ("batch", ends.out_channels, *sides)
    return graph.model(inputs=inputs, output=(RESULT, axes), result=result, metadata=metadata(weights))


def _layer(graph: Graph, x: str, params: Tree, name: str, *, gain: float = 1.0) -> str:
    """The convolution ``name``, and with ``gain`` its result times that."""
    return graph.conv(x, name, gain * params[name]["kernel"], gain * params[name]["bias"])


def _leaky(graph: Graph, x: str) -> str:
    return graph.add("LeakyRelu", x, alpha=0.2)


def _residual_blocks(graph: Graph, x: str, stacked: Tree, *, blocks: int) -> str:
    """`models.rrdb.scan_blocks`, one block after the other."""
    for block in range(blocks):
        y = x
        for rdb in ("rdb1", "rdb2", "rdb3"):
            parameters = {
                f"body.{block}.{rdb}.{name}": {key: leaf[block] for key, leaf in layer.items()}
                for name, layer in stacked[rdb].items()
            }
            y = _dense_block(graph, y, parameters, f"body.{block}.{rdb}")
        x = graph.add("Add", x, graph.add("Mul", y, graph.constant("residual_scale", RESIDUAL_SCALE)))
    return x


def _dense_block(graph: Graph, x: str, params: Tree, name: str) -> str:
    features = x
    for i in range(1, DENSE_CONVOLUTIONS):
        features = graph.concat(features, _leaky(graph, _layer(graph, features, params, f"{name}.conv{i}")))
    # The factor is folded into the last convolution, whose result has no other use.
    return graph.add("Add", x, _layer(graph, features, params, f"{name}.conv{DENSE_CONVOLUTIONS}", gain=RESIDUAL_SCALE))


def _rrdbnet(graph: Graph, module: Any, params: Tree) -> str:
    x = graph.space_to_depth(IMAGE, channels=module.channels, block=module.multiple)
    shallow = _layer(graph, x, params, "conv_first")
    deep = _residual_blocks(graph, shallow, params["body"], blocks=module.blocks)
    y = graph.add("Add", shallow, _layer(graph, deep, params, "conv_body"))
    for name in ("conv_up1", "conv_up2"):
        y = _leaky(graph, _layer(graph, graph.nearest(y, 2), params, name))
    return _layer(graph, _leaky(graph, _layer(graph, y, params, "conv_hr")), params, "conv_last")


def _compact_rrdbnet(graph: Graph, module: Any, params: Tree) -> str:
    level = graph.add("Reshape", STRENGTH, graph.constant("per_image", [-1, 1, 1, 1], np.int64))
    if module.blind:
        level = graph.add("Mul", level, graph.constant("blind", [0.0], np.float32))
    kernel, bias = _views(module.fold)
    options = {"strides": [module.fold] * 2, "pads": [0] * 4}
    folded = graph.conv(graph.edge_pad(IMAGE, 2), "views", kernel, bias, **options)
    inputs = [folded, _constant_channel(graph, level, folded)]
    if module.context:
        inputs.append(_block_context(graph, module, params, level))
    shallow = _layer(graph, graph.concat(*inputs), params, "conv_first")
    deep = _residual_blocks(graph, shallow, params["body"], blocks=module.blocks)
    y = _leaky(graph, graph.add("Add", shallow, _layer(graph, deep, params, "conv_body")))
    y = _layer(graph, y, params, "conv_last", gain=OUTPUT_GAIN)
    detail = graph.depth_to_space(y, block=module.fold * module.scale)
    return graph.add("Add", graph.bicubic(IMAGE, channels=1, scale=module.scale), detail)


def _conditional_rrdbnet(graph: Graph, module: Any, params: Tree) -> str:
    fold = module.grid // module.scale
    kernel, bias = _views(fold)
    options = {"strides": [fold] * 2, "pads": [0] * 4}
    folded = graph.conv(graph.edge_pad(IMAGE, 2), "views", kernel, bias, **options)
    per_image = graph.constant("per_image", [-1, CONDITIONS, 1, 1], np.int64)
    level = _constant_channel(graph, graph.add("Reshape", STRENGTH, per_image), folded)
    shallow = _layer(graph, graph.concat(folded, level), params, f"first_x{module.scale}")
    deep = _residual_blocks(graph, shallow, params["body"], blocks=module.blocks)
    y = _leaky(graph, graph.add("Add", shallow, _layer(graph, deep, params, "conv_body")))
    y = _layer(graph, y, params, f"last_x{module.scale}", gain=CORRECTION_GAIN)
    plain = IMAGE if module.scale == 1 else graph.bicubic(IMAGE, channels=1, scale=module.scale)
    return graph.add("Add", plain, graph.depth_to_space(y, block=module.grid))


def _views(fold: int) -> tuple[np.ndarray, np.ndarray]:
    """The image and its detail (what differs from the mean of 5x5), folded, as one strided convolution.

    Returns:
        The kernel (fold + 4, fold + 4, 1, 2 fold^2) over the image with an edge of 2, and the bias.
    """
    kernel = np.zeros((fold + 4, fold + 4, 1, 2, fold, fold))
    for i in range(fold):
        for j in range(fold):
            kernel[i + 2, j + 2, 0, 0, i, j] = 2.0
            kernel[i : i + 5, j : j + 5, 0, 1, i, j] = -DETAIL_GAIN / 25
            kernel[i + 2, j + 2, 0, 1, i, j] += DETAIL_GAIN
    return kernel.reshape(fold + 4, fold + 4, 1, -1), np.repeat([-1.0, 0.0], fold**2)


def _block_context(graph: Graph, module: Any, params: Tree, level: str) -> str:
    """The branch on the grid of JPEG blocks; their DCT is a convolution with the stride of a block."""
    basis = scaled_dct()
    options = {"strides": [BLOCK] * 2, "pads": [0] * 4}
    coefficients = graph.conv(IMAGE, "dct", basis.reshape(BLOCK, BLOCK, 1, -1), -0.5 * basis.sum(0), **options)
    y = graph.concat(coefficients, _constant_channel(graph, level, coefficients))
    y = _leaky(graph, _layer(graph, y, params, "context_1"))
    for i in range(2, module.context_layers + 1):
        y = graph.add("Add", y, _leaky(graph, _layer(graph, y, params, f"context_{i}")))
    return graph.depth_to_space(_layer(graph, y, params, "context_last"), block=BLOCK // module.fold)


def _constant_channel(graph: Graph, level: str, like: str) -> str:
    """Numbers per image (batch, k, 1, 1) -> k constant channels of the size of ``like``."""
    ends = [graph.constant(f"axis_{i}", [i], np.int64) for i in (2, 4)]
    sides = graph.add("Slice", graph.add("Shape", like), *ends)
    shape = graph.add("Concat", graph.constant("every_image", [1, 1], np.int64), sides, axis=0)
    return graph.add("Expand", level, shape)


def _srcnn(graph: Graph, module: Any, params: Tree) -> str:
    enlarged = graph.bicubic(IMAGE, channels=module.channels, scale=module.scale)
    y = enlarged
    for name in ("conv1", "conv2"):
        y = graph.add("Relu", _layer(graph, y, params, name))
    y = _layer(graph, y, params, "conv3")
    return graph.add("Add", enlarged, y) if module.residual else y


def _srvgg(graph: Graph, module: Any, params: Tree) -> str:
    y = _prelu(graph, _layer(graph, IMAGE, params, "conv_first"), "act_first", params["act_first"]["weight"])
    body = params["body"]
    for i in range(module.convolutions):
        name = f"body.{i}"
        y = graph.conv(y, name, body["conv"]["kernel"][i], body["conv"]["bias"][i])
        y = _prelu(graph, y, f"{name}.act", body["act"]["weight"][i])
    y = graph.depth_to_space(_layer(graph, y, params, "conv_last"), block=module.scale)
    return graph.add("Add", graph.nearest(IMAGE, module.scale), y)


def _prelu(graph: Graph, x: str, name: str, slope: np.ndarray) -> str:
    return graph.add("PRelu", x, graph.constant(f"{name}.weight", slope[:, None, None]))


_NETWORKS: dict[str, Callable[[Graph, Any, Tree], str]] = {
    "rrdbnet": _rrdbnet,
    "compact_rrdbnet": _compact_rrdbnet,
    "conditional_rrdbnet": _conditional_rrdbnet,
    "srcnn": _srcnn,
    "srvgg": _srvgg,
}
