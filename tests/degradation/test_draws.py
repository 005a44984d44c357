"""10 000 draws of every step of `high_order` against Real-ESRGAN's published configuration.

The kernels of the blurs are in test_kernels.py.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from scipy import stats

from medsr_jax.degradation import preset
from medsr_jax.degradation.kernels import SIZES, KernelMixture
from medsr_jax.degradation.randomness import sample_keys

N = 10_000
STEPS = preset("high_order").steps
KEYS = sample_keys(jax.random.key(7), N)


def uniform(values: Any, low: Any, high: Any) -> Any:
    return stats.kstest(np.asarray(values), "uniform", (low, high - low)).pvalue > 1e-3


def share(values: Any, probability: Any) -> Any:
    return stats.binomtest(int(np.sum(values)), len(values), probability).pvalue > 1e-3


def drawn(step: Any, keys: Any = KEYS) -> Any:
    return jax.tree.map(np.asarray, jax.jit(step.draw)(keys))


@pytest.mark.parametrize(
    ("name", "shares", "most", "least", "of"),
    [("resize_1", (0.2, 0.7, 0.1), 1.5, 0.15, "input"), ("resize_2", (0.3, 0.4, 0.3), 1.2, 0.3, "output")],
)
def test_resizes(name: str, shares: tuple[float, ...], most: float, least: float, of: str) -> None:
    scale, method = drawn(STEPS[name])
    assert STEPS[name].of == of
    counts = [(scale > 1).sum(), (scale < 1).sum(), (scale == 1).sum()]
    assert stats.chisquare(counts, N * np.array(shares)).pvalue > 1e-3
    assert uniform(scale[scale > 1], 1, most) and uniform(scale[scale < 1], least, 1)
    assert STEPS[name].methods == ("area", "bilinear", "bicubic")
    assert stats.chisquare(np.bincount(method)).pvalue > 1e-3
    assert abs(np.corrcoef(scale, method)[0, 1]) < 0.05


@pytest.mark.parametrize(("name", "sigma", "poisson"), [("noise_1", 30, 3.0), ("noise_2", 25, 2.5)])
def test_noises(name: str, sigma: int, poisson: float) -> None:
    values = drawn(STEPS[name])
    assert share(values["gaussian"], 0.5) and share(values["grey"], 0.4)
    assert uniform(values["sigma"] * 255, 1, sigma) and uniform(values["scale"], 0.05, poisson)


@pytest.mark.parametrize("step", [STEPS["jpeg_1"], STEPS["finish"].jpeg])
def test_qualities(step: Any) -> None:
    assert uniform(drawn(step), 30, 95)
    assert step.tables == "continuous"


def test_the_second_blur_is_left_out_for_a_fifth() -> None:
    kernels = drawn(STEPS["blur_2"], KEYS[:3000])
    assert share(kernels[:, 10, 10] < 1, 0.8)
    assert STEPS["blur_1"].kernels == KernelMixture() and STEPS["blur_1"].probability == 1
    assert STEPS["blur_2"].kernels == KernelMixture(sigma=(0.2, 1.5))


def test_the_last_sinc_is_left_out_for_a_fifth() -> None:
    step = STEPS["finish"].sinc
    assert share(drawn(step, KEYS[:3000])[:, 10, 10] < 1, 0.8)
    np.testing.assert_allclose(step.cutoff, (np.pi / 3, np.pi))
    assert step.sizes == SIZES and STEPS["finish"].jpeg_last == 0.5


def test_transmission_draws_whole_qualities_of_the_senders_range() -> None:
    quality = drawn(preset("transmission").steps["jpeg"])
    assert stats.chisquare(np.bincount(quality.astype(int))[50:]).pvalue > 1e-3 and set(quality) == set(range(50, 76))


def test_steps_draw_apart_from_each_other() -> None:
    """Under the name that a step has, its draws do not follow another's."""
    from medsr_jax.degradation.randomness import stream

    first, second = (drawn(STEPS["jpeg_1"], stream(KEYS, name)) for name in ("jpeg_1", "jpeg_2"))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05
