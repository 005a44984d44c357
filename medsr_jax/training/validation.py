"""What a run is measured on as it goes: PSNR against the bicubic enlargement of the same packets."""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax.data.pairs import validation_images
from medsr_jax.evaluation.metrics import psnr
from medsr_jax.models.compact import bicubic, quantisation_strength
from medsr_jax.transmission.codecs import decode_jpeg, encode_jpeg
from medsr_jax.transmission.downscale import downscale
from medsr_jax.transmission.jpeg_stream import parse


def make_validation(
    model: nn.Module, folder: pathlib.Path, *, scale: int, quality: int, side: int, count: int | None
) -> Callable[[Any], dict[str, float]]:
    """A function of parameters that returns ``psnr``, ``psnr_bicubic``, ``gain`` and ``worst_gain`` in dB.

    The packets are made once. PSNR is of central (side, side) crops clipped and rounded to 8 bits, per image, then
    averaged; ``worst_gain`` is the lowest gain of an image.
    """
    truth = list(validation_images(folder, side=side, count=count))
    streams = [encode_jpeg(np.rint(downscale(image, scale=scale)).astype(np.uint8), quality) for image in truth]
    small = [decode_jpeg(stream)[None, ..., None].astype(np.float32) / 255 for stream in streams]
    strength = jnp.full((1,), quantisation_strength(parse(streams[0]).table), jnp.float32)
    restore = jax.jit(lambda params, x: model.apply({"params": params}, x, strength))
    reference = [_psnr(bicubic(jnp.asarray(x), scale=scale), y) for x, y in zip(small, truth, strict=True)]

    def validate(params: Any) -> dict[str, float]:
        values = [_psnr(restore(params, x), y) for x, y in zip(small, truth, strict=True)]
        gains = np.subtract(values, reference)
        return {
            "psnr": float(np.mean(values)),
            "psnr_bicubic": float(np.mean(reference)),
            "gain": float(gains.mean()),
            "worst_gain": float(gains.min()),
        }

    return validate


def _psnr(restored: Any, truth: np.ndarray) -> float:
    pixels = np.rint(np.clip(np.asarray(restored)[0, ..., 0], 0.0, 1.0) * 255.0)
    return psnr(pixels, truth, value_range=(0, 255))
