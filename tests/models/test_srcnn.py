from __future__ import annotations

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.imaging import Image
from medsr_jax.models import SRCNN, build
from medsr_jax.models.compact import bicubic
from medsr_jax.restoration import Restorer
from medsr_jax.transmission.sender import compress
from medsr_jax.weights import model_file

FIELDS = {"features": [4, 3], "sizes": [5, 1, 3], "scale": 4}


def test_the_published_9_5_5_has_the_published_number_of_parameters() -> None:
    shapes = jax.eval_shape(SRCNN().init, jax.random.key(0), jnp.zeros((1, 8, 8, 1)))["params"]
    kernels = sum(leaf["kernel"].size for leaf in shapes.values())
    assert kernels == 57_184  # the paper counts no biases
    assert kernels == 81 * 64 + 25 * 64 * 32 + 25 * 32


@pytest.mark.parametrize("scale", [2, 3])
def test_it_enlarges_images_of_any_size(scale: int) -> None:
    model = build("srcnn", {**FIELDS, "channels": 3, "scale": scale})
    y, _ = model.init_with_output(jax.random.key(0, impl="rbg"), jnp.ones((2, 5, 7, 3)), None)
    assert y.shape == (2, 5 * scale, 7 * scale, 3)


def test_a_residual_of_zero_is_the_bicubic_enlargement() -> None:
    model = build("srcnn", {**FIELDS, "residual": True})
    x = jnp.asarray(np.random.default_rng(0).random((1, 6, 5, 1)), jnp.float32)
    zeros = jax.tree.map(jnp.zeros_like, model.init(jax.random.key(0, impl="rbg"), x))
    np.testing.assert_array_equal(model.apply(zeros, x), bicubic(x, scale=4))


def test_the_receiver_restores_with_it(tmp_path: pathlib.Path, radiograph: np.ndarray) -> None:
    model = build("srcnn", FIELDS)
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 8, 8, 1)))["params"]
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: random.normal(0, 0.2, leaf.shape).astype(np.float32), shapes)
    path = tmp_path / "srcnn.safetensors"
    model_file.save(path, model="srcnn", fields=FIELDS, params=params, card={})
    packet = compress(Image(pixels=radiograph[None], value_range=(0, 255), kind="png"), quality=60)
    whole = Restorer(path, tile=None)(packet).pixels.astype(int)
    tiled = Restorer(path, tile=8, halo=8)(packet).pixels.astype(int)
    assert whole.shape == (1, *radiograph.shape)
    assert np.abs(whole - tiled).max() <= 1
