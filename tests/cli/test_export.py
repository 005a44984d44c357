from __future__ import annotations

import json
import pathlib
from typing import Any

import jax.export
import numpy as np
import onnx
import onnxruntime
import pytest
from typer.testing import CliRunner

from medsr_jax.cli import app
from medsr_jax.weights import model_file
from tests.weights.test_onnx_graph import random_weights


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["export", *map(str, arguments)], catch_exceptions=False)


def test_onnx(tiny_weights: Any, tmp_path: pathlib.Path) -> None:
    out = tmp_path / "tiny.onnx"
    done = run(tiny_weights, "--format", "onnx", "-o", out)
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"{out}: {out.stat().st_size:,} bytes"
    assert "  tiny, compact_rrdbnet, " in lines[1]
    assert lines[2] == (
        "  input  image (batch, 1, height, width) float32 in [0, 1], bone white, height and width multiples of 8"
    )
    assert lines[3].startswith("  input  strength (batch) float32, ")
    assert lines[4] == "  output restored (batch, 1, 4 height, 4 width) float32, not clipped"
    assert lines[5] == "  lossy restoration: not for primary diagnosis"
    assert "onnxruntime.InferenceSession" in lines[6]
    said = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert json.loads(said["card"]) == {"name": "tiny"}
    # The printed line is one that runs.
    image, strength = np.zeros((1, 1, 8, 16), np.float32), np.zeros(1, np.float32)
    code = lines[6].partition("with ")[2]
    assert eval(code, {"onnxruntime": onnxruntime, "image": image, "strength": strength}).shape == (1, 1, 32, 64)


def test_stablehlo(tiny_weights: Any, tmp_path: pathlib.Path) -> None:
    out = tmp_path / "tiny.stablehlo"
    done = run(tiny_weights, "--format", "stablehlo", "-o", out)
    assert done.exit_code == 0, done.stderr
    assert "input  image (batch, height, width, 1) float32 in [0, 1]" in done.stdout
    assert "output restored (batch, 4 height, 4 width, 1)" in done.stdout
    assert "scripts/release/run_stablehlo.py" in done.stdout
    assert [str(aval.shape) for aval in jax.export.deserialize(bytearray(out.read_bytes())).in_avals] == [
        "(b, 8*h, 8*w, 1)",
        "(b,)",
    ]
    about = json.loads((tmp_path / "tiny.stablehlo.json").read_text())
    assert (about["model"], about["multiple"], about["scale"]) == ("compact_rrdbnet", "8", "4")
    assert "not for primary diagnosis" in about["warning"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.stablehlo", "tiny.stablehlo.json"]


def test_colours_stay_unless_grey_is_asked_for(tmp_path: pathlib.Path) -> None:
    weights = random_weights("srvgg", {"features": 8, "convolutions": 1, "channels": 3})
    source = tmp_path / "colours.safetensors"
    model_file.save(source, model=weights.model, fields=weights.fields, params=weights.params, card={})
    assert "image (batch, 3, height, width)" in run(source, "-o", tmp_path / "colours.onnx").stdout
    assert "image (batch, 1, height, width)" in run(source, "--grey", "-o", tmp_path / "grey.onnx").stdout


@pytest.mark.parametrize(("format", "taken"), [("onnx", "model"), ("stablehlo", "model"), ("stablehlo", "model.json")])
def test_what_is_there_is_kept_unless_told_otherwise(
    tiny_weights: Any, tmp_path: pathlib.Path, format: str, taken: str
) -> None:
    (tmp_path / taken).write_text("mine")
    done = run(tiny_weights, "--format", format, "-o", tmp_path / "model")
    assert done.exit_code == 2
    assert (
        done.stderr == f"{tmp_path / taken}: is there already; give --overwrite to replace it, or choose another name\n"
    )
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
    assert run(tiny_weights, "--format", format, "-o", tmp_path / "model", "--overwrite").exit_code == 0
    assert (tmp_path / taken).read_bytes() != b"mine"


def broken(tiny_weights: Any, folder: Any) -> Any:
    """Weights whose fields are those of a larger network."""
    weights = model_file.load(tiny_weights)
    path = folder / "broken.safetensors"
    model_file.save(path, model=weights.model, fields={**weights.fields, "blocks": 2}, params=weights.params, card={})
    return path


def unknown(tiny_weights: Any, folder: Any) -> Any:
    weights = model_file.load(tiny_weights)
    path = folder / "unknown.safetensors"
    model_file.save(path, model="swinir", fields={}, params=weights.params, card={})
    return path


@pytest.mark.parametrize("format", ["onnx", "stablehlo"])
@pytest.mark.parametrize(
    ("make", "message"),
    [(broken, "the parameters don't fit compact_rrdbnet"), (unknown, "swinir")],
)
def test_a_model_that_cannot_be_written_leaves_nothing(
    tiny_weights: Any, tmp_path: pathlib.Path, format: str, make: Any, message: str
) -> None:
    path = make(tiny_weights, tmp_path)
    done = run(path, "--format", format, "-o", tmp_path / "out")
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["xray-x4", "--format", "tflite", "-o", "out"], "--format is one of stablehlo, onnx, not tflite"),
        (["xray-x4", "-o", "none/out.onnx"], "none: no such folder; make it, or name another output"),
        (["nothing", "-o", "out.onnx"], "nothing: neither a weights file nor a packaged model"),
        (["xray-x4", "-o", "."], ".: is a folder; name a file to write"),
    ],
)
def test_wrong_arguments_are_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, arguments: list[Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("scale", [1, 2])
def test_scale_of_a_family(tmp_path: pathlib.Path, scale: int) -> None:
    fields = {"features": 4, "blocks": 1, "growth": 4, "grid": 4, "scales": [1, 2], "scale": 2}
    weights = random_weights("conditional_rrdbnet", fields)
    model_file.save(tmp_path / "family.safetensors", model=weights.model, fields=fields, params=weights.params, card={})
    out = tmp_path / "out.onnx"
    done = run(tmp_path / "family.safetensors", "--scale", scale, "-o", out)
    assert done.exit_code == 0, done.stderr
    assert "input  strength (batch, 3) float32, a number for each of jpeg, jpeg2000, avif" in done.stdout
    said = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert said["scale"] == str(scale)
    refused = run(tmp_path / "family.safetensors", "--scale", 4, "-o", tmp_path / "other.onnx")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "--scale: must be 1 or 2" in refused.stderr


def test_scale_of_a_model_of_one_is_refused(tiny_weights: Any, tmp_path: pathlib.Path) -> None:
    done = run(tiny_weights, "--scale", 2, "-o", tmp_path / "out.onnx")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "--scale: requires a model of several scales" in done.stderr
