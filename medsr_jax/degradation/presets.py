"""Degradations by name.

Equations are those of "Efficient Medicinal Image Transmission and Resolution Enhancement via GAN" (Sharma et al.,
2024); the numbers of the high order are Real-ESRGAN's (arXiv 2107.10833 and its published configuration).
"""

from __future__ import annotations

from collections.abc import Callable

from medsr_jax.degradation.composition import Degradation, Sharpen
from medsr_jax.degradation.kernels import KernelMixture
from medsr_jax.degradation.steps import Blur, Downscale, FinalJpegAndSinc, Jpeg, Noise, Quantise, RandomResize, Step
from medsr_jax.degradation.steps.xray import DetectorBlur, GridLines, LowDose, QuantumNoise, Vignetting
from medsr_jax.errors import MedsrError

_GAUSSIANS = KernelMixture(
    sinc=0.0,
    isotropic=0.65,
    anisotropic=0.35,
    generalised_isotropic=0.0,
    generalised_anisotropic=0.0,
    plateau_isotropic=0.0,
    plateau_anisotropic=0.0,
)


def classical(*, scale: int = 4) -> Degradation:
    """Equation 4, x = [(y * g) down_s + v]_JPEG: Gaussian blur, bicubic shrinking, Gaussian noise, JPEG."""
    steps: dict[str, Step] = {
        "blur": Blur(kernels=_GAUSSIANS),
        "downscale": Downscale(methods=("bicubic",)),
        "noise": Noise(gaussian=1.0, sigma=(1.0, 25.0)),
        "jpeg": Jpeg(),
        "quantise": Quantise(),
    }
    return Degradation(steps=steps, scale=scale)


def high_order(*, scale: int = 4) -> Degradation:
    """Equation 5 with n = 2: Real-ESRGAN's own.

    It differs from the original where that cuts a corner: every sample draws its own branches, methods and coins, which
    there are drawn once a batch, so no pool of old pairs is needed to hide it.
    """
    return Degradation(steps=_high_order_steps(), scale=scale, sharpen=Sharpen())


def medical(*, scale: int = 4) -> Degradation:
    """The high order on a radiograph as a detector would have given it: equations 5 to 7 and X-ray physics.

    Before the two orders come uneven exposure, what an anti-scatter grid leaves, quantum and electronic noise at a
    drawn dose, a fraction of the dose, and the detector's blur; each for a share of the samples. Equation 6's noises
    are also in each order, and equation 7's ringing in both blurs and at the end.
    White is high attenuation. The target is not sharpened: a reader wants the radiograph as it was.
    """
    physics: dict[str, Step] = {
        "vignetting": Vignetting(),
        "grid": GridLines(),
        "quantum": QuantumNoise(),
        "low_dose": LowDose(),
        "detector": DetectorBlur(),
    }
    return Degradation(steps=physics | _high_order_steps(), scale=scale)


def bicubic(*, scale: int = 4) -> Degradation:
    """ESRGAN's pairs (arXiv 1809.00219): antialiased bicubic shrinking and 8 bits, nothing else."""
    return Degradation(
        steps={"downscale": Downscale(methods=("antialiased_bicubic",)), "quantise": Quantise()}, scale=scale
    )


def transmission(*, scale: int = 4) -> Degradation:
    """What `medsr compress` does at its defaults: area shrinking, 8 bits, libjpeg at q 50 to 75, decoded to 8 bits."""
    steps: dict[str, Step] = {
        "downscale": Downscale(methods=("area",)),
        "quantise": Quantise(),
        "jpeg": Jpeg(quality=(50, 75), whole=True, tables="libjpeg", upsampling="linear"),
        "decoded": Quantise(),
    }
    return Degradation(steps=steps, scale=scale)


PRESETS: dict[str, Callable[..., Degradation]] = {
    "classical": classical,
    "high_order": high_order,
    "medical": medical,
    "bicubic": bicubic,
    "transmission": transmission,
}


def preset(name: str, *, scale: int = 4) -> Degradation:
    """A degradation by its name.

    Raises:
        MedsrError: there is none of that name.
    """
    if name not in PRESETS:
        raise MedsrError(f"degradation.preset: no {name!r}", remedy=f"give one of {', '.join(PRESETS)}")
    return PRESETS[name](scale=scale)


def _high_order_steps() -> dict[str, Step]:
    return {
        "blur_1": Blur(),
        "resize_1": RandomResize(),
        "noise_1": Noise(),
        "jpeg_1": Jpeg(),
        "blur_2": Blur(probability=0.8, kernels=KernelMixture(sigma=(0.2, 1.5))),
        "resize_2": RandomResize(shares=(0.3, 0.4, 0.3), up=(1.0, 1.2), down=(0.3, 1.0), of="output"),
        "noise_2": Noise(sigma=(1.0, 25.0), poisson=(0.05, 2.5)),
        "finish": FinalJpegAndSinc(),
        "quantise": Quantise(),
    }
