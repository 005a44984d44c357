"""The steps of X-ray physics; see `medsr_jax.degradation.xray` for the formulas and what a latitude is.

Each is done to a share of the samples. Doses are photons per pixel of black and drawn evenly in their logarithm.
"""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp

from medsr_jax.degradation import checks
from medsr_jax.degradation.kernels import identity
from medsr_jax.degradation.randomness import coin, stream, uniform
from medsr_jax.degradation.steps.blur import filtered
from medsr_jax.degradation.steps.images import Images
from medsr_jax.degradation.xray import detector_kernel, grid_lines, low_dose, quantum_noise, vignetting

_LATITUDE = (2.0, 4.0)


@dataclasses.dataclass(frozen=True)
class QuantumNoise:
    """Photon counting and electronic noise.

    Attributes:
        dose: photons. 1700 reach a pixel of 0.15 mm at 2.5 uGy; pixels four times as wide get 16 times as many.
        electronic: standard deviation in photons.
    """

    probability: float = 0.3
    dose: tuple[float, float] = (1e3, 1e5)
    electronic: tuple[float, float] = (0.0, 10.0)
    latitude: tuple[float, float] = _LATITUDE

    def __post_init__(self) -> None:
        checks.probability("quantum_noise.probability", self.probability)
        _check_dose("quantum_noise", self.dose, self.electronic, self.latitude)

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        noisy = quantum_noise(
            stream(keys, "noise"),
            images.image,
            dose=_log_uniform(stream(keys, "dose"), self.dose),
            electronic=uniform(stream(keys, "electronic"), *self.electronic),
            latitude=uniform(stream(keys, "latitude"), *self.latitude),
        )
        return _for_some(images, noisy, stream(keys, "whether"), self.probability)


@dataclasses.dataclass(frozen=True)
class LowDose:
    """What would have been noisier at a fraction of the dose; for images that have the noise of all of it.

    Attributes:
        fraction: of the dose, drawn evenly in its logarithm.
        dose: photons, of the image as it is.
        electronic: standard deviation in photons.
    """

    probability: float = 0.3
    fraction: tuple[float, float] = (0.1, 1.0)
    dose: tuple[float, float] = (5e3, 1e5)
    electronic: tuple[float, float] = (0.0, 10.0)
    latitude: tuple[float, float] = _LATITUDE

    def __post_init__(self) -> None:
        checks.probability("low_dose.probability", self.probability)
        checks.interval("low_dose.fraction", self.fraction, least=1e-3, most=1.0)
        _check_dose("low_dose", self.dose, self.electronic, self.latitude)

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        noisy = low_dose(
            stream(keys, "noise"),
            images.image,
            fraction=_log_uniform(stream(keys, "fraction"), self.fraction),
            dose=_log_uniform(stream(keys, "dose"), self.dose),
            electronic=uniform(stream(keys, "electronic"), *self.electronic),
            latitude=uniform(stream(keys, "latitude"), *self.latitude),
        )
        return _for_some(images, noisy, stream(keys, "whether"), self.probability)


@dataclasses.dataclass(frozen=True)
class DetectorBlur:
    """The detector's modulation transfer function.

    Attributes:
        half: cycles per pixel at which the sharp part is at a half.
        glare: share of the part that is spread.
        reach: of that, in pixels.
    """

    probability: float = 0.5
    half: tuple[float, float] = (0.15, 0.5)
    glare: tuple[float, float] = (0.0, 0.2)
    reach: tuple[float, float] = (0.5, 3.0)

    def __post_init__(self) -> None:
        checks.probability("detector_blur.probability", self.probability)
        checks.interval("detector_blur.half", self.half, least=0.02, most=5.0)
        checks.interval("detector_blur.glare", self.glare, least=0.0, most=1.0)
        checks.interval("detector_blur.reach", self.reach, least=0.0, most=10.0)

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        kernels = detector_kernel(
            uniform(stream(keys, "half"), *self.half),
            glare=uniform(stream(keys, "glare"), *self.glare),
            reach=uniform(stream(keys, "reach"), *self.reach),
        )
        some = coin(stream(keys, "whether"), self.probability)
        kernels = jnp.where(some[:, None, None], kernels, identity(len(kernels)))
        return filtered(images, kernels)


