"""The steps of a degradation: frozen descriptions, each of which knows how to run.

A step takes the images as they are so far and one key for each of them, draws its parameters for every sample alone,
and returns the images. Intervals are (low, high) and drawn from uniformly; shares need not sum to one. Each number that
a step draws has a stream of its own, by name (`randomness.stream`).
"""

from __future__ import annotations

from medsr_jax.degradation.steps.blur import Blur, Sinc
from medsr_jax.degradation.steps.coding import FinalJpegAndSinc, Jpeg, Quantise
from medsr_jax.degradation.steps.images import Images, Step
from medsr_jax.degradation.steps.noise import Noise
from medsr_jax.degradation.steps.resizing import UNANTIALIASED, Downscale, RandomResize
from medsr_jax.degradation.steps.xray import DetectorBlur, GridLines, LowDose, QuantumNoise, Vignetting

STEPS: dict[str, type] = {
    step.__name__: step
    for step in (
        Blur, Sinc, RandomResize, Downscale, Noise, Jpeg, FinalJpegAndSinc, Quantise,
        QuantumNoise, LowDose, DetectorBlur, GridLines, Vignetting,
    )
}  # fmt: skip
"""All steps by the ``kind`` of a config."""

__all__ = [
    "STEPS",
    "UNANTIALIASED",
    "Blur",
    "DetectorBlur",
    "Downscale",
    "FinalJpegAndSinc",
    "GridLines",
    "Images",
    "Jpeg",
    "LowDose",
    "Noise",
    "Quantise",
    "QuantumNoise",
    "RandomResize",
    "Sinc",
    "Step",
    "Vignetting",
]
