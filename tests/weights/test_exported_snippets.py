"""The snippets of docs/exported-models.md run, and give what the network gives."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import numpy as np
import pytest

from medsr_jax.models import build
from medsr_jax.restoration import arrays
from medsr_jax.transmission.downscaling import downscale
from medsr_jax.weights import model_file
from medsr_jax.weights.exporting.stablehlo import serialized

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "exported-models.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)


def test_the_snippets_run_as_they_stand(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, radiograph: np.ndarray
) -> None:
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    from medsr_jax.weights.exporting.onnx_graph import onnx_model

    weights = model_file.load("xray-x4")
    onnx.save(onnx_model(weights), tmp_path / "xray-x4.onnx")
    monkeypatch.chdir(tmp_path)
    image = np.rint(downscale(radiograph, scale=4)).astype(np.uint8)[:37, :43]
    graph, _, package = SNIPPETS
    assert sum(bool(line) for line in graph.splitlines()) == 6

    names = {"image": image}
    exec(graph, names)
    assert names["large"].shape == (4 * 37, 4 * 43)
    x = np.pad(image / 255, ((0, 3), (0, 5)), mode="edge")[None, ..., None].astype(np.float32)
    expected = build(weights.model, weights.fields).apply({"params": weights.params}, x, np.array([0.9], np.float32))
    np.testing.assert_allclose(names["large"], expected[0, :148, :172, 0], atol=1e-4)

    names = {"image": image}
    exec(package, names)
    assert names["large"].shape == (148, 172)
    assert names["large"].dtype == np.uint8
    np.testing.assert_array_equal(names["large"], arrays.restore_array(image, quality=60))


def test_the_snippet_of_stablehlo_runs_as_it_stands(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, tiny_weights: Any, radiograph: np.ndarray
) -> None:
    weights = model_file.load(tiny_weights)
    (tmp_path / "xray-x4.stablehlo").write_bytes(serialized(weights))
    monkeypatch.chdir(tmp_path)
    assert sum(bool(line) for line in SNIPPETS[1].splitlines()) == 6
    names = {"image": np.rint(downscale(radiograph, scale=4)).astype(np.uint8)[:37, :43]}
    exec(SNIPPETS[1], names)
    x = np.pad(names["image"] / 255, ((0, 3), (0, 5)), mode="edge")[None, ..., None].astype(np.float32)
    expected = build(weights.model, weights.fields).apply({"params": weights.params}, x, np.array([0.9], np.float32))
    np.testing.assert_allclose(names["large"], expected[0, :148, :172, 0], atol=1e-5)
