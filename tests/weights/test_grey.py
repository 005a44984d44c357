from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.models import build
from medsr_jax.weights import Weights
from medsr_jax.weights.grey import for_grey
from medsr_jax.weights.importing.generator import converted
from tests.weights import ncnn_networks as networks

PATH = pathlib.Path("model.pth")


def weights_of(tensors: Any) -> Any:
    model, fields, params = converted(tensors, PATH)
    return Weights(model, fields, params, {"name": "colour"}, PATH)


def result(weights: Any, x: Any) -> Any:
    return build(weights.model, weights.fields).apply({"params": weights.params}, x)


def half_scale() -> Any:
    tensors = networks.rrdbnet(blocks=1).tensors
    tensors["conv_first.weight"] = np.random.default_rng(2).normal(0, 0.1, (6, 12, 3, 3)).astype(np.float32)
    return tensors


@pytest.mark.parametrize(
    "tensors",
    [networks.rrdbnet(blocks=1).tensors, half_scale(), networks.srvgg(scale=3).tensors],
    ids=["rrdbnet x4", "rrdbnet x2, unshuffled", "srvgg x3"],
)
def test_grey_in_is_the_mean_of_the_colours_out(tensors: Any) -> None:
    weights = weights_of(tensors)
    x = jnp.asarray(np.random.default_rng(0).random((1, 8, 10, 1)), jnp.float32)
    colours = result(weights, jnp.repeat(x, 3, axis=-1))
    grey = result(for_grey(weights), x)
    assert float(jnp.ptp(colours, axis=-1).max()) > 0.01  # the colours are not alike by themselves
    np.testing.assert_allclose(grey[..., 0], colours.mean(-1), atol=1e-6)


def test_the_card_says_so_and_a_grey_model_stays_as_it_is() -> None:
    folded = for_grey(weights_of(networks.srvgg().tensors))
    assert folded.fields["channels"] == 1
    assert "converted from 3 channels" in folded.card["channels"]
    assert for_grey(folded) is folded


def test_a_model_without_known_ends_is_refused() -> None:
    weights = dataclasses.replace(weights_of(networks.srvgg().tensors), model="srcnn")
    with pytest.raises(MedsrError, match="model.pth: srcnn of 3 channels can't be converted"):
        for_grey(weights)
