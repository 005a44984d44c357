"""Graphs in ONNX compute what the Flax modules do, at any size and batch, and say what they are."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import jax
import numpy as np
import onnxruntime
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.models import build
from medsr_jax.weights import model_file
from medsr_jax.weights.exporting.onnx_graph import onnx_model
from tests.conftest import TINY

SMALL = {"features": 8, "growth": 4, "blocks": 2}
NETWORKS = {
    "rrdbnet": ("rrdbnet", {**SMALL, "channels": 1}),
    "rrdbnet of colours, at half the scale": ("rrdbnet", {**SMALL, "channels": 3, "scale": 2}),
    "rrdbnet from colours to grey, which keeps the size": (
        "rrdbnet",
        {**SMALL, "channels": 3, "out_channels": 1, "scale": 1},
    ),
    "compact": ("compact_rrdbnet", TINY),
    "compact without context": ("compact_rrdbnet", {**TINY, "context": 0, "fold": 2, "scale": 3}),
    "compact and blind": ("compact_rrdbnet", {**TINY, "blind": True}),
    "compact at another fold": ("compact_rrdbnet", {**TINY, "fold": 2, "scale": 2}),
    "conditional": ("conditional_rrdbnet", {**SMALL, "scale": 2}),
    "conditional at full size": ("conditional_rrdbnet", {**SMALL, "scales": (1, 2), "scale": 1}),
    "srcnn": ("srcnn", {"features": [8, 4], "sizes": [9, 1, 5], "scale": 3}),
    "srcnn of colours, residual": ("srcnn", {"features": [8, 4], "channels": 3, "scale": 2, "residual": True}),
    "srvgg": ("srvgg", {"features": 8, "convolutions": 2, "channels": 1}),
    "srvgg of colours": ("srvgg", {"features": 8, "convolutions": 2, "channels": 3, "scale": 2}),
}


def random_weights(model: Any, fields: Any) -> Any:
    """Random parameters, as large as a trained network's."""
    module = build(model, fields)
    x = jax.ShapeDtypeStruct((1, 8, 8, fields.get("channels", 1)), np.float32)
    shapes = jax.eval_shape(module.init, jax.random.key(0), x)["params"]
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: random.normal(0, 0.1, leaf.shape).astype(np.float32), shapes)
    return model_file.Weights(
        model, fields, params, {"name": "random", "licence": "none"}, pathlib.Path("random.safetensors")
    )


def session(model: Any) -> Any:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def run(session: Any, x: Any, strength: Any) -> Any:
    feeds = {"image": x.transpose(0, 3, 1, 2), "strength": strength}
    wanted = [tensor.name for tensor in session.get_inputs()]
    return session.run(None, {name: feeds[name] for name in wanted})[0].transpose(0, 2, 3, 1)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_graph_computes_what_the_module_does(name: Any) -> None:
    weights = random_weights(*NETWORKS[name])
    module = build(weights.model, weights.fields)
    channels = weights.fields.get("channels", 1)
    theirs = session(onnx_model(weights))
    random = np.random.default_rng(1)
    strength = np.array([0.0, 0.9], np.float32)
    if weights.model == "conditional_rrdbnet":
        strength = np.array([[0.0, 0.0, 1.2], [0.9, 0.0, 0.0]], np.float32)
    for sides in ((16, 24), (24, 8)):
        x = random.random((2, *sides, channels), np.float32)
        expected = jax.jit(module.apply)({"params": weights.params}, x, strength)
        np.testing.assert_allclose(run(theirs, x, strength), expected, atol=1e-4, rtol=1e-4)


def test_the_packaged_model_too() -> None:
    weights = model_file.load("xray-x4")
    x = np.random.default_rng(2).random((1, 32, 32, 1), np.float32)
    strength = np.array([0.9], np.float32)
    expected = jax.jit(build(weights.model, weights.fields).apply)({"params": weights.params}, x, strength)
    np.testing.assert_allclose(run(session(onnx_model(weights)), x, strength), expected, atol=1e-4)


def test_it_says_what_it_is_and_that_it_is_not_for_diagnosis() -> None:
    weights = random_weights("compact_rrdbnet", TINY)
    model = onnx_model(weights)
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert (said["model"], json.loads(said["fields"]), json.loads(said["card"])) == (
        "compact_rrdbnet",
        TINY,
        weights.card,
    )
    assert "not for primary diagnosis" in said["warning"]
    assert (said["scale"], said["multiple"]) == ("4", "8")
    axes = {
        tensor.name: [axis.dim_param or axis.dim_value for axis in tensor.type.tensor_type.shape.dim]
        for tensor in (*model.graph.input, *model.graph.output)
    }
    assert axes == {
        "image": ["batch", 1, "height", "width"],
        "strength": ["batch"],
        "restored": ["batch", 1, "4*height", "4*width"],
    }


@pytest.mark.parametrize(
    ("model", "fields"),
    [("compact_rrdbnet", TINY), ("rrdbnet", {**SMALL, "channels": 3, "scale": 2}), NETWORKS["compact without context"]],
)
def test_sides_that_are_no_multiples_are_refused_rather_than_cropped(model: Any, fields: Any) -> None:
    theirs = session(onnx_model(random_weights(model, fields)))
    x = np.zeros((1, 21, 16, fields.get("channels", 1)), np.float32)
    with pytest.raises(Exception, match="(?i)concat|shape|dimension|multiple|broadcast"):
        run(theirs, x, np.zeros(1, np.float32))


def test_a_network_without_a_graph_is_refused_by_name() -> None:
    weights = dataclasses.replace(random_weights("srcnn", NETWORKS["srcnn"][1]), model="swinir")
    with pytest.raises(MedsrError, match=r"random\.safetensors: swinir can't be exported to ONNX; these can: compact"):
        onnx_model(weights)


def test_weights_of_another_network_are_refused() -> None:
    weights = dataclasses.replace(random_weights("srcnn", NETWORKS["srcnn"][1]), model="srvgg", fields={})
    with pytest.raises(MedsrError, match="the parameters don't fit srvgg"):
        onnx_model(weights)
