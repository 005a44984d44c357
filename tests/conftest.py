"""Four virtual CPU devices, one compilation cache for the whole run, and a tiny model that all tests share."""

from __future__ import annotations

import os
import pathlib
from typing import Any

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Unoptimised, since the tests compile far longer than they compute.
os.environ["XLA_FLAGS"] = (
    f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0"
)
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(pathlib.Path(__file__).parents[1] / ".cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")

import numpy as np
import pytest

TINY = {"features": 8, "blocks": 1, "growth": 4, "scale": 4, "fold": 4, "context": 8, "context_layers": 2}


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A weights file of a tiny generator with random parameters that change every pixel by a level or two."""
    import jax
    import jax.numpy as jnp

    from medsr_jax.models import CompactRRDBNet
    from medsr_jax.weights import model_file

    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    shapes = jax.eval_shape(CompactRRDBNet(**TINY).init, jax.random.key(0), jnp.zeros((1, 8, 8, 1)))["params"]
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: random.normal(0, 0.05, leaf.shape).astype(np.float32), shapes)
    model_file.save(path, model="compact_rrdbnet", fields=TINY, params=params, card={"name": "tiny"})
    return path


@pytest.fixture(scope="session")
def radiograph() -> Any:
    """A smooth picture with edges, (rows, columns) uint8: the shape of a chest, for tests that need no real one."""
    y, x = np.mgrid[0:160, 0:200] / 160.0
    picture = 110 + 60 * np.sin(3 * x) * np.cos(4 * y) + 25 * ((x - 0.6) ** 2 + (y - 0.5) ** 2 < 0.09)
    picture += 8 * np.sin(40 * x + 9 * np.sin(5 * y))
    return np.clip(picture, 0, 255).astype(np.uint8)


# The files that take longest, the longest first: whole files go to the test processes in turn, and one that came last
# would be waited for by all.
LONGEST = (
    "test_steps", "test_configs", "test_resume", "test_true_to_the_object", "test_folder", "test_composition",
    "test_checkpoints",
)  # fmt: skip


def pytest_collection_modifyitems(items: Any) -> None:
    """Long files first; the order within a file stays. Slow tests run where $MEDSR_SLOW is set."""
    if not os.environ.get("MEDSR_SLOW"):
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="takes a minute; make nightly runs it"))
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))
