from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from medsr_jax.errors import MedsrError
from medsr_jax.weights import model_file
from medsr_jax.weights.parameters import flatten, unflatten
from medsr_jax.weights.safetensors_file import read_header
from medsr_jax.weights.shapes import mismatch, shapes_of
from tests.weights import ncnn_networks as networks

FIELDS = {"channels": 1, "features": [2, 3], "sizes": [3, 1, 1]}
RANDOM = np.random.default_rng(0)
PARAMS = unflatten(
    {name: RANDOM.normal(0, 1, shape).astype(np.float32) for name, shape in shapes_of("srcnn", FIELDS).items()}
)
KERNEL = PARAMS["conv2"]["kernel"]


def write(path: Any, **options: Any) -> Any:
    options = {"model": "srcnn", "fields": FIELDS, "params": PARAMS, "card": {"data": "none"}, **options}
    model_file.save(path, **options)
    return path


def test_what_is_saved_is_loaded(tmp_path: pathlib.Path) -> None:
    weights = model_file.load(write(tmp_path / "m.safetensors"))
    assert (weights.model, weights.fields, weights.card) == ("srcnn", FIELDS, {"data": "none"})
    assert weights.parameters == 2 * 10 + 3 * 3 + 4
    np.testing.assert_array_equal(weights.params["conv2"]["kernel"], KERNEL)


def test_half_precision_halves_the_file_and_rounds_to_eleven_bits(tmp_path: pathlib.Path) -> None:
    write(tmp_path / "m.safetensors", dtype=np.float16)
    kernel = model_file.load(tmp_path / "m.safetensors").params["conv2"]["kernel"]
    assert kernel.dtype == np.float32
    np.testing.assert_allclose(kernel, KERNEL, rtol=2**-11)
    assert not np.array_equal(kernel, KERNEL)


def test_a_truncated_file_is_refused_by_name(tmp_path: pathlib.Path) -> None:
    write(tmp_path / "m.safetensors")
    data = (tmp_path / "m.safetensors").read_bytes()
    for length in (0, 5, 40, len(data) - 3):
        (tmp_path / "cut.safetensors").write_bytes(data[:length])
        with pytest.raises(MedsrError, match="cut.safetensors: is damaged or ends early"):
            model_file.load(tmp_path / "cut.safetensors")


def test_what_is_no_weights_file_is_said_to_be_none(tmp_path: pathlib.Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x08\x08\x12\x09medsr_jax")
    with pytest.raises(MedsrError, match="m.onnx: not a weights file, or damaged"):
        model_file.load(tmp_path / "m.onnx")
    with pytest.raises(MedsrError, match="is a folder; name a weights file in it"):
        model_file.load(tmp_path)


def without_a_bias(flat: Any) -> None:
    del flat["conv3/bias"]


def with_more(flat: Any) -> None:
    flat["conv4/bias"] = np.zeros(1, np.float32)


def of_another_shape(flat: Any) -> None:
    flat["conv2/kernel"] = np.zeros((1, 1, 2, 4), np.float32)


def named_like_a_folder(flat: Any) -> None:
    flat["conv2"] = np.zeros(3, np.float32)


def not_a_number(flat: Any) -> None:
    flat["conv1/bias"] = np.array([0, np.nan], np.float32)


def too_large_for_float32(flat: Any) -> None:
    flat["conv1/bias"] = np.array([0, 1e300])


def integers(flat: Any) -> None:
    flat["conv1/bias"] = np.zeros(2, np.int8)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without_a_bias, r"don't fit srcnn with its fields \(lacks conv3/bias\); fetch the file again"),
        (with_more, "has an unknown conv4/bias"),
        (of_another_shape, r"conv2/kernel has the shape \(1, 1, 2, 4\), not \(1, 1, 2, 3\)"),
        (named_like_a_folder, "has an unknown conv2"),
        (not_a_number, "conv1/bias has values that are not finite"),
        (too_large_for_float32, "conv1/bias has values that are not finite"),
        (integers, "conv1/bias has the type int8"),
    ],
)
def test_numbers_that_are_not_the_model_s_are_refused(tmp_path: pathlib.Path, damage: Any, message: str) -> None:
    flat = flatten(PARAMS)
    damage(flat)
    header = {"format": "medsr-weights-1", "model": "srcnn", "fields": json.dumps(FIELDS), "card": "{}"}
    refused(tmp_path, safetensors.numpy.save(flat, metadata=header), message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"card": "[]"}, "its card: not a JSON object"),
        ({"card": '{"steps": 3}'}, "its card has values that are not strings"),
        ({"card": "{"}, "its card: "),
        ({"fields": "3"}, "its fields: not a JSON object"),
        ({"fields": "[" * 10**5}, "its fields: "),
        ({"fields": None}, "its fields: missing"),
        ({"fields": '{"channels": "one"}'}, "field 'channels' of srcnn can't be 'one'"),
        ({"fields": '{"depth": 1}'}, "has no field 'depth'"),
        ({"model": "swinir"}, "model 'swinir' is none of"),
        ({"model": None}, "model '' is none of"),
    ],
)
def test_a_header_that_describes_no_model_is_refused(
    tmp_path: pathlib.Path, change: dict[str, Any], message: str
) -> None:
    header = {"format": "medsr-weights-1", "model": "srcnn", "fields": json.dumps(FIELDS), "card": "{}", **change}
    header = {key: value for key, value in header.items() if value is not None}
    refused(tmp_path, safetensors.numpy.save(flatten(PARAMS), metadata=header), message)


