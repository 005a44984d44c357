"""Gaussian and Poisson noise."""

from __future__ import annotations

import dataclasses

import jax

from medsr_jax.degradation import checks
from medsr_jax.degradation.noise import mixed_noise
from medsr_jax.degradation.randomness import coin, stream, uniform
from medsr_jax.degradation.steps.images import Images


@dataclasses.dataclass(frozen=True)
class Noise:
    """Gaussian (equation 4's v) or Poisson noise, one of the two for each sample.

    Attributes:
        gaussian: share of Gaussian noise.
        sigma: of the Gaussian, in levels of 255.
        poisson: factors of the Poisson noise; 1 is that of an image whose photons are its distinct levels.
        grey: share of samples whose channels have the same noise.
    """

    gaussian: float = 0.5
    sigma: tuple[float, float] = (1.0, 30.0)
    poisson: tuple[float, float] = (0.05, 3.0)
    grey: float = 0.4

    def __post_init__(self) -> None:
        checks.probability("noise.gaussian", self.gaussian)
        checks.interval("noise.sigma", self.sigma, least=0.0, most=255.0)
        checks.interval("noise.poisson", self.poisson, least=0.0, most=100.0)
        checks.probability("noise.grey", self.grey)

    def __call__(self, images: Images, keys: jax.Array) -> Images:
        image = mixed_noise(stream(keys, "field"), images.image, size=images.size, **self.draw(keys))
        return images._replace(image=image)

    def draw(self, keys: jax.Array) -> dict[str, jax.Array]:
        """The (N,) arguments of `mixed_noise`."""
        return {
            "gaussian": coin(stream(keys, "gaussian"), self.gaussian),
            "sigma": uniform(stream(keys, "sigma"), *self.sigma) / 255.0,
            "scale": uniform(stream(keys, "scale"), *self.poisson),
            "grey": coin(stream(keys, "grey"), self.grey),
        }
