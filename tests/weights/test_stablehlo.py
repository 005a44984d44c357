"""A file of StableHLO needs JAX alone, takes any size and batch, and computes what the module does."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.export
import numpy as np
import pytest
from PIL import Image

from medsr_jax.errors import MedsrError
from medsr_jax.models import build
from medsr_jax.models.compact import quantisation_strength
from medsr_jax.weights import model_file
from medsr_jax.weights.exporting.interface import metadata
from medsr_jax.weights.exporting.stablehlo import PLATFORMS, serialized
from tests.conftest import TINY
from tests.weights.test_onnx_graph import SMALL, random_weights

RUNNER = Path(__file__).parents[2] / "scripts" / "release" / "run_stablehlo.py"

# The script as it runs where neither package is installed.
ALONE = """
import runpy, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("medsr_jax", "flax", "chex", "onnx"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("compact_rrdbnet", TINY),
        ("rrdbnet", {**SMALL, "channels": 3, "scale": 2}),
        ("srcnn", {"features": [8, 4], "sizes": [3, 1, 3], "scale": 2}),
        ("srvgg", {"features": 8, "convolutions": 2, "channels": 1}),
    ],
)
def test_it_computes_what_the_module_does_at_any_size(model: str, fields: Any) -> None:
    weights = random_weights(model, fields)
    module = build(model, fields)
    loaded = jax.export.deserialize(bytearray(serialized(weights)))
    strength = np.array([0.0, 0.9], np.float32)
    for sides in ((16, 8), (8, 24)):
        x = np.random.default_rng(0).random((2, *sides, fields.get("channels", 1)), np.float32)
        arguments = [x, strength][: len(loaded.in_avals)]
        expected = jax.jit(module.apply)({"params": weights.params}, x, strength)
        np.testing.assert_allclose(jax.jit(loaded.call)(*arguments), expected, atol=1e-5)


def test_its_axes_and_platforms() -> None:
    loaded = jax.export.deserialize(bytearray(serialized(random_weights("compact_rrdbnet", TINY))))
    shapes = [str(aval.shape) for aval in (*loaded.in_avals, *loaded.out_avals)]
    assert shapes == ["(b, 8*h, 8*w, 1)", "(b,)", "(b, 32*h, 32*w, 1)"]
    assert loaded.platforms == PLATFORMS == ("cpu", "cuda", "tpu")


def test_sides_that_are_no_multiples_are_refused() -> None:
    loaded = jax.export.deserialize(bytearray(serialized(random_weights("compact_rrdbnet", TINY))))
    with pytest.raises(ValueError, match="multiple of 8|divisible|8\\*"):
        loaded.call(np.zeros((1, 20, 16, 1), np.float32), np.zeros(1, np.float32))


def test_weights_of_another_network_are_refused() -> None:
    weights = dataclasses.replace(random_weights("compact_rrdbnet", TINY), fields={**TINY, "features": 16})
    with pytest.raises(MedsrError, match=r"random\.safetensors: the parameters don't fit compact_rrdbnet"):
        serialized(weights)


def test_the_script_enlarges_an_image_of_any_size_without_this_package(
    tmp_path: pathlib.Path, radiograph: np.ndarray
) -> None:
    weights = random_weights("compact_rrdbnet", TINY)
    (tmp_path / "model").write_bytes(serialized(weights))
    (tmp_path / "model.json").write_text(json.dumps(metadata(weights)))
    small = radiograph[:21, :30]
    Image.fromarray(small).save(tmp_path / "small.jpg", quality=60)
    done = subprocess.run(
        [sys.executable, "-c", ALONE, RUNNER, tmp_path / "model", tmp_path / "small.jpg", "-o", tmp_path / "out.png"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "small.jpg") as image:
        decoded, table = np.asarray(image), np.reshape(image.quantization[0], (8, 8))
    strength = quantisation_strength(table)
    assert f"out.png: 120x84, strength {strength:.3f}; lossy restoration: not for primary diagnosis" in done.stdout
    x = np.pad(decoded, ((0, 3), (0, 2)), mode="edge")[None, ..., None].astype(np.float32) / 255
    module = build(weights.model, weights.fields)
    expected = jax.jit(module.apply)({"params": weights.params}, x, np.array([strength], np.float32))
    expected = np.clip(np.asarray(expected)[0, :84, :120, 0], 0, 1) * 255
    assert np.abs(np.asarray(Image.open(tmp_path / "out.png")) - expected).max() < 0.51


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("model", b"no network", "model: is damaged, no exported model, or one of a JAX that"),
        ("model.json", b"{", "model.json: does not say what the model beside it takes"),
        ("model.json", b'{"scale": "4"}', "model.json: does not say what the model beside it takes"),
        ("small.png", b"no image", "small.png"),
    ],
)
def test_the_script_answers_damage_with_a_line(
    tmp_path: pathlib.Path, radiograph: np.ndarray, file: str, content: bytes, message: str
) -> None:
    weights = random_weights("compact_rrdbnet", TINY)
    (tmp_path / "model").write_bytes(serialized(weights))
    (tmp_path / "model.json").write_text(json.dumps(metadata(weights)))
    Image.fromarray(radiograph[:16, :16]).save(tmp_path / "small.png")
    (tmp_path / file).write_bytes(content)
    done = subprocess.run(
        [sys.executable, RUNNER, tmp_path / "model", tmp_path / "small.png", "-o", tmp_path / "out.png"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert message in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out.png").exists()


def test_the_packaged_model_can_be_written() -> None:
    weights = model_file.load("xray-x4")
    data = serialized(weights)
    assert 1 < len(data) / (4 * weights.parameters) < 1.1
