import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.models import MODELS, build
from medsr_jax.weights.shapes import Shapes, mismatch, shapes_of, traced_shapes

COMPACT = {"features": 6, "blocks": 2, "growth": 3}
BUILDS: list[tuple[str, dict[str, Any]]] = [
    ("rrdbnet", {"features": 6, "blocks": 2, "growth": 3}),
    ("rrdbnet", {"features": 4, "blocks": 1, "growth": 4, "scale": 2, "channels": 1}),
    ("rrdbnet", {"features": 4, "blocks": 1, "growth": 4, "scale": 1, "out_channels": 1, "remat": True}),
    ("compact_rrdbnet", {}),
    ("compact_rrdbnet", {**COMPACT, "scale": 3, "fold": 2, "context": 5, "context_layers": 1}),
    ("compact_rrdbnet", {**COMPACT, "fold": 8, "context": 4, "context_layers": 2, "blind": True}),
    ("compact_rrdbnet", {**COMPACT, "fold": 1, "context": 0}),
    ("conditional_rrdbnet", {}),
    ("conditional_rrdbnet", {**COMPACT, "grid": 8, "scales": (1, 8), "scale": 8}),
    ("srvgg", {"features": 5, "convolutions": 3, "scale": 2}),
    ("srvgg", {"features": 5, "convolutions": 1, "channels": 1}),
    ("srcnn", {"features": [4, 3], "sizes": [9, 1, 5], "residual": True}),
]


def convolution(name: str, kernel: Sequence[int], *, stacked: int | None = None) -> Shapes:
    """A kernel and a bias, with a leading axis for stacked blocks."""
    lead = () if stacked is None else (stacked,)
    return {f"{name}/kernel": (*lead, *kernel), f"{name}/bias": (*lead, kernel[-1])}


def dense_blocks(*, blocks: int) -> Shapes:
    """Of 6 features and growth 3: each convolution takes all features before it."""
    inputs = {1: (6, 3), 2: (9, 3), 3: (12, 3), 4: (15, 3), 5: (18, 6)}
    shapes: Shapes = {}
    for rdb in (1, 2, 3):
        for conv, widths in inputs.items():
            shapes |= convolution(f"body/rdb{rdb}/conv{conv}", (3, 3, *widths), stacked=blocks)
    return shapes


EXPECTED: list[tuple[str, dict[str, Any], Shapes]] = [
    (
        "rrdbnet",
        {"features": 6, "blocks": 2, "growth": 3, "scale": 2},  # pixels of 2x2 are folded into 4 times 3 channels
        convolution("conv_first", (3, 3, 12, 6))
        | dense_blocks(blocks=2)
        | convolution("conv_body", (3, 3, 6, 6))
        | convolution("conv_up1", (3, 3, 6, 6))
        | convolution("conv_up2", (3, 3, 6, 6))
        | convolution("conv_hr", (3, 3, 6, 6))
        | convolution("conv_last", (3, 3, 6, 3)),
    ),
    (
        "compact_rrdbnet",  # 8x8 coefficients and the strength; 16 channels of context at a fold of 2
        {**COMPACT, "scale": 3, "fold": 2, "context": 5, "context_layers": 2},
        convolution("context_1", (3, 3, 65, 5))
        | convolution("context_2", (3, 3, 5, 5))
        | convolution("context_last", (1, 1, 5, 256))
        | convolution("conv_first", (3, 3, 25, 6))
        | dense_blocks(blocks=2)
        | convolution("conv_body", (3, 3, 6, 6))
        | convolution("conv_last", (3, 3, 6, 36)),
    ),
    (
        "srvgg",
        {"features": 5, "convolutions": 3, "channels": 1, "scale": 2},
        convolution("conv_first", (3, 3, 1, 5))
        | {"act_first/weight": (5,), "body/act/weight": (3, 5)}
        | convolution("body/conv", (3, 3, 5, 5), stacked=3)
        | convolution("conv_last", (3, 3, 5, 4)),
    ),
    (
        "srcnn",
        {"channels": 1, "features": [4, 3], "sizes": [9, 1, 5]},
        convolution("conv1", (9, 9, 1, 4)) | convolution("conv2", (1, 1, 4, 3)) | convolution("conv3", (5, 5, 3, 1)),
    ),
]


@pytest.mark.parametrize(("model", "fields", "expected"), EXPECTED, ids=[row[0] for row in EXPECTED])
def test_shapes_are_those_of_the_architecture(model: str, fields: dict[str, Any], expected: Shapes) -> None:
    assert shapes_of(model, fields) == expected
    assert traced_shapes(build(model, fields)) == expected


@pytest.mark.parametrize(
    ("model", "fields", "published"),
    [
        # Real-ESRGAN x4plus and realesr-animevideov3, from their files; SRCNN 9-1-5 has 8032 weights (Dong et al. 2014,
        # section 4.3) and 97 biases.
        ("rrdbnet", {"channels": 3, "features": 64, "blocks": 23, "growth": 32, "scale": 4}, 16_697_987),
        ("srvgg", {"channels": 3, "features": 64, "convolutions": 16, "scale": 4}, 621_424),
        ("srcnn", {"channels": 1, "features": [64, 32], "sizes": [9, 1, 5]}, 8032 + 97),
    ],
)
def test_published_networks_have_their_number_of_parameters(model: str, fields: dict[str, Any], published: int) -> None:
    assert sum(math.prod(shape) for shape in shapes_of(model, fields).values()) == published


@pytest.mark.parametrize(("model", "fields"), BUILDS)
def test_written_shapes_equal_traced_ones(model: str, fields: dict[str, Any]) -> None:
    assert shapes_of(model, fields) == traced_shapes(build(model, fields))


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_shapes(model: str) -> None:
    assert shapes_of(model, {}) == traced_shapes(build(model, {}))


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
        ("rrdbnet", {"scale": 3}, "field 'scale' of rrdbnet must be 1, 2 or 4, not 3"),
        ("compact_rrdbnet", {"fold": 3}, "field 'fold' .* must divide 8"),
        ("srcnn", {"features": [64]}, "field 'features'"),
        ("srcnn", {"sizes": [9, 4, 5]}, "invalid fields of SRCNN"),
    ],
)
def test_invalid_fields_are_refused(model: str, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(MedsrError, match=message):
        shapes_of(model, fields)


def test_mismatches_are_described() -> None:
    expected = {"a/kernel": (2, 3), "a/bias": (3,)}
    flat = {name: np.zeros(shape, np.float32) for name, shape in expected.items()}
    assert mismatch(flat, expected) == ""
    assert mismatch({"a/kernel": flat["a/kernel"]}, expected) == "lacks a/bias"
    assert mismatch({**flat, "a/bias": np.zeros(2)}, expected) == "a/bias has the shape (2,), not (3,)"
    assert mismatch({**flat, "a": np.zeros(2)}, expected) == "has an unknown a"