@dataclasses.dataclass(frozen=True)
class GridLines:
    """What an anti-scatter grid leaves, upright or level lines with a small tilt.

    Attributes:
        frequency: cycles per pixel.
        tilt: radians.
        amplitude: of the exposure.
    """

    probability: float = 0.1
    frequency: tuple[float, float] = (0.05, 0.5)
    tilt: tuple[float, float] = (-0.05, 0.05)
    amplitude: tuple[float, float] = (0.005, 0.05)
    latitude: tuple[float, float] = _LATITUDE

    def __post_init__(self) -> None:
        checks.probability("grid_lines.probability", self.probability)
        checks.interval("grid_lines.frequency", self.frequency, least=0.0, most=0.5)
        checks.interval("grid_lines.tilt", self.tilt, least=-math.pi, most=math.pi)
        checks.interval("grid_lines.amplitude", self.amplitude, least=0.0, most=0.9)
        checks.interval("grid_lines.latitude", self.latitude, least=0.1, most=20.0)

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        level = coin(stream(keys, "direction"), 0.5)
        lined = grid_lines(
            images.image,
            frequency=uniform(stream(keys, "frequency"), *self.frequency),
            angle=jnp.where(level, math.pi / 2, 0.0) + uniform(stream(keys, "tilt"), *self.tilt),
            phase=uniform(stream(keys, "phase"), 0.0, 2.0 * math.pi),
            amplitude=uniform(stream(keys, "amplitude"), *self.amplitude),
            latitude=uniform(stream(keys, "latitude"), *self.latitude),
        )
        return _for_some(images, lined, stream(keys, "whether"), self.probability)


@dataclasses.dataclass(frozen=True)
class Vignetting:
    """The fall-off of exposure from the point under the source.

    Attributes:
        distance: of the source, in half diagonals of the image; 6 is a chest at 1.8 m.
        centre: row and column under the source, each drawn, as fractions of the image.
    """

    probability: float = 0.2
    distance: tuple[float, float] = (2.0, 8.0)
    centre: tuple[float, float] = (0.3, 0.7)
    latitude: tuple[float, float] = _LATITUDE

    def __post_init__(self) -> None:
        checks.probability("vignetting.probability", self.probability)
        checks.interval("vignetting.distance", self.distance, least=0.1, most=1000.0)
        checks.interval("vignetting.centre", self.centre, least=-10.0, most=10.0)
        checks.interval("vignetting.latitude", self.latitude, least=0.1, most=20.0)

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        row, column = (uniform(stream(keys, axis), *self.centre) for axis in ("row", "column"))
        uneven = vignetting(
            images.image,
            distance=uniform(stream(keys, "distance"), *self.distance),
            centre=jnp.stack([row, column], axis=1),
            latitude=uniform(stream(keys, "latitude"), *self.latitude),
            size=images.size,
        )
        return _for_some(images, uneven, stream(keys, "whether"), self.probability)


def _check_dose(
    name: str, dose: tuple[float, float], electronic: tuple[float, float], latitude: tuple[float, float]
) -> None:
    checks.interval(f"{name}.dose", dose, least=1.0, most=1e9)
    checks.interval(f"{name}.electronic", electronic, least=0.0, most=1e6)
    checks.interval(f"{name}.latitude", latitude, least=0.1, most=20.0)


def _log_uniform(keys: jax.Array, interval: tuple[float, float]) -> jax.Array:
    return jnp.exp(uniform(keys, *(math.log(end) for end in interval)))


def _for_some(images: Images, changed: jax.Array, keys: jax.Array, probability: float) -> Images:
    some = coin(keys, probability)
    image = jnp.where(some[:, None, None, None], changed, images.image)
    return images._replace(image=image, table=jnp.where(some[:, None, None], 0.0, images.table))
