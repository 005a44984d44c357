import numpy as np
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.models import MODELS, build
from medsr_jax.weights.shapes import asked_of_flax, mismatch, shapes_of

COMPACT = {"features": 6, "blocks": 2, "growth": 3}
BUILDS = [
    ("rrdbnet", {"features": 6, "blocks": 2, "growth": 3}),
    ("rrdbnet", {"features": 4, "blocks": 1, "growth": 4, "scale": 2, "channels": 1}),
    ("rrdbnet", {"features": 4, "blocks": 1, "growth": 4, "scale": 1, "out_channels": 1, "remat": True}),
    ("compact_rrdbnet", {}),
    ("compact_rrdbnet", {**COMPACT, "scale": 3, "fold": 2, "context": 5, "context_layers": 1}),
    ("compact_rrdbnet", {**COMPACT, "fold": 8, "context": 4, "context_layers": 2, "blind": True}),
    ("compact_rrdbnet", {**COMPACT, "fold": 1, "context": 0}),
    ("srvgg", {"features": 5, "convolutions": 3, "scale": 2}),
    ("srvgg", {"features": 5, "convolutions": 1, "channels": 1}),
    ("srcnn", {"features": [4, 3], "sizes": [9, 1, 5], "residual": True}),
]


@pytest.mark.parametrize(("model", "fields"), BUILDS)
def test_they_are_those_of_the_module(model, fields):
    assert shapes_of(model, fields) == asked_of_flax(build(model, fields))


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_shapes(model):
    assert shapes_of(model, {}) == asked_of_flax(build(model, {}))


@pytest.mark.parametrize(
    ("model", "fields", "message"),
    [
        ("swinir", {}, "model 'swinir' is none of"),
        ("rrdbnet", {"window": 8}, "has no field 'window'"),
        ("rrdbnet", {"blocks": "2"}, "field 'blocks' of rrdbnet can't be '2'"),
        ("rrdbnet", {"blocks": True}, "field 'blocks' .* True"),
        ("rrdbnet", {"blocks": 0}, "field 'blocks' .* 0"),
        ("rrdbnet", {"features": 10**9}, "field 'features'"),
        ("rrdbnet", {"features": {"a": 1}}, "field 'features'"),
        ("rrdbnet", {"remat": 1}, "field 'remat'"),
        ("rrdbnet", {"out_channels": 1.5}, "field 'out_channels'"),
        ("rrdbnet", {"scale": 3}, "field 'scale' of rrdbnet is 1, 2 or 4, not 3"),
        ("compact_rrdbnet", {"fold": 3}, "field 'fold' .* divides 8"),
        ("srcnn", {"features": [64]}, "field 'features'"),
        ("srcnn", {"sizes": [9, 4, 5]}, "there is no SRCNN with such fields"),
    ],
)
def test_fields_of_no_network_are_refused(model, fields, message):
    with pytest.raises(MedsrError, match=message):
        shapes_of(model, fields)


def test_what_is_wrong_with_parameters_is_said():
    expected = {"a/kernel": (2, 3), "a/bias": (3,)}
    flat = {name: np.zeros(shape, np.float32) for name, shape in expected.items()}
    assert mismatch(flat, expected) == ""
    assert mismatch({"a/kernel": flat["a/kernel"]}, expected) == "lacks a/bias"
    assert mismatch({**flat, "a/bias": np.zeros(2)}, expected) == "a/bias is of shape (2,) and not (3,)"
    assert mismatch({**flat, "a": np.zeros(2)}, expected) == "holds a, which has no place there"
