"""Blur kernels of Real-ESRGAN (arXiv 2107.10833, sections 3.1 and 3.3), drawn and computed for a batch.

Every kernel lies in the middle of a static 21x21 support, zero outside of the size that was drawn for it, and sums to
one. Arguments are (N,) arrays, one entry for each sample; lengths are pixels, angles radians.
"""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax.degradation import checks
from medsr_jax.degradation.bessel import bessel_j1
from medsr_jax.degradation.randomness import choose, stream, uniform
from medsr_jax.errors import MedsrError

SUPPORT = 21
SIZES = tuple(range(7, SUPPORT + 1, 2))
FORMS = (
    "sinc",
    "isotropic",
    "anisotropic",
    "generalised_isotropic",
    "generalised_anisotropic",
    "plateau_isotropic",
    "plateau_anisotropic",
)
# Below this size the reference draws the cutoff of a sinc from a narrower interval.
_SMALL = 13


@dataclasses.dataclass(frozen=True)
class KernelMixture:
    """What `draw` draws from; the defaults are Real-ESRGAN's first order.

    Attributes:
        sinc: probability of a circular low-pass.
        isotropic, anisotropic, generalised_isotropic, generalised_anisotropic, plateau_isotropic, plateau_anisotropic:
            shares of the others in what is left.
        sigma: of either axis, in pixels.
        rotation: of the first axis, in radians.
        generalised_beta, plateau_beta: exponents, drawn below or above 1 with equal chance.
        sizes: odd, at most 21.
        small_cutoff, large_cutoff: of the low-pass in radians per pixel, for sizes below 13 and from there on.
    """

    sinc: float = 0.1
    isotropic: float = 0.45
    anisotropic: float = 0.25
    generalised_isotropic: float = 0.12
    generalised_anisotropic: float = 0.03
    plateau_isotropic: float = 0.12
    plateau_anisotropic: float = 0.03
    sigma: tuple[float, float] = (0.2, 3.0)
    rotation: tuple[float, float] = (-math.pi, math.pi)
    generalised_beta: tuple[float, float] = (0.5, 4.0)
    plateau_beta: tuple[float, float] = (1.0, 2.0)
    sizes: tuple[int, ...] = SIZES
    small_cutoff: tuple[float, float] = (math.pi / 3, math.pi)
    large_cutoff: tuple[float, float] = (math.pi / 5, math.pi)

    def __post_init__(self) -> None:
        checks.probability("kernels.sinc", self.sinc)
        checks.shares("kernels: isotropic to plateau_anisotropic", self.shares)
        checks.interval("kernels.sigma", self.sigma, least=0.05, most=100.0)
        checks.interval("kernels.rotation", self.rotation)
        checks.interval("kernels.generalised_beta", self.generalised_beta, least=0.05, most=20.0)
        checks.interval("kernels.plateau_beta", self.plateau_beta, least=0.05, most=20.0)
        check_sizes("kernels.sizes", self.sizes)
        checks.interval("kernels.small_cutoff", self.small_cutoff, least=1e-3, most=math.pi)
        checks.interval("kernels.large_cutoff", self.large_cutoff, least=1e-3, most=math.pi)

    @property
    def shares(self) -> tuple[float, ...]:
        """Of `FORMS` but the first."""
        return tuple(getattr(self, name) for name in FORMS[1:])


class Kernels(NamedTuple):
    """Parameters of a batch of kernels, (N,) but for ``sigma``, (N, 2). `form` indexes `FORMS`."""

    form: jax.Array
    size: jax.Array
    sigma: jax.Array
    rotation: jax.Array
    beta: jax.Array
    cutoff: jax.Array


def check_sizes(name: str, sizes: tuple[int, ...]) -> None:
    """Raises MedsrError unless sizes are odd, from 3 to 21, and at least one."""
    if not isinstance(sizes, tuple) or not sizes or not all(size in range(3, SUPPORT + 1, 2) for size in sizes):
        raise MedsrError(f"{name}: {sizes!r}", remedy=f"give odd numbers from 3 to {SUPPORT}, as a tuple")


def draw(keys: jax.Array, *, mixture: KernelMixture) -> Kernels:
    """Parameters for (N,) keys."""
    shares = np.asarray(mixture.shares) / sum(mixture.shares) * (1.0 - mixture.sinc)
    form = choose(stream(keys, "form"), (mixture.sinc, *shares.tolist()))
    size = _draw_size(stream(keys, "size"), mixture.sizes)
    first, second = (uniform(stream(keys, axis), *mixture.sigma) for axis in ("sigma 1", "sigma 2"))
    anisotropic = jnp.isin(form, jnp.asarray([i for i, name in enumerate(FORMS) if "anisotropic" in name]))
    sigma = jnp.stack([first, jnp.where(anisotropic, second, first)], axis=1)
    rotation = jnp.where(anisotropic, uniform(stream(keys, "rotation"), *mixture.rotation), 0.0)
    plateau = form >= FORMS.index("plateau_isotropic")
    low, high = (
        jnp.where(plateau, of_plateau, of_generalised)
        for of_plateau, of_generalised in zip(mixture.plateau_beta, mixture.generalised_beta, strict=True)
    )
    below = uniform(stream(keys, "beta below 1"), 0.0, 1.0) < 0.5
    position = uniform(stream(keys, "beta"), 0.0, 1.0)
    beta = jnp.where(below, low + (1.0 - low) * position, 1.0 + (high - 1.0) * position)
    # The interval may lie on one side of 1 alone.
    beta = jnp.clip(beta, low, high)
    beta = jnp.where(form >= FORMS.index("generalised_isotropic"), beta, 1.0)
    position = uniform(stream(keys, "cutoff"), 0.0, 1.0)
    small, large = (start + (end - start) * position for start, end in (mixture.small_cutoff, mixture.large_cutoff))
    return Kernels(form, size, sigma, rotation, beta, jnp.where(size < _SMALL, small, large))


