"""Whatever is wrong with a file of weights, its reader says so in one line."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from medsr_jax.errors import MedsrError
from medsr_jax.weights import model_file
from medsr_jax.weights.importing.generator import import_weights
from tests.weights import ncnn_networks as networks
from tests.weights.test_torch_file import Storage, archive, pickled, pytorch, sequence, whole  # noqa: F401

TIMES = 40


@pytest.fixture
def files(pytorch: Any, tmp_path: pathlib.Path) -> dict[str, Any]:  # noqa: F811
    """A small generator in each format, and which of its bytes are no plain numbers."""
    writer = networks.srvgg(features=3, convolutions=1)
    tensors = {key: np.ascontiguousarray(value) for key, value in writer.tensors.items()}
    storages = {key: Storage(str(n), value.ravel(), "FloatStorage") for n, (key, value) in enumerate(tensors.items())}
    tree = {"params": {key: whole(storages[key], value) for key, value in tensors.items()}}
    safetensors.numpy.save_file(tensors, tmp_path / "m.safetensors")
    weights = import_weights(tmp_path / "m.safetensors")
    ours = tmp_path / "ours.safetensors"
    model_file.save(ours, model=weights.model, fields=weights.fields, params=weights.params, card=weights.card)
    param = writer.save(tmp_path)
    return {
        "zip": archive(tmp_path / "zip.pth", pickled(tree, pytorch), list(storages.values())),
        "sequence": sequence(tmp_path / "old.pth", pickled(tree, pytorch, old=True), list(storages.values())),
        "safetensors": tmp_path / "m.safetensors",
        "param": param,
        "bin": param.with_suffix(".bin"),
        "ours": ours,
    }


def damaged(data: Any, random: Any) -> Any:
    """A file cut off somewhere, or with a few bytes changed, most of them where its structure lies."""
    if random.random() < 0.3:
        return data[: random.integers(len(data))]
    changed = bytearray(data)
    for _ in range(random.integers(1, 4)):
        end = random.choice([40, 400, len(data)])
        at = random.integers(min(end, len(data)))
        at = len(data) - 1 - at if random.random() < 0.3 else at
        changed[at] = random.choice([0, 255, changed[at] ^ 1 << random.integers(8), random.integers(256)])
    return bytes(changed)


@pytest.mark.parametrize("kind", ["zip", "sequence", "safetensors", "param", "bin", "ours"])
def test_damage_of_any_kind_is_a_line_that_names_the_file(files: Any, kind: str) -> None:
    path, read = files[kind], model_file.load if kind == "ours" else import_weights
    data = path.read_bytes()
    read(path)
    refused = 0
    for seed in range(TIMES):
        path.write_bytes(damaged(data, np.random.default_rng(seed)))
        try:
            read(path)
        except MedsrError as error:
            refused += 1
            assert str(error).startswith(str(path.parent)), (seed, str(error))
            assert "\n" not in str(error), (seed, str(error))
    assert refused > TIMES / 4
