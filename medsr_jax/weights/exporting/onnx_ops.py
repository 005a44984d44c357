"""An ONNX graph under construction, with the operations that the networks need (NCHW)."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from medsr_jax.models.compact import cubic_taps

# Both of 2021: old enough for every runtime in use, and new enough for these operations.
OPSET = 17
IR_VERSION = 8


class Graph:
    """An ONNX graph; each method adds an operation and returns the name of its result.

    Names of constants are those of the published weights, ``body.7.rdb2.conv3.weight``.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """One node of the operator ``kind`` with one result."""
        result = f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [result], name=result, **attributes))
        return result

    def constant(self, name: str, values: Any, dtype: Any = np.float32) -> str:
        """A constant; the same name again is the same constant."""
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(values, dtype), name)
        return name

    def conv(self, x: str, name: str, kernel: np.ndarray, bias: np.ndarray | None = None, **attributes: Any) -> str:
        """A convolution that keeps the size unless ``attributes`` (strides, pads, group) say otherwise.

        Args:
            x: (N, C, H, W).
            name: of the layer.
            kernel: (rows, columns, C / group, D), as Flax holds it.
            bias: (D,).
        """
        rows, columns = kernel.shape[:2]
        attributes = {"pads": [rows // 2, columns // 2] * 2, "kernel_shape": [rows, columns], **attributes}
        inputs = [x, self.constant(f"{name}.weight", kernel.transpose(3, 2, 0, 1))]
        if bias is not None:
            inputs.append(self.constant(f"{name}.bias", bias))
        return self.add("Conv", *inputs, **attributes)

    def concat(self, *parts: str) -> str:
        """Channels side by side."""
        return self.add("Concat", *parts, axis=1)

    def edge_pad(self, x: str, by: int) -> str:
        """``by`` pixels around the image, those of its edge repeated."""
        pads = self.constant(f"pads_{by}", [0, 0, by, by, 0, 0, by, by], np.int64)
        return self.add("Pad", x, pads, mode="edge")

    def nearest(self, x: str, scale: int) -> str:
        """Each pixel repeated ``scale`` times in both directions."""
        scales = self.constant(f"nearest_{scale}", [1, 1, scale, scale])
        options = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.add("Resize", x, "", scales, **options)

    def space_to_depth(self, x: str, *, channels: int, block: int) -> str:
        """Pixels folded into channels in the order of `models.shuffling`; sides that are no multiples are an error.

        ONNX's own order, in which the channel varies fastest, is another one where there are several channels.
        """
        if block == 1:
            return x
        folded = self.add("SpaceToDepth", x, blocksize=block)
        if channels == 1:
            return folded
        order = np.arange(channels * block**2).reshape(block**2, channels).T.ravel()
        return self.add("Gather", folded, self.constant(f"fold_{channels}_{block}", order, np.int64), axis=1)

    def depth_to_space(self, x: str, *, block: int) -> str:
        """Channels unfolded into pixels, in the order of `models.shuffling`."""
        return x if block == 1 else self.add("DepthToSpace", x, blocksize=block, mode="CRD")

    def bicubic(self, x: str, *, channels: int, scale: int) -> str:
        """As `models.compact.bicubic`: a 5x5 convolution for each phase of the output, then a pixel-shuffle."""
        taps = cubic_taps(scale)
        phases = np.einsum("ik,jl->klij", taps, taps).reshape(5, 5, 1, scale**2)
        kernel = np.tile(phases, channels)
        y = self.conv(self.edge_pad(x, 2), f"bicubic_{scale}", kernel, group=channels, pads=[0] * 4)
        return self.depth_to_space(y, block=scale)

    def model(
        self,
        *,
        inputs: dict[str, tuple[int | str, ...]],
        output: tuple[str, tuple[int | str, ...]],
        result: str,
        metadata: dict[str, str],
    ) -> onnx.ModelProto:
        """The finished model, checked.

        Args:
            inputs: axes by name; an axis that is a string has a dynamic size.
            output: its name and axes.
            result: name of the output's value in the graph.
            metadata: strings kept in the file.
        """
        name, axes = output
        self._nodes.append(helper.make_node("Identity", [result], [name], name=name))
        graph = helper.make_graph(
            self._nodes,
            metadata.get("model", "model"),
            [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, axes)],
            list(self._constants.values()),
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, producer_name="medsr-jax", opset_imports=opsets, ir_version=IR_VERSION)
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        return model
