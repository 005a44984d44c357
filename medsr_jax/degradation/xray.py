"""What an X-ray system does to an image before any link does.

Images are (N, H, W, C) in [0, 1], linear in attenuation with white as the most: a pixel x transmits exp(-latitude x) of
the beam, the exponential attenuation law, where ``latitude`` is the natural logarithm of the ratio of black's exposure
to white's (3 is 20:1). Noise and geometry act on the exposure, and the logarithm brings them back. Doses are mean
photons per pixel of black. For scale: the reference beam RQA5 of IEC 62220-1 brings 30 174 photons per mm^2 and uGy.

Results are clipped to [0, 1]. Parameters are (N,), one for each sample.
"""

from __future__ import annotations

import math

import chex
import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax.degradation.kernels import SUPPORT
from medsr_jax.degradation.layout import interleaved, planar
from medsr_jax.degradation.poisson import poisson_quantile
from medsr_jax.degradation.randomness import normal_field, sample_keys, stream
from medsr_jax.degradation.regions import full_size

# A pixel with no photon at all has no logarithm; it is shown as if it had this many.
_LEAST_COUNT = 0.5


def quantum_noise(
    key: jax.Array, image: jax.Array, *, dose: jax.Array, electronic: jax.Array, latitude: jax.Array
) -> jax.Array:
    """The image as a detector would have counted it: Poisson photons, then the electronics' Gaussian noise.

    x' = ln(dose / n) / latitude with n ~ Poisson(dose exp(-latitude x)) + N(0, electronic^2), the photon statistics of
    Barrett and Myers (Foundations of Image Science, 2004, chapter 11).

    Args:
        key: see `sample_keys`.
        image: (N, H, W, C), taken as free of noise.
        dose: mean photons per pixel of black.
        electronic: standard deviation in photons.
        latitude: see the module.

    Returns:
        (N, H, W, C). Its gradient is that of the image alone, the noise being taken as a constant.
    """
    _check(image, dose, electronic, latitude)
    planes = planar(image)
    keys = sample_keys(key, len(image))
    dose, electronic, latitude = _column(dose), _column(electronic), _column(latitude)
    quantum, thermal = (
        normal_field(stream(keys, name), planes.shape[1:], planes.dtype) for name in ("quantum", "thermal")
    )
    clean = jax.lax.stop_gradient(_clipped(planes))
    count = poisson_quantile(quantum, dose * jnp.exp(-latitude * clean)) + electronic * thermal
    noisy = jnp.log(dose / jnp.maximum(count, _LEAST_COUNT)) / latitude
    return interleaved(_clipped(planes + jax.lax.stop_gradient(noisy - clean)))


def low_dose(
    key: jax.Array,
    image: jax.Array,
    *,
    fraction: jax.Array,
    dose: jax.Array,
    electronic: jax.Array,
    latitude: jax.Array,
) -> jax.Array:
    """The image at a fraction of its dose, from the image at all of it, which has that dose's noise already.

    Only the variance that is missing is added. With n photons in a pixel it is, in the logarithm,
    (1 / d - 1) / n + (1 / d^2 - 1) electronic^2 / n^2: Yu et al., J Comput Assist Tomogr 36:477 (2012), with the
    electronic term of Zabic et al., Med Phys 40:031102 (2013). It is normal, as the sum of many photons is; for a few
    photons per pixel start from a clean image and `quantum_noise`.

    Args:
        key: see `sample_keys`.
        image: (N, H, W, C) as taken at ``dose``.
        fraction: d, above 0 and at most 1.
        dose, electronic, latitude: as in `quantum_noise`, of the image as it is.
    """
    _check(image, fraction, dose, electronic, latitude)
    planes = planar(image)
    keys = sample_keys(key, len(image))
    fraction, dose, electronic, latitude = (_column(value) for value in (fraction, dose, electronic, latitude))
    photons = dose * jnp.exp(-latitude * _clipped(planes))
    variance = (1.0 / fraction - 1.0) / photons + (1.0 / fraction**2 - 1.0) * (electronic / photons) ** 2
    # Nothing is missing at a fraction of 1, where the root has no derivative.
    missing = variance > 0
    deviation = jnp.where(missing, jnp.sqrt(jnp.where(missing, variance, 1.0)), 0.0)
    return interleaved(_clipped(planes + normal_field(keys, planes.shape[1:], planes.dtype) * deviation / latitude))


