from __future__ import annotations

from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.models import RRDBNet, build
from medsr_jax.models.rrdb import RRDB, ResidualDenseBlock
from medsr_jax.models.shuffling import depth_to_space, space_to_depth


def parameter_count(model: Any, channels: Any = 3) -> Any:
    x = jax.ShapeDtypeStruct((1, 8, 8, channels), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0, impl="rbg"), x)
    return sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(variables))


@pytest.mark.parametrize(
    ("fields", "count"),
    [({}, 16_697_987), ({"blocks": 6}, 4_467_779), ({"scale": 2}, 16_703_171)],
)
def test_it_has_as_many_parameters_as_the_published_models(fields: dict[str, Any], count: int) -> None:
    assert parameter_count(RRDBNet(**fields)) == count


def test_field_names_map_onto_the_reference() -> None:
    x = jax.ShapeDtypeStruct((1, 8, 8, 3), jnp.float32)
    params = jax.eval_shape(RRDBNet(blocks=2).init, jax.random.key(0, impl="rbg"), x)["params"]
    shapes = {"/".join(path): leaf.shape for path, leaf in flax.traverse_util.flatten_dict(params).items()}
    assert shapes["conv_first/kernel"] == (3, 3, 3, 64)
    assert shapes["body/rdb2/conv5/kernel"] == (2, 3, 3, 192, 64)
    assert shapes["body/rdb3/conv1/bias"] == (2, 32)
    assert set(params) == {"conv_first", "body", "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"}


def naive_dense_block(params: Any, x: Any) -> Any:
    """As the paper draws it: five convolutions over growing concatenations."""
    seen = x
    for i in range(1, 6):
        p = params[f"conv{i}"]
        y = jax.lax.conv_general_dilated(seen, p["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        y = y + p["bias"]
        if i < 5:
            seen = jnp.concatenate([seen, jnp.where(y > 0, y, 0.2 * y)], axis=-1)
    return x + 0.2 * y


def test_the_dense_block_is_the_papers() -> None:
    x = jax.random.normal(jax.random.key(1, impl="rbg"), (2, 6, 5, 4))
    block = ResidualDenseBlock(growth=3)
    params = block.init(jax.random.key(2, impl="rbg"), x)["params"]
    params = jax.tree.map(lambda p: p + 0.1, params)
    np.testing.assert_allclose(block.apply({"params": params}, x), naive_dense_block(params, x), atol=1e-5)


def test_scanned_blocks_are_the_blocks_one_after_the_other() -> None:
    x = jax.random.uniform(jax.random.key(1, impl="rbg"), (1, 8, 8, 1))
    model = RRDBNet(channels=1, features=4, growth=2, blocks=3)
    params = model.init(jax.random.key(2, impl="rbg"), x)["params"]
    params["body"] = jax.tree.map(lambda p: 5.0 * p, params["body"])
    expected = model.apply({"params": params}, x)

    y = shallow = _conv(params["conv_first"], x)
    for i in range(3):
        block = jax.tree.map(lambda p, i=i: p[i], params["body"])
        y, _ = RRDB(growth=2).apply({"params": block}, y)
    y = shallow + _conv(params["conv_body"], y)
    for name in ("conv_up1", "conv_up2"):
        y = jax.nn.leaky_relu(_conv(params[name], jnp.repeat(jnp.repeat(y, 2, 1), 2, 2)), 0.2)
    y = _conv(params["conv_last"], jax.nn.leaky_relu(_conv(params["conv_hr"], y), 0.2))
    np.testing.assert_allclose(expected, y, atol=1e-5)


def _conv(p: Any, x: Any) -> Any:
    y = jax.lax.conv_general_dilated(x, p["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return y + p["bias"]


def test_rematerialisation_changes_no_gradient() -> None:
    x = jax.random.uniform(jax.random.key(1, impl="rbg"), (1, 8, 8, 1))
    params = RRDBNet(channels=1, features=4, growth=2, blocks=2).init(jax.random.key(2, impl="rbg"), x)["params"]

    def gradient(remat: Any) -> Any:
        model = RRDBNet(channels=1, features=4, growth=2, blocks=2, remat=remat)
        return jax.grad(lambda p: jnp.square(model.apply({"params": p}, x)).mean())(params)

    for a, b in zip(*(jax.tree.leaves(gradient(remat)) for remat in (False, True)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_the_output_is_scale_times_as_large(scale: int) -> None:
    model = RRDBNet(channels=1, features=4, growth=2, blocks=1, scale=scale)
    x = jax.ShapeDtypeStruct((2, 8, 12, 1), jnp.float32)
    y, _ = jax.eval_shape(lambda k, x: model.init_with_output(k, x), jax.random.key(0, impl="rbg"), x)
    assert y.shape == (2, 8 * scale, 12 * scale, 1)


def test_folding_is_in_the_references_channel_order() -> None:
    x = jnp.arange(2 * 2 * 2).reshape(1, 2, 2, 2)
    # Pixel (i, j) of channel c goes to channel 4 c + 2 i + j.
    np.testing.assert_array_equal(space_to_depth(x, block=2)[0, 0, 0], [0, 2, 4, 6, 1, 3, 5, 7])
    y = jax.random.normal(jax.random.key(0, impl="rbg"), (1, 8, 4, 3))
    np.testing.assert_array_equal(depth_to_space(space_to_depth(y, block=4), block=4), y)


def test_an_unknown_model_or_field_is_refused_by_name() -> None:
    with pytest.raises(
        Exception,
        match="model 'resnet' is none of bicubic, compact_rrdbnet, conditional_rrdbnet, rrdbnet, srcnn, srvgg",
    ):
        build("resnet", {})
    with pytest.raises(Exception, match="has no field 'width'"):
        build("rrdbnet", {"width": 3})
