"""The updates themselves, on random batches: devices, micro-batches, precision, and what is not finite."""

import dataclasses
import pathlib
import runpy

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.training import state
from medsr_jax.training.metrics import computed, totals_for
from medsr_jax.training.setup import build_setup

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
    return build_setup(config)


def batches(setup, count):
    """Smooth random targets, (devices, N, side, side, 1) uint8."""
    random = np.random.default_rng(0)
    shape = (setup.local_devices, setup.config.batch // setup.local_devices)
    for _ in range(count):
        coarse = random.uniform(0, 255, (setup.config.batch, 4, 4, 1)).astype(np.float32)
        hr = jax.image.resize(coarse, (setup.config.batch, setup.side, setup.side, 1), "cubic")
        yield {"hr": np.clip(np.asarray(hr), 0, 255).astype(np.uint8).reshape(*shape, setup.side, setup.side, 1)}


def run(setup, steps, *, single=None, spoil=None):
    """(losses of each step, final state, logged averages)."""
    update = setup.step()
    single = single if single is not None else setup.initial_state()
    running = state.replicate(single, setup.devices)
    totals = state.replicate(totals_for(setup.objective).empty(), setup.devices)
    losses = []
    for number, batch in enumerate(batches(setup, steps)):
        if number == spoil:
            params = jax.tree.map(lambda leaf: leaf.at[(0,) * leaf.ndim].set(jnp.nan), single.generator.params)
            kept = running
            bad = dataclasses.replace(single, generator=dataclasses.replace(single.generator, params=params))
            running = state.replicate(bad, setup.devices)
            del kept
        running, totals, pulse = update(running, totals, state.spread(batch, setup.devices))
        losses.append([float(value) for value in state.unreplicate(pulse)])
    return np.array(losses), state.unreplicate(running), computed(state.unreplicate(totals))


@pytest.mark.parametrize("name", ["realesrnet_xray", "realesrgan_xray", "esrgan_xray"])
def test_four_devices_give_the_losses_of_one_for_twenty_steps(name):
    changes = {"discriminator.fields": {"channels": 1, "features": 4, "side": 32}} if name == "esrgan_xray" else {}
    one, four = (run(setup_of(name, devices=n, **changes), 20) for n in (1, 4))
    np.testing.assert_allclose(four[0], one[0], rtol=1e-5, atol=1e-5)