def detector_kernel(half: jax.Array, *, glare: jax.Array, reach: jax.Array) -> jax.Array:
    """(N, 21, 21) kernels, of sum one, that blur as a detector does.

    The modulation transfer function is a Gaussian with a share of veiling glare whose line spread is exponential,
    MTF(f) = (1 - glare) 2^(-(f / half)^2) + glare / (1 + (2 pi reach f)^2): the two parts of the model of Boone and
    Seibert (Med Phys 21:1541, 1994), made radial. The kernel is the inverse DFT of its samples.

    Args:
        half: frequency in cycles per pixel at which the Gaussian is at a half; 0.5 is the highest of the image.
        glare: from 0 to 1.
        reach: of the exponential, in pixels.
    """
    chex.assert_rank([half, glare, reach], 1)
    frequency = np.fft.fftfreq(SUPPORT)
    squared = jnp.asarray(frequency[:, None] ** 2 + frequency[None] ** 2, half.dtype)
    half, glare, reach = (value[:, None, None] for value in (half, glare, reach))
    mtf = (1.0 - glare) * 2.0 ** (-squared / half**2) + glare / (1.0 + (2.0 * math.pi * reach) ** 2 * squared)
    return jnp.fft.fftshift(jnp.fft.ifft2(mtf).real, axes=(1, 2))


def grid_lines(
    image: jax.Array,
    *,
    frequency: jax.Array,
    angle: jax.Array,
    phase: jax.Array,
    amplitude: jax.Array,
    latitude: jax.Array,
) -> jax.Array:
    """What an anti-scatter grid leaves when it does not move: a sinusoid on the exposure (Lin et al., J Digit Imaging
    19:351, 2006), often aliased by the detector to a frequency far below the grid's own.

    Args:
        image: (N, H, W, C).
        frequency: cycles per pixel.
        angle: of the lines' normal against the rows, radians.
        phase: radians at the first pixel.
        amplitude: relative, below 1.
        latitude: see the module.
    """
    _check(image, frequency, angle, phase, amplitude, latitude)
    row, column = (jnp.arange(extent, dtype=image.dtype) for extent in image.shape[1:3])
    frequency, angle, phase, amplitude = (value[:, None, None] for value in (frequency, angle, phase, amplitude))
    distance = column[None, None] * jnp.cos(angle) + row[None, :, None] * jnp.sin(angle)
    exposure = 1.0 + amplitude * jnp.cos(2.0 * math.pi * frequency * distance + phase)
    return _exposed(image, exposure, latitude)


def vignetting(
    image: jax.Array,
    *,
    distance: jax.Array,
    centre: jax.Array,
    latitude: jax.Array,
    size: jax.Array | None = None,
) -> jax.Array:
    """A point source over a flat detector: exposure falls off as the cube of the angle's cosine.

    Distance takes the inverse square and the slant the rest: (1 + (r / distance)^2)^(-3/2) (Johns and Cunningham, The
    Physics of Radiology, 1983).

    Args:
        image: (N, H, W, C).
        distance: of the source, in half diagonals of the image.
        centre: (N, 2) row and column under the source, as fractions of the image; 0.5 is its middle.
        latitude: see the module.
        size: (N, 2) rows and columns that are the image, None for all.
    """
    _check(image, distance, latitude)
    chex.assert_shape(centre, (len(image), 2))
    extent = (full_size(image) if size is None else size).astype(image.dtype)
    row, column = (
        (jnp.arange(count) + 0.5)[None] - centre[:, axis, None] * extent[:, axis, None]
        for axis, count in enumerate(image.shape[1:3])
    )
    squared = row[:, :, None] ** 2 + column[:, None] ** 2
    scale = distance**2 * (extent**2).sum(axis=1) / 4.0
    return _exposed(image, (1.0 + squared / scale[:, None, None]) ** -1.5, latitude)


def _exposed(image: jax.Array, exposure: jax.Array, latitude: jax.Array) -> jax.Array:
    """The image under a relative exposure (N, H, W)."""
    return _clipped(image - (jnp.log(exposure) / latitude[:, None, None])[..., None])


def _check(image: jax.Array, *parameters: jax.Array) -> None:
    chex.assert_rank(image, 4)
    chex.assert_shape(parameters, image.shape[:1])


def _column(value: jax.Array) -> jax.Array:
    return value[:, None, None, None]


def _clipped(image: jax.Array) -> jax.Array:
    return jnp.clip(image, 0.0, 1.0)
