from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from medsr_jax.degradation import kernels
from medsr_jax.degradation.kernels import FORMS, SIZES, KernelMixture, build, draw, draw_sinc
from medsr_jax.degradation.randomness import sample_keys
from medsr_jax.errors import MedsrError


def by_formula(form: Any, size: Any, sigma: Any, rotation: Any, beta: Any, cutoff: Any) -> Any:
    """One kernel, pixel by pixel, on its own size."""
    half = size // 2
    values = np.empty((size, size))
    cos, sin = math.cos(rotation), math.sin(rotation)
    axes = np.array([[cos, -sin], [sin, cos]])
    inverse = np.linalg.inv(axes @ np.diag(np.square(sigma)) @ axes.T)
    for row in range(size):
        for column in range(size):
            x = np.array([column - half, row - half], float)
            m = x @ inverse @ x
            radius = math.hypot(*x)
            if form == "sinc":
                values[row, column] = (
                    cutoff * special.j1(cutoff * radius) / (2 * math.pi * radius)
                    if radius
                    else cutoff**2 / (4 * math.pi)
                )
            elif form.startswith("plateau"):
                values[row, column] = 1 / (1 + m**beta)
            else:
                values[row, column] = math.exp(-0.5 * m ** (beta if form.startswith("generalised") else 1))
    return values / values.sum()


@pytest.fixture(scope="module")
def drawn() -> Any:
    """10 000 draws of the first order."""
    return jax.jit(lambda keys: draw(keys, mixture=KernelMixture()))(sample_keys(jax.random.key(0), 10_000))


def of(drawn: Any, *forms: Any) -> Any:
    chosen = np.isin(np.asarray(drawn.form), [FORMS.index(form) for form in forms])
    return {name: np.asarray(value)[chosen] for name, value in drawn._asdict().items()}


def uniform(values: Any, low: Any, high: Any) -> Any:
    return stats.kstest(values, "uniform", (low, high - low)).pvalue > 0.001


def test_forms_come_in_the_references_shares(drawn: Any) -> None:
    counts = np.bincount(np.asarray(drawn.form), minlength=len(FORMS))
    shares = np.array([0.1, *(0.9 * np.array([0.45, 0.25, 0.12, 0.03, 0.12, 0.03]))])
    assert stats.chisquare(counts, 10_000 * shares).pvalue > 0.001


def test_sizes_are_uniform(drawn: Any) -> None:
    values, counts = np.unique(drawn.size, return_counts=True)
    assert tuple(values) == SIZES and stats.chisquare(counts).pvalue > 0.001


def test_sigma_and_rotation_are_uniform_and_isotropic_kernels_have_one_sigma(drawn: Any) -> None:
    skewed = of(drawn, "anisotropic", "generalised_anisotropic", "plateau_anisotropic")
    assert uniform(skewed["sigma"][:, 0], 0.2, 3) and uniform(skewed["sigma"][:, 1], 0.2, 3)
    assert abs(np.corrcoef(skewed["sigma"].T)[0, 1]) < 0.08
    assert uniform(skewed["rotation"], -math.pi, math.pi)
    round_ones = of(drawn, "isotropic", "generalised_isotropic", "plateau_isotropic")
    assert uniform(round_ones["sigma"][:, 0], 0.2, 3)
    np.testing.assert_array_equal(round_ones["sigma"][:, 0], round_ones["sigma"][:, 1])


@pytest.mark.parametrize(("form", "low", "high"), [("generalised", 0.5, 4.0), ("plateau", None, 2.0)])
def test_beta_is_a_coin_between_both_sides_of_one(drawn: Any, form: str, low: float | None, high: float) -> None:
    beta = of(drawn, f"{form}_isotropic", f"{form}_anisotropic")["beta"]
    above = beta[beta > 1]
    assert uniform(above, 1, high)
    assert stats.binomtest(len(above), len(beta)).pvalue > 0.001
    below = beta[beta <= 1]
    assert uniform(below, low, 1) if low else (below == 1).all()


