"""All measures of an image against its original."""

from __future__ import annotations

import dataclasses
import math

import jax.numpy as jnp
import numpy as np

from medsr_jax.evaluation.lpips import SMALLEST_SIDE, Parameters, lpips
from medsr_jax.evaluation.metrics import psnr, ssim
from medsr_jax.evaluation.structure import gradient_similarity, ms_ssim


@dataclasses.dataclass(frozen=True)
class Fidelity:
    """How near an image is to its original. NaN where a measure is not defined for the image's size.

    Attributes:
        psnr: dB, more is better.
        ssim, ms_ssim: at most 1, more is better.
        gmsd: deviation of gradient similarity, at least 0, less is better.
        lpips: distance in VGG16's features, at least 0, less is better; NaN unless requested.
    """

    psnr: float
    ssim: float
    ms_ssim: float
    gmsd: float
    lpips: float = math.nan


MEASURES = {
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "gmsd": "GMSD",
    "lpips": "LPIPS",
}
"""Fields of `Fidelity` as tables head them."""

BETTER_BELOW = frozenset({"gmsd", "lpips"})
"""Those of which less is better."""


def fidelity(
    image: np.ndarray,
    truth: np.ndarray,
    *,
    value_range: tuple[float, float],
    perceptual: Parameters | None = None,
    valid: np.ndarray | None = None,
) -> Fidelity:
    """All measures.

    Args:
        image, truth: (rows, columns) or (frames, rows, columns) stored values; means over frames are returned.
        value_range: least and greatest value, see `link.measured_range`.
        perceptual: of `lpips.load_lpips`; LPIPS, which takes longest, is left out without them. It sees the range as
            [0, 1].
        valid: bool, the pixels that are no padding, which PSNR is of; None for all.
    """
    values = {"value_range": value_range}
    return Fidelity(
        psnr=psnr(image, truth, valid=valid, **values),
        ssim=ssim(image, truth, **values),
        ms_ssim=ms_ssim(image, truth, **values),
        gmsd=gradient_similarity(image, truth, **values),
        lpips=math.nan if perceptual is None else _lpips(image, truth, value_range, perceptual),
    )


def _lpips(image: np.ndarray, truth: np.ndarray, value_range: tuple[float, float], weights: Parameters) -> float:
    if min(image.shape[-2:]) < SMALLEST_SIDE:
        return math.nan
    low, high = value_range
    distances = []
    for frames in zip(*(a.reshape(-1, *a.shape[-2:]) for a in (image, truth)), strict=True):
        # A frame at a time: VGG's features of one large image fill a gigabyte.
        ours, theirs = (jnp.asarray((frame.astype(np.float64) - low) / (high - low), jnp.float32) for frame in frames)
        distances.append(float(lpips(ours[None, ..., None], theirs[None, ..., None], weights)[0]))
    return float(np.mean(distances))
