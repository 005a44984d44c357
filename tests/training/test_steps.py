"""Training steps on random batches: devices, gradient accumulation, precision, and updates that are not finite."""

import dataclasses
import pathlib
import runpy
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.training.config.checking import checked
from medsr_jax.training.config.schema import degradation
from medsr_jax.training.run.setup import Setup, build_setup
from medsr_jax.training.steps import state
from medsr_jax.training.steps.metrics import computed, totals_for

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"


# The smallest generator: test_configs.py trains the configs' own, which compile for twice as long.
GENERATOR = {"channels": 1, "features": (4, 4), "sizes": (3, 1, 3), "scale": 4}


def setup_of(name: str, *, devices: int, **changes: object) -> Setup:
    config = runpy.run_path(str(CONFIGS / f"{name}.py"))["get_config"]("tiny")
    config.model.name, config.model.fields = "srcnn", GENERATOR
    changes = {"batch": 8, "objective.perceptual_weight": 0.0, "data.side": 32, "steps": 30} | changes
    for field, value in changes.items():
        *groups, last = field.split(".")
        group = config
        for part in groups:
            group = group[part]
        group[last] = value
    config.devices = devices
    config.degradation = degradation("bicubic")  # the full one takes long to compile and has tests of its own
    return build_setup(checked(config))


def batches(setup: Setup, count: int) -> Iterator[dict[str, np.ndarray]]:
    """Smooth random targets, (devices, N, side, side, 1) uint8."""
    random = np.random.default_rng(0)
    shape = (setup.local_devices, setup.config.batch // setup.local_devices)
    for _ in range(count):
        coarse = random.uniform(0, 255, (setup.config.batch, 4, 4, 1)).astype(np.float32)
        hr = jax.image.resize(
            coarse, (setup.config.batch, setup.config.target_side, setup.config.target_side, 1), "cubic"
        )
        yield {
            "hr": np.clip(np.asarray(hr), 0, 255)
            .astype(np.uint8)
            .reshape(*shape, setup.config.target_side, setup.config.target_side, 1)
        }


def run(
    setup: Setup, steps: int, *, single: Any = None, update: Any = None
) -> tuple[np.ndarray, Any, dict[str, float]]:
    """(losses of each step, final state, logged averages)."""
    update = update or setup.step()
    running = state.replicate(setup.initial_state() if single is None else single, setup.devices)
    totals = state.replicate(totals_for(setup.objective).empty(), setup.devices)
    losses = []
    for batch in batches(setup, steps):
        running, totals, health = update(running, totals, state.shard(batch, setup.devices))
        losses.append([float(value) for value in state.unreplicate(health)])
    copies = [np.asarray(shard.data) for leaf in jax.tree.leaves(running) for shard in leaf.addressable_shards]
    count = len(setup.devices)
    for first in range(0, len(copies), count):
        for other in copies[first + 1 : first + count]:
            np.testing.assert_array_equal(other, copies[first])
    return np.array(losses), state.unreplicate(running), computed(state.unreplicate(totals))


@pytest.fixture(scope="module")
def gan() -> tuple[Setup, Any]:
    """A GAN on one device, and its compiled step."""
    setup = setup_of("realesrgan_xray", devices=1)
    return setup, setup.step()


@pytest.fixture(scope="module")
def on_one(gan: tuple[Setup, Any]) -> tuple[np.ndarray, Any, dict[str, float]]:
    return run(gan[0], 20, update=gan[1])


# esrgan_xray compiles for a minute; test_objective.py and test_discriminators.py spread its parts over devices.
@pytest.mark.parametrize("name", ["realesrnet_xray", pytest.param("esrgan_xray", marks=pytest.mark.slow)])
def test_four_devices_match_losses_of_one_for_twenty_steps(name: str) -> None:
    changes = {"discriminator.fields": {"channels": 1, "features": 4, "side": 32}} if name == "esrgan_xray" else {}
    one, four = (run(setup_of(name, devices=n, **changes), 20) for n in (1, 4))
    np.testing.assert_allclose(four[0], one[0], rtol=1e-5, atol=1e-5)


def test_four_devices_match_gan_losses_of_one_for_twenty_steps(on_one: Any) -> None:
    losses, final, logged = run(setup_of("realesrgan_xray", devices=4), 20)
    np.testing.assert_allclose(losses, on_one[0], rtol=1e-5, atol=1e-5)
    assert int(final.step) == 20
    assert logged["loss"] == pytest.approx(losses[:, 0].mean(), rel=1e-5)
    assert 0.0 <= logged["accuracy"] <= 1.0


def test_gradient_accumulation_nearly_matches_the_whole_batch_of_a_gan(on_one: Any) -> None:
    losses, _, _ = run(setup_of("realesrgan_xray", devices=1, accumulate=4), 6)
    # The power iterations of the spectral norms move on four times as often, so the discriminator differs a little.
    np.testing.assert_allclose(losses[0], on_one[0][0], rtol=0.02)
    np.testing.assert_allclose(losses[:, 0], on_one[0][:6, 0], rtol=0.1)


def test_gradient_accumulation_matches_the_whole_batch_of_the_first_stage() -> None:
    whole, parts = (run(setup_of("realesrnet_xray", devices=1, accumulate=n), 4)[0] for n in (1, 4))
    np.testing.assert_allclose(parts, whole, rtol=1e-5)


def with_nan(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.at[(0,) * leaf.ndim].set(jnp.nan), tree)


def with_huge_moments(opt_state: Any) -> Any:
    """Adam's second moment after a gradient near float32's limit: the next update is not finite."""
    return jax.tree.map(lambda leaf: jnp.full_like(leaf, -1.0) if leaf.ndim else leaf, opt_state)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda network: dataclasses.replace(network, params=with_nan(network.params)),
        lambda network: dataclasses.replace(network, opt_state=with_huge_moments(network.opt_state)),
    ],
    ids=["loss", "update"],
)
def test_an_update_that_is_not_finite_is_not_applied(spoil: Any, gan: tuple[Setup, Any]) -> None:
    setup, update = gan
    good = setup.initial_state()
    before = jax.device_get(dataclasses.replace(good, discriminator=spoil(good.discriminator)))
    losses, after, logged = run(setup, 1, single=before, update=update)
    assert losses[0, 2] == 0.0
    assert (int(after.step), int(after.skipped)) == (1, 1)
    assert not logged
    for a, b in zip(jax.tree.leaves(before.generator), jax.tree.leaves(after.generator), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_bfloat16_nearly_matches_float32(on_one: Any) -> None:
    losses, final, _ = run(setup_of("realesrgan_xray", devices=1, compute_dtype="bfloat16"), 3)
    np.testing.assert_allclose(losses[:, 0], on_one[0][:3, 0], rtol=0.05)
    assert {leaf.dtype for leaf in jax.tree.leaves(final.generator.params)} == {np.dtype(np.float32)}


@pytest.mark.slow
def test_scales_r1_and_hinge_of_the_discriminator_run() -> None:
    changes = {"discriminator.scales": (1, 2), "objective.r1_weight": 1.0, "objective.adversarial": "hinge"}
    losses, final, logged = run(setup_of("realesrgan_xray", devices=1, **changes), 2)
    assert losses[:, 2].all()
    assert set(final.discriminator.params) == {"scale_1", "scale_2"}
    assert logged["r1"] > 0.0
