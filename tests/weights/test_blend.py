from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.weights import model_file
from medsr_jax.weights.blend import blend
from medsr_jax.weights.grey import for_grey
from medsr_jax.weights.parameters import flatten
from tests.weights import ncnn_networks as networks
from tests.weights.test_grey import weights_of


@pytest.fixture(scope="module")
def two() -> Any:
    return [weights_of(networks.rrdbnet(blocks=1, seed=seed).tensors) for seed in (0, 1)]


def test_every_parameter_is_the_weighted_mean(two: Any) -> None:
    mixed = flatten(blend(*two, alpha=0.3).params)
    first, second = (flatten(weights.params) for weights in two)
    for key in mixed:
        np.testing.assert_allclose(mixed[key], 0.7 * first[key] + 0.3 * second[key], atol=1e-6)


def test_the_ends_are_the_models_themselves(two: Any) -> None:
    for alpha, whole in ((0.0, two[0]), (1.0, two[1])):
        mixed = flatten(blend(*two, alpha=alpha).params)
        for key, leaf in flatten(whole.params).items():
            np.testing.assert_array_equal(mixed[key], leaf)


def test_a_colour_model_and_a_grey_one_meet_in_grey(two: Any) -> None:
    mixed = blend(two[0], for_grey(two[1]), alpha=0.5)
    expected = flatten(for_grey(blend(*two, alpha=0.5)).params)
    assert mixed.fields["channels"] == 1
    for key, leaf in flatten(mixed.params).items():
        np.testing.assert_allclose(leaf, expected[key], atol=1e-6)


def test_the_card_says_what_it_is_made_of(two: Any) -> None:
    card = blend(*two, alpha=0.3).card
    assert card["blend"] == "0.7 of colour and 0.3 of colour"
    assert "not measured" in card["note"]


def test_models_of_two_builds_are_refused(two: Any) -> None:
    other = weights_of(networks.rrdbnet(blocks=2).tensors)
    with pytest.raises(MedsrError, match="both must have the same architecture"):
        blend(two[0], other, alpha=0.5)


def test_fields_that_have_no_parameters_are_compared_too(tiny_weights: Any) -> None:
    first = model_file.load(tiny_weights)
    blind = dataclasses.replace(first, fields={**first.fields, "blind": not first.fields.get("blind", False)})
    saving = dataclasses.replace(first, fields={**first.fields, "remat": True})
    blend(first, saving, alpha=0.5)
    with pytest.raises(MedsrError, match="both must have the same architecture"):
        blend(first, blind, alpha=0.5)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, float("nan")])
def test_an_alpha_outside_is_refused(two: Any, alpha: float) -> None:
    with pytest.raises(MedsrError, match="must be from 0 to 1"):
        blend(*two, alpha=alpha)