def build(kernels: Kernels) -> jax.Array:
    """(N, 21, 21) kernels of any forms."""
    m = _mahalanobis(kernels.sigma, kernels.rotation)
    powered = _power(m, kernels.beta)
    plateau = (kernels.form >= FORMS.index("plateau_isotropic"))[:, None, None]
    bell = jnp.where(plateau, 1.0 / (1.0 + powered), jnp.exp(-0.5 * powered))
    is_sinc = (kernels.form == FORMS.index("sinc"))[:, None, None]
    return _normalised(jnp.where(is_sinc, _low_pass(kernels.cutoff), bell), kernels.size)


def draw_kernels(keys: jax.Array, *, mixture: KernelMixture) -> jax.Array:
    """(N, 21, 21): `build` of what `draw` draws."""
    return build(draw(keys, mixture=mixture))


def draw_sinc(keys: jax.Array, *, cutoff: tuple[float, float], sizes: tuple[int, ...] = SIZES) -> jax.Array:
    """(N, 21, 21) circular low-passes of any of the sizes with a cutoff from the interval."""
    return sinc(uniform(stream(keys, "cutoff"), *cutoff), _draw_size(stream(keys, "size"), sizes))


def gaussian(sigma: jax.Array, rotation: jax.Array, size: jax.Array) -> jax.Array:
    """exp(-m / 2), m = x' S^-1 x, with sigma (N, 2) along the rotated axes."""
    return _normalised(jnp.exp(-0.5 * _mahalanobis(sigma, rotation)), size)


def generalised_gaussian(sigma: jax.Array, rotation: jax.Array, beta: jax.Array, size: jax.Array) -> jax.Array:
    """exp(-m^beta / 2): a flatter or a sharper peak."""
    return _normalised(jnp.exp(-0.5 * _power(_mahalanobis(sigma, rotation), beta)), size)


def plateau(sigma: jax.Array, rotation: jax.Array, beta: jax.Array, size: jax.Array) -> jax.Array:
    """1 / (1 + m^beta)."""
    return _normalised(1.0 / (1.0 + _power(_mahalanobis(sigma, rotation), beta)), size)


def sinc(cutoff: jax.Array, size: jax.Array) -> jax.Array:
    """eta J1(eta r) / (2 pi r), the ideal circular low-pass (equation 7), cutoff eta in radians per pixel."""
    return _normalised(_low_pass(cutoff), size)


def identity(n: int) -> jax.Array:
    """(N, 21, 21) kernels that change nothing."""
    return jnp.zeros((n, SUPPORT, SUPPORT)).at[:, SUPPORT // 2, SUPPORT // 2].set(1.0)


def _offsets() -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:SUPPORT, :SUPPORT] - SUPPORT // 2
    return y.astype(np.float64), x.astype(np.float64)


def _mahalanobis(sigma: jax.Array, rotation: jax.Array) -> jax.Array:
    """(N, 21, 21): the squared distance from the centre in standard deviations."""
    chex.assert_shape(sigma, (None, 2))
    chex.assert_shape(rotation, sigma.shape[:1])
    y, x = (jnp.asarray(axis, sigma.dtype) for axis in _offsets())
    cos, sin = jnp.cos(rotation)[:, None, None], jnp.sin(rotation)[:, None, None]
    first, second = sigma[:, 0, None, None], sigma[:, 1, None, None]
    return ((x * cos + y * sin) / first) ** 2 + ((y * cos - x * sin) / second) ** 2


def _power(m: jax.Array, beta: jax.Array) -> jax.Array:
    """m^beta, with a finite gradient at the centre, where m is 0."""
    positive = jnp.where(m > 0, m, 1.0)
    return jnp.where(m > 0, positive ** beta[:, None, None], 0.0)


def _low_pass(cutoff: jax.Array) -> jax.Array:
    y, x = _offsets()
    radius = jnp.asarray(np.hypot(y, x), cutoff.dtype)
    away = jnp.where(radius > 0, radius, 1.0)
    eta = cutoff[:, None, None]
    return jnp.where(radius > 0, eta * bessel_j1(eta * away) / (2 * math.pi * away), eta**2 / (4 * math.pi))


def _normalised(values: jax.Array, size: jax.Array) -> jax.Array:
    chex.assert_shape(size, values.shape[:1])
    y, x = _offsets()
    outside = np.maximum(np.abs(y), np.abs(x))
    values = jnp.where(jnp.asarray(outside) <= (size // 2)[:, None, None], values, 0.0)
    return values / values.sum(axis=(1, 2), keepdims=True)


def _draw_size(keys: jax.Array, sizes: tuple[int, ...]) -> jax.Array:
    return jnp.asarray(sizes)[choose(keys, (1.0,) * len(sizes))]
