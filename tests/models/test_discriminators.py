from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.models import UNetDiscriminator, VGGStyleDiscriminator, build_discriminator
from medsr_jax.models.unet_discriminator import bilinear_x2

KEY = jax.random.key(0, impl="rbg")


def images(n: Any, side: Any, channels: Any = 1) -> Any:
    return jnp.asarray(np.random.default_rng(0).random((n, side, side, channels)), jnp.float32)


def parameters(model: Any, x: Any) -> Any:
    shapes = jax.eval_shape(functools.partial(model.init, train=False), jax.random.key(0), x)["params"]
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def random_variables(model: Any, x: Any) -> Any:
    """Made by NumPy: Linen's initialisers take longer to compile than the network."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), x)
    random = np.random.default_rng(0)

    def fill(path: Any, leaf: Any) -> Any:
        values = random.normal(0.0, 0.2, leaf.shape).astype(np.float32)
        return np.abs(values) if path[-1].key == "var" else values

    return jax.tree_util.tree_map_with_path(fill, shapes)


def four_devices(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.stack([leaf] * 4), tree)


def test_the_published_sizes_have_the_published_numbers_of_parameters() -> None:
    assert parameters(UNetDiscriminator(), jnp.zeros((1, 64, 64, 3))) == 4_376_897
    assert parameters(VGGStyleDiscriminator(), jnp.zeros((1, 128, 128, 3))) == 14_499_401


def test_the_unet_judges_each_pixel() -> None:
    model, x = UNetDiscriminator(channels=1, features=4), images(2, 16)[:, :8]
    logits = model.apply(random_variables(model, x), x)
    assert logits.shape == (2, 8, 16, 1)
    assert logits.dtype == jnp.float32


def test_the_unet_s_skips_can_be_left_out_without_changing_its_parameters() -> None:
    x = images(1, 8)
    with_skips = UNetDiscriminator(channels=1, features=4)
    variables = random_variables(with_skips, x)
    without = UNetDiscriminator(channels=1, features=4, skip=False).apply(variables, x)
    assert float(jnp.abs(with_skips.apply(variables, x) - without).max()) > 1e-3


def test_bilinear_enlargement_is_that_of_jax_image() -> None:
    x = images(1, 5, 3)[:, :4]
    np.testing.assert_allclose(bilinear_x2(x), jax.image.resize(x, (1, 8, 10, 3), "bilinear"), atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 4, 5, 3), (1, 1, 2, 1)])
def test_the_gradient_of_the_bilinear_enlargement_is_that_of_its_formula(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    n, h, w, c = shape
    x, g = (jnp.asarray(random.normal(size=size), jnp.float32) for size in (shape, (n, 2 * h, 2 * w, c)))
    ours = jax.vjp(bilinear_x2, x)[1](g)[0]
    resized = jax.vjp(lambda x: jax.image.resize(x, g.shape, "bilinear"), x)[1](g)[0]
    np.testing.assert_allclose(ours, resized, atol=1e-5)


@pytest.mark.parametrize("name", ["unet", "vgg"])
def test_bfloat16_computes_close_to_float32_and_leaves_parameters_and_state_float32(name: str) -> None:
    fields = {"channels": 1, "features": 4, **({"side": 32, "axis_name": None} if name == "vgg" else {})}
    x = images(4, 32)
    exact = build_discriminator(name, fields)
    variables = random_variables(exact, x)
    half = build_discriminator(name, fields, dtype=jnp.bfloat16)
    logits, changed = half.apply(variables, x, train=True, mutable=["batch_stats"])
    expected, _ = exact.apply(variables, x, train=True, mutable=["batch_stats"])
    assert logits.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves((jax.eval_shape(half.init, KEY, x), changed))} == {
        jnp.dtype("float32")
    }
    np.testing.assert_allclose(logits, expected, atol=0.05 * float(jnp.abs(expected).max()) + 0.02)


def test_the_unet_s_state_stays_equal_on_devices_that_see_other_images() -> None:
    model = UNetDiscriminator(channels=1, features=4)
    x = images(4, 8)[:, None]
    variables = random_variables(model, x[0])

    @functools.partial(jax.pmap, axis_name="devices")
    def state_after(variables: Any, x: Any) -> Any:
        return model.apply(variables, x, train=True, mutable=["batch_stats"])[1]

    for leaf in jax.tree.leaves(jax.device_get(state_after(four_devices(variables), x))):
        assert (leaf == leaf[0]).all()


def test_the_vgg_discriminator_on_four_devices_is_that_on_one() -> None:
    x = images(8, 32)
    alone = VGGStyleDiscriminator(channels=1, features=4, side=32, axis_name=None)
    spread = VGGStyleDiscriminator(channels=1, features=4, side=32, axis_name="devices")
    variables = random_variables(alone, x)

    def judge(model: Any, variables: Any, x: Any) -> tuple[Any, ...]:
        def loss(params: Any) -> tuple[Any, ...]:
            logits, changed = model.apply({**variables, "params": params}, x, train=True, mutable=["batch_stats"])
            return jnp.square(logits - 1.0).mean(), (logits, changed)

        gradient, (logits, changed) = jax.grad(loss, has_aux=True)(variables["params"])
        return gradient, logits, changed

    @functools.partial(jax.pmap, axis_name="devices")
    def judge_share(variables: Any, x: Any) -> tuple[Any, ...]:
        gradient, logits, changed = judge(spread, variables, x)
        return jax.lax.pmean(gradient, "devices"), logits, changed

    gradient, logits, changed = jax.jit(functools.partial(judge, alone))(variables, x)
    shares = judge_share(four_devices(variables), x.reshape(4, 2, *x.shape[1:]))
    np.testing.assert_allclose(shares[1].reshape(8, 1), logits, atol=1e-4)
    for one, four in ((gradient, shares[0]), (changed, shares[2])):
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(four), strict=True):
            np.testing.assert_allclose(b[0], a, atol=1e-4)


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (UNetDiscriminator(channels=1), (1, 12, 16, 1), "multiples of 8"),
        (VGGStyleDiscriminator(channels=1), (1, 64, 64, 1), "128x128"),
        (VGGStyleDiscriminator(channels=1, side=48), (1, 48, 48, 1), "multiple of 32"),
    ],
)
def test_images_that_a_discriminator_is_not_for_are_refused(model: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(model.init, jax.random.key(0), jnp.zeros(shape))


def test_an_unknown_discriminator_or_field_is_named_with_what_there_is() -> None:
    with pytest.raises(MedsrError, match="discriminator 'gpt' is none of unet, vgg"):
        build_discriminator("gpt", {})
    with pytest.raises(MedsrError, match="has no field 'colour'; it has channels, features, skip"):
        build_discriminator("unet", {"colour": 1})
