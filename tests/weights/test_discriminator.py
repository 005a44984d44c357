from __future__ import annotations

import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from medsr_jax.errors import MedsrError
from medsr_jax.models import UNetDiscriminator
from medsr_jax.weights.importing.discriminator import load_unet
from medsr_jax.weights.parameters import flatten

NAMES = {"kernel": "weight_orig", "u": "weight_u", "v": "weight_v"}
LATER = {
    "kernel": "parametrizations.weight.original",
    "u": "parametrizations.weight.0._u",
    "v": "parametrizations.weight.0._v",
}


@pytest.fixture(scope="module")
def variables() -> Any:
    module = UNetDiscriminator(features=3)
    shapes = jax.eval_shape(module.init, jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
    random = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: random.normal(0, 1, leaf.shape).astype(np.float32), shapes)


def as_pytorch(variables: Any, names: Any) -> Any:
    """Real-ESRGAN's tensors of the same discriminator."""
    tensors = {}
    for key, leaf in flatten(variables).items():
        _, layer, name = key.split("/")
        if name == "v":
            side = 4 if layer in ("conv1", "conv2", "conv3") else 3
            leaf = leaf.reshape(side, side, -1).transpose(2, 0, 1).ravel()
        plain = {"kernel": "weight", "bias": "bias"} if layer in ("conv0", "conv9") else names
        tensors[f"{layer}.{plain[name]}"] = np.ascontiguousarray(leaf.transpose(3, 2, 0, 1) if leaf.ndim == 4 else leaf)
    return tensors


def saved(folder: Any, tensors: Any) -> str:
    safetensors.numpy.save_file(tensors, folder / "netD.safetensors")
    return folder / "netD.safetensors"


@pytest.mark.parametrize("names", [NAMES, LATER], ids=["published", "later"])
def test_weights_and_singular_vectors_get_their_places(tmp_path: pathlib.Path, variables: Any, names: Any) -> None:
    weights = load_unet(saved(tmp_path, as_pytorch(variables, names)))
    assert weights.fields == {"channels": 3, "features": 3}
    ours, theirs = flatten(weights.variables), flatten(variables)
    assert ours.keys() == theirs.keys()
    for key in ours:
        np.testing.assert_array_equal(ours[key], theirs[key])


def without_a_vector(tensors: Any) -> None:
    del tensors["conv4.weight_u"]


def with_a_short_vector(tensors: Any) -> None:
    tensors["conv4.weight_v"] = np.zeros(5, np.float32)


def without_normalisation(tensors: Any) -> None:
    tensors["conv4.weight"] = tensors.pop("conv4.weight_orig")
    tensors["conv4.weight_mean"] = np.zeros(3, np.float32)


def of_a_generator(tensors: Any) -> None:
    tensors.clear()
    tensors["body.0.weight"] = np.zeros((3, 3, 3, 3), np.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_a_vector, "lacks batch_stats/conv4/u"),
        (with_a_short_vector, r"batch_stats/conv4/v has the shape \(5,\)"),
        (without_normalisation, "unknown tensor conv4.weight_mean; expected a U-Net discriminator"),
        (of_a_generator, "no U-Net discriminator found, but 1 tensors, body.0.weight"),
    ],
)
def test_other_networks_are_refused(tmp_path: pathlib.Path, variables: Any, change: Any, message: str) -> None:
    tensors = as_pytorch(variables, NAMES)
    change(tensors)
    with pytest.raises(MedsrError, match=message):
        load_unet(saved(tmp_path, tensors))