def refused(folder: Any, data: Any, message: Any) -> None:
    path = folder / "m.safetensors"
    path.write_bytes(data)
    with pytest.raises(MedsrError, match=message) as error:
        model_file.load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_weights_of_others_are_refused_with_a_remedy(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(safetensors.numpy.save({"conv.weight": np.zeros(3, np.float32)}))
    with pytest.raises(MedsrError, match="medsr import"):
        model_file.load(path)
    network = networks.srvgg().save(tmp_path)
    for name, data in {"a.pth": b"PK\3\4" + bytes(30), "b.pth": b"\x80\2" + bytes(30), "c.bin": bytes(30)}.items():
        (tmp_path / name).write_bytes(data)
    for file in (network, network.with_suffix(".bin"), *(tmp_path / name for name in ("a.pth", "b.pth", "c.bin"))):
        with pytest.raises(MedsrError, match="(PyTorch|ncnn) weights; convert them with `medsr import`"):
            model_file.load(file)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(MedsrError, match="xray-x4"):
        model_file.load("xray-x9")


@pytest.mark.parametrize("name", model_file.names())
def test_a_packaged_model_is_small_fits_its_network_and_has_a_card(name: str) -> None:
    weights = model_file.load(name)
    assert weights.card["name"] == name
    assert weights.path.stat().st_size <= 5_000_000
    assert {"name", "data", "licence", "degradation", "steps", "validation"} <= set(weights.card)
    assert all(np.isfinite(leaf).all() for leaf in flatten(weights.params).values())
    flat = flatten(weights.params)
    assert mismatch(flat, shapes_of(weights.model, weights.fields)) == ""


def test_a_header_has_metadata_and_shapes_without_the_tensors(tmp_path: pathlib.Path) -> None:
    metadata, shapes = read_header(write(tmp_path / "m.safetensors"))
    assert (metadata["format"], metadata["model"]) == ("medsr-weights-1", "srcnn")
    assert shapes == {
        "conv1/kernel": (3, 3, 1, 2),
        "conv1/bias": (2,),
        "conv2/kernel": (1, 1, 2, 3),
        "conv2/bias": (3,),
        "conv3/kernel": (1, 1, 3, 1),
        "conv3/bias": (1,),
    }
    (tmp_path / "m.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(MedsrError, match=r"m\.safetensors: is damaged or ends early"):
        read_header(tmp_path / "m.safetensors")
