from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from medsr_jax.degradation import Degradation, apply, preset, sample_keys
from medsr_jax.degradation.presets import PRESETS
from medsr_jax.degradation.steps import Blur, Downscale, FinalJpegAndSinc, Jpeg, Noise, Quantise, RandomResize
from medsr_jax.errors import MedsrError

degrade = jax.jit(apply, static_argnums=2)


@pytest.fixture(scope="module")
def hr(radiograph: np.ndarray) -> Any:
    patches = [radiograph[top : top + 64, left : left + 64] for top in (0, 90) for left in (0, 40, 80, 120)]
    return np.stack(patches)[..., None] / np.float32(255)


def test_a_batch_of_256_gives_64_at_scale_4() -> None:
    batch = jax.ShapeDtypeStruct((2, 256, 256, 1), jnp.float32)
    for name in PRESETS:
        pair = jax.eval_shape(lambda x, name=name: apply(jax.random.key(0), x, preset(name)), batch)
        assert pair.lr.shape == (2, 64, 64, 1) and pair.target.shape == batch.shape and pair.table.shape == (2, 8, 8)


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_gives_an_8_bit_image_of_the_target(name: Any, hr: Any) -> None:
    pair = degrade(jax.random.key(3), hr, preset(name))
    lr = np.asarray(pair.lr)
    assert lr.min() >= 0 and lr.max() <= 1
    np.testing.assert_allclose(lr * 255, np.rint(lr * 255), atol=1e-4)
    small = hr.reshape(8, 16, 4, 16, 4, 1).mean(axis=(2, 4))
    # Every one still shows its own patch.
    error = np.sqrt(np.square(lr[:, None] - small[None]).mean(axis=(2, 3, 4)))
    assert (error.argmin(axis=1) == np.arange(8)).mean() >= 0.75