def test_the_cutoff_of_a_small_sinc_is_drawn_from_less(drawn: Any) -> None:
    sinc = of(drawn, "sinc")
    small = sinc["size"] < 13
    assert uniform(sinc["cutoff"][small], math.pi / 3, math.pi)
    assert uniform(sinc["cutoff"][~small], math.pi / 5, math.pi)
    assert sinc["cutoff"][sinc["size"] == 13].min() < math.pi / 3


def test_every_form_is_its_formula(drawn: Any) -> None:
    for form in FORMS:
        first = {name: value[:6] for name, value in of(drawn, form).items()}
        batch = kernels.Kernels(*(jnp.asarray(first[name]) for name in kernels.Kernels._fields))
        for index, kernel in enumerate(np.asarray(build(batch))):
            size = int(first["size"][index])
            expected = by_formula(
                form, *(first[name][index] for name in ("size", "sigma", "rotation", "beta", "cutoff"))
            )
            margin = (21 - size) // 2
            np.testing.assert_allclose(kernel, np.pad(expected, margin), atol=1e-6, err_msg=form)


def test_single_forms_are_those_of_the_mixture(drawn: Any) -> None:
    few = jax.tree.map(lambda leaf: leaf[:64], drawn)
    mixed = np.asarray(build(few))
    single = {
        "sinc": kernels.sinc(few.cutoff, few.size),
        "isotropic": kernels.gaussian(few.sigma, few.rotation, few.size),
        "generalised_isotropic": kernels.generalised_gaussian(few.sigma, few.rotation, few.beta, few.size),
        "plateau_isotropic": kernels.plateau(few.sigma, few.rotation, few.beta, few.size),
    }
    for form, batch in single.items():
        chosen = np.asarray(few.form) == FORMS.index(form)
        assert chosen.any()
        np.testing.assert_allclose(np.asarray(batch)[chosen], mixed[chosen], atol=1e-7)


def test_kernels_sum_to_one_and_are_zero_outside_of_their_size(drawn: Any) -> None:
    few = jax.tree.map(lambda leaf: leaf[:500], drawn)
    built = np.asarray(build(few))
    np.testing.assert_allclose(built.sum(axis=(1, 2)), 1, atol=2e-6)
    reach = np.abs(np.arange(21) - 10)
    outside = np.maximum(reach[:, None], reach)[None] > (np.asarray(few.size) // 2)[:, None, None]
    assert not built[outside].any()


def test_the_last_sinc_has_any_size_and_cutoff() -> None:
    built = np.asarray(draw_sinc(sample_keys(jax.random.key(0), 200), cutoff=(math.pi / 3, math.pi)))
    np.testing.assert_allclose(built.sum(axis=(1, 2)), 1, atol=2e-6)
    extents = {int((row != 0).sum()) for row in built[:, 10]}
    assert {7, 21} <= extents <= set(SIZES)


def test_identity_changes_nothing() -> None:
    assert float(kernels.identity(2)[1, 10, 10]) == 1 and float(kernels.identity(2).sum()) == 2


def test_gradients_are_finite_for_every_form(drawn: Any) -> None:
    few = jax.tree.map(lambda leaf: leaf[:64], drawn)

    def loss(sigma: Any, beta: Any, cutoff: Any) -> Any:
        return jnp.square(build(few._replace(sigma=sigma, beta=beta, cutoff=cutoff))).sum()

    for gradient in jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(few.sigma, few.beta, few.cutoff):
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"sinc": 1.5}, "kernels.sinc: 1.5 is no probability"),
        ({"sigma": (3.0, 0.2)}, "kernels.sigma"),
        ({"sizes": (7, 8)}, "kernels.sizes: .* odd numbers from 3 to 21"),
        ({"isotropic": -1.0}, "isotropic to plateau_anisotropic"),
        ({"large_cutoff": (0.1, 4.0)}, "kernels.large_cutoff"),
    ],
)
def test_a_wrong_mixture_is_one_line(fields: dict[str, Any], line: str) -> None:
    with pytest.raises(MedsrError, match=line):
        KernelMixture(**fields)
