"""The updates themselves, on random batches: devices, micro-batches, precision, and what is not finite."""

import dataclasses
import pathlib
import runpy

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.training.config.defaults import degradation
from medsr_jax.training.run.setup import build_setup
from medsr_jax.training.steps import state
from medsr_jax.training.steps.metrics import computed, totals_for

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"


def setup_of(name, *, devices, **changes):
    config = runpy.run_path(str(CONFIGS / f"{name}.py"))["get_config"]("tiny")
    changes = {"batch": 8, "objective.perceptual_weight": 0.0, "data.side": 32, "steps": 30} | changes
    for field, value in changes.items():
        *groups, last = field.split(".")
        group = config
        for part in groups:
            group = group[part]
        group[last] = value
    config.devices = devices
    config.degradation = degradation("bicubic")  # the full one takes long to compile and has tests of its own
    return build_setup(config)


def batches(setup, count):
    """Smooth random targets, (devices, N, side, side, 1) uint8."""
    random = np.random.default_rng(0)
    shape = (setup.local_devices, setup.config.batch // setup.local_devices)
    for _ in range(count):
        coarse = random.uniform(0, 255, (setup.config.batch, 4, 4, 1)).astype(np.float32)
        hr = jax.image.resize(coarse, (setup.config.batch, setup.side, setup.side, 1), "cubic")
        yield {"hr": np.clip(np.asarray(hr), 0, 255).astype(np.uint8).reshape(*shape, setup.side, setup.side, 1)}


def run(setup, steps, *, single=None):
    """(losses of each step, final state, logged averages)."""
    update = setup.step()
    running = state.replicate(setup.initial_state() if single is None else single, setup.devices)
    totals = state.replicate(totals_for(setup.objective).empty(), setup.devices)
    losses = []
    for batch in batches(setup, steps):
        running, totals, health = update(running, totals, state.spread(batch, setup.devices))
        losses.append([float(value) for value in state.unreplicate(health)])
    copies = [np.asarray(shard.data) for leaf in jax.tree.leaves(running) for shard in leaf.addressable_shards]
    count = len(setup.devices)
    for first in range(0, len(copies), count):
        for other in copies[first + 1 : first + count]:
            np.testing.assert_array_equal(other, copies[first])
    return np.array(losses), state.unreplicate(running), computed(state.unreplicate(totals))


@pytest.fixture(scope="module")
def on_one():
    return run(setup_of("realesrgan_xray", devices=1), 20)


@pytest.mark.parametrize("name", ["realesrnet_xray", "esrgan_xray"])
def test_four_devices_give_the_losses_of_one_for_twenty_steps(name):
    changes = {"discriminator.fields": {"channels": 1, "features": 4, "side": 32}} if name == "esrgan_xray" else {}
    one, four = (run(setup_of(name, devices=n, **changes), 20) for n in (1, 4))
    np.testing.assert_allclose(four[0], one[0], rtol=1e-5, atol=1e-5)


def test_four_devices_play_the_game_of_one_for_twenty_steps(on_one):
    losses, final, logged = run(setup_of("realesrgan_xray", devices=4), 20)
    np.testing.assert_allclose(losses, on_one[0], rtol=1e-5, atol=1e-5)
    assert int(final.step) == 20
    assert logged["loss"] == pytest.approx(losses[:, 0].mean(), rel=1e-5)
    assert 0.0 <= logged["accuracy"] <= 1.0


def test_micro_batches_take_the_same_steps_in_less_memory(on_one):
    losses, _, _ = run(setup_of("realesrgan_xray", devices=1, accumulate=4), 6)
    # The power iterations of the spectral norms move on four times as often, so the discriminator differs a little.
    np.testing.assert_allclose(losses[0], on_one[0][0], rtol=0.02)
    np.testing.assert_allclose(losses[:, 0], on_one[0][:6, 0], rtol=0.1)


def test_micro_batches_of_the_first_stage_are_exact():
    whole, parts = (run(setup_of("realesrnet_xray", devices=1, accumulate=n), 4)[0] for n in (1, 4))
    np.testing.assert_allclose(parts, whole, rtol=1e-5)


def with_nan(tree):
    return jax.tree.map(lambda leaf: leaf.at[(0,) * leaf.ndim].set(jnp.nan), tree)


def with_huge_moments(opt_state):
    """Adam's square of the gradient as it is after one that was near float32's end: its next update is not finite."""
    return jax.tree.map(lambda leaf: jnp.full_like(leaf, -1.0) if leaf.ndim else leaf, opt_state)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda network: dataclasses.replace(network, params=with_nan(network.params)),
        lambda network: dataclasses.replace(network, opt_state=with_huge_moments(network.opt_state)),
    ],
    ids=["loss", "update"],
)
def test_an_update_that_is_not_finite_is_left_out(spoil):
    setup = setup_of("realesrgan_xray", devices=1)
    good = setup.initial_state()
    before = jax.device_get(dataclasses.replace(good, discriminator=spoil(good.discriminator)))
    losses, after, logged = run(setup, 1, single=before)
    assert losses[0, 2] == 0.0
    assert (int(after.step), int(after.skipped)) == (1, 1)
    assert not logged
    for a, b in zip(jax.tree.leaves(before.generator), jax.tree.leaves(after.generator), strict=True):
        np.testing.assert_array_equal(a, b)


def test_half_precision_computes_what_single_does_nearly(on_one):
    losses, final, _ = run(setup_of("realesrgan_xray", devices=1, compute_dtype="bfloat16"), 3)
    np.testing.assert_allclose(losses[:, 0], on_one[0][:3, 0], rtol=0.05)
    assert {leaf.dtype for leaf in jax.tree.leaves(final.generator.params)} == {np.dtype(np.float32)}


def test_the_options_of_the_discriminator_run():
    changes = {"discriminator.scales": (1, 2), "objective.r1_weight": 1.0, "objective.adversarial": "hinge"}
    losses, final, logged = run(setup_of("realesrgan_xray", devices=1, **changes), 2)
    assert losses[:, 2].all()
    assert set(final.discriminator.params) == {"scale_1", "scale_2"}
    assert logged["r1"] > 0.0