def test_a_key_gives_one_pair_and_another_key_another(hr: Any) -> None:
    degradation = preset("high_order")
    first, again, other = (degrade(jax.random.key(seed), hr, degradation).lr for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (np.abs(first - other).max(axis=(1, 2, 3)) > 0).all()


def test_samples_of_one_batch_draw_for_themselves(hr: Any) -> None:
    same = np.broadcast_to(hr[:1], hr.shape)
    lr = np.asarray(degrade(jax.random.key(1), same, preset("high_order")).lr)
    assert len({sample.tobytes() for sample in lr}) == len(lr)


def test_one_device_and_four_give_the_same_pairs(hr: Any) -> None:
    """The medical preset has every step of the high order."""
    key, degradation = jax.random.key(5), preset("medical")
    one = degrade(key, hr, degradation)
    mesh = Mesh(np.array(jax.devices()[:4]), ("data",))
    four = degrade(key, jax.device_put(hr, NamedSharding(mesh, PartitionSpec("data"))), degradation)
    assert len(one.lr.devices()) == 1 and len(four.lr.devices()) == 4
    np.testing.assert_array_equal(one.lr, four.lr)
    np.testing.assert_array_equal(one.target, four.target)


def test_pmap_with_the_samples_own_keys_gives_the_same_pairs(hr: Any) -> None:
    key, degradation = jax.random.key(5), preset("medical")
    keys = sample_keys(key, 8).reshape(4, 2)
    pair = jax.pmap(lambda key, hr: apply(key, hr, degradation))(keys, hr.reshape(4, 2, 64, 64, 1))
    np.testing.assert_array_equal(pair.lr.reshape(8, 16, 16, 1), degrade(key, hr, degradation).lr)


def test_vmap_over_batches_gives_the_pairs_of_each(hr: Any) -> None:
    degradation = preset("classical")
    batches = hr.reshape(2, 4, 64, 64, 1)
    keys = jax.random.split(jax.random.key(0), 2)
    mapped = jax.jit(jax.vmap(lambda key, x: apply(key, x, degradation).lr))(keys, batches)
    for key, batch, lr in zip(keys, batches, mapped, strict=True):
        np.testing.assert_allclose(lr, degrade(key, batch, degradation).lr, atol=1.01 / 255)


def test_a_step_left_out_changes_no_draw_of_the_others(hr: Any) -> None:
    steps = {"downscale": Downscale(), "noise": Noise(gaussian=1.0, sigma=(5, 5)), "quantise": Quantise()}
    whole = Degradation(steps={"resize": RandomResize(), **steps})
    without = Degradation(steps=steps)
    flat = np.full_like(hr, 0.5)
    key = jax.random.key(0)
    np.testing.assert_array_equal(degrade(key, flat, whole).lr, degrade(key, flat, without).lr)


def test_the_table_is_that_of_the_grid_the_input_lies_on(hr: Any) -> None:
    coded = degrade(jax.random.key(0), hr, preset("transmission"))
    assert (np.asarray(coded.table) >= 1).all()
    assert not degrade(jax.random.key(0), hr, preset("bicubic")).table.any()
    steps = {"jpeg": Jpeg(), "downscale": Downscale()}
    assert not degrade(jax.random.key(0), hr, Degradation(steps=steps)).table.any()
    finish = degrade(jax.random.key(0), np.tile(hr, (8, 1, 1, 1)), Degradation(steps={"finish": FinalJpegAndSinc()}))
    assert 0.2 < (np.asarray(finish.table).max(axis=(1, 2)) > 0).mean() < 0.8


def test_the_sharpened_target_is_what_is_degraded(hr: Any) -> None:
    degradation = dataclasses.replace(preset("high_order"), steps={"downscale": Downscale(methods=("area",))})
    pair = degrade(jax.random.key(0), hr, degradation)
    assert np.abs(pair.target - hr).max() > 0.01
    np.testing.assert_allclose(pair.lr, pair.target.reshape(8, 16, 4, 16, 4, 1).mean(axis=(2, 4)), atol=1e-5)


def test_transmission_is_the_senders_own(radiograph: np.ndarray) -> None:
    """The packet's pixels, by the real sender and libjpeg, at the qualities that were drawn."""
    from medsr_jax.jpeg.coefficients import parse
    from medsr_jax.transmission.codecs import decode_jpeg, encode_jpeg
    from medsr_jax.transmission.downscaling import downscale

    patch = radiograph[:128, :128]
    hr = np.broadcast_to(patch[None, ..., None] / np.float32(255), (32, 128, 128, 1))
    pair = degrade(jax.random.key(0), hr, preset("transmission"))
    small = np.rint(downscale(patch, scale=4, kernel="area")).astype(np.uint8)
    sent = {}
    for quality in range(50, 76):
        stream = encode_jpeg(small, quality)
        sent[parse(stream).table.tobytes()] = (quality, decode_jpeg(stream).astype(int))
    drawn = set()
    for lr, table in zip(np.asarray(pair.lr), np.asarray(pair.table), strict=True):
        quality, decoded = sent[np.rint(table).astype(np.int32).tobytes()]
        drawn.add(quality)
        difference = np.abs(np.rint(lr[..., 0] * 255).astype(int) - decoded)
        assert difference.max() <= 1
    assert len(drawn) > 10 and drawn <= set(range(50, 76))


def test_bicubic_is_pillows(radiograph: np.ndarray) -> None:
    from PIL import Image

    patch = radiograph[:96, :128]
    theirs = np.asarray(Image.fromarray(patch).resize((32, 24), Image.Resampling.BICUBIC)).astype(int)
    lr = degrade(jax.random.key(0), patch[None, ..., None] / np.float32(255), preset("bicubic")).lr
    assert np.abs(np.rint(np.asarray(lr)[0, ..., 0] * 255) - theirs).max() <= 1


def test_the_gradient_of_classical_is_that_of_finite_differences(hr: Any) -> None:
    with jax.enable_x64(True):
        steps = dict(preset("classical").steps)
        del steps["quantise"]
        steps["jpeg"] = Jpeg(rounding="cubic")
        steps["noise"] = Noise(gaussian=1.0, sigma=(1.0, 5.0))
        degradation = Degradation(steps=steps)
        # Inside of the range, for clipping has no derivative at its ends.
        x = jnp.asarray(0.3 + 0.4 * hr[:2, :32, :32].astype(np.float64))
        weights = jnp.asarray(np.random.default_rng(0).normal(size=(2, 8, 8, 1)))

        @jax.jit
        def loss(x: Any) -> Any:
            return (weights * apply(jax.random.key(0), x, degradation).lr).sum()

        gradient = np.asarray(jax.jit(jax.grad(loss))(x))
        random = np.random.default_rng(1)
        for _ in range(4):
            direction = random.normal(size=x.shape)
            step = 1e-6
            difference = (loss(x + step * direction) - loss(x - step * direction)) / (2 * step)
            np.testing.assert_allclose(np.vdot(gradient, direction), difference, rtol=1e-4, atol=1e-7)
        assert np.abs(gradient).max() > 1e-3


def test_the_gradient_through_every_step_is_finite(hr: Any) -> None:
    gradient = jax.jit(jax.grad(lambda x: apply(jax.random.key(0), x, preset("medical")).lr.sum()))(hr)
    assert np.isfinite(gradient).all() and (np.abs(gradient).max(axis=(1, 2, 3)) > 0).all()


def test_what_can_not_be_degraded_is_refused_in_one_line() -> None:
    with pytest.raises(MedsrError, match="30x32 can't be shrunk by 4"):
        apply(jax.random.key(0), jnp.zeros((1, 30, 32, 1)), preset("bicubic"))
    with pytest.raises(MedsrError, match="2 channels"):
        apply(jax.random.key(0), jnp.zeros((1, 32, 32, 2)), preset("bicubic"))
    with pytest.raises(MedsrError, match=r"degradation.scale: 2\.0 is no whole number"):
        preset("bicubic", scale=2.0)
    with pytest.raises(TypeError, match=r"jax\.random\.key"):
        apply(jax.random.PRNGKey(0), jnp.zeros((1, 32, 32, 1)), preset("bicubic"))
    with pytest.raises(MedsrError, match="end with a Downscale"):
        Degradation(steps={"blur": Blur(), "resize": RandomResize()})
    with pytest.raises(MedsrError, match="give one of classical, high_order"):
        preset("medium")


def test_colour_has_three_channels(hr: Any) -> None:
    colour = jax.eval_shape(lambda x: apply(jax.random.key(0), x, preset("medical")), np.repeat(hr, 3, axis=3))
    assert colour.lr.shape == (8, 16, 16, 3)
    grey = degrade(jax.random.key(0), np.repeat(hr, 3, axis=3), preset("transmission")).lr
    # A grey image stays grey through YCbCr.
    np.testing.assert_allclose(grey[..., 0], grey[..., 2], atol=1.01 / 255)
