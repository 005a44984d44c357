"""Validation during training: PSNR, and optionally LPIPS, against bicubic interpolation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax.data.levels import to_levels, to_unit_range
from medsr_jax.data.link_pairs import LinkSettings, avif_settings, coded
from medsr_jax.degradation import Degradation, apply
from medsr_jax.evaluation.metrics import psnr
from medsr_jax.jpeg.coefficients import parse
from medsr_jax.models.compact import bicubic, quantisation_strength, strength_of_tables
from medsr_jax.models.conditional import at_scale
from medsr_jax.transmission.codecs import decode_jpeg, encode_jpeg
from medsr_jax.transmission.downscaling import downscale

# (image, truth), each (1, H, W, 1) in [0, 1] -> (1,)
Distance = Callable[[jax.Array, jax.Array], jax.Array]


class Validation(NamedTuple):
    """One validation of a run.

    Attributes:
        values: ``psnr``, ``psnr_bicubic``, ``gain`` and ``worst_gain`` in dB, and ``lpips`` and ``lpips_bicubic``.
        strips: (k, H, 4 W, 1) in [0, 1]: input, bicubic, restored and truth of some images, side by side.
    """

    values: dict[str, float]
    strips: np.ndarray


class Case(NamedTuple):
    """An input of (1, h, w, 1) in [0, 1], the strength of its quantisation (1,) or (1, 3), its truth (H, W) uint8."""

    lr: jax.Array
    strength: jax.Array
    truth: np.ndarray

    @property
    def scale(self) -> int:
        """Of the truth's sides to the input's."""
        return int(self.truth.shape[0] // self.lr.shape[1])


def packet_cases(truths: Iterable[np.ndarray], *, scale: int, quality: int) -> list[Case]:
    """The sender's packets of (side, side) uint8 images: area downscaling and JPEG."""
    cases = []
    for truth in truths:
        stream = encode_jpeg(to_levels(downscale(truth, scale=scale), 0, 255, dtype=np.uint8), quality)
        lr = to_unit_range(decode_jpeg(stream)[None, ..., None])
        strength = jnp.full((1,), quantisation_strength(parse(stream).table), jnp.float32)
        cases.append(Case(jnp.asarray(lr), strength, truth))
    return cases


def link_cases(truths: Iterable[np.ndarray], link: LinkSettings) -> list[Case]:
    """(side, side) uint8 images as AVIF at each scale of source `link`, with the middle of its settings."""
    cases = []
    for truth in truths:
        for scale in link.scales:
            small = to_levels(downscale(truth, scale=scale), 0, 255, dtype=np.uint8)
            lr, strength = coded(small, "avif", sum(avif_settings(link, scale=scale)) // 2)
            cases.append(Case(jnp.asarray(to_unit_range(lr[None, ..., None])), jnp.asarray(strength[None]), truth))
    return cases


def degraded_cases(truths: Iterable[np.ndarray], degradation: Degradation) -> list[Case]:
    """(side, side) uint8 images degraded as in training, ``i`` by the ``i``-th key: the same in every validation."""
    degrade = jax.jit(lambda key, hr: apply(key, hr, degradation))
    cases = []
    for number, truth in enumerate(truths):
        hr = to_unit_range(jnp.asarray(truth)[None, ..., None])
        pair = degrade(jax.random.fold_in(jax.random.key(0), number), hr)
        cases.append(Case(pair.lr, strength_of_tables(pair.table), truth))
    return cases


def make_validation(
    model: nn.Module,
    cases: list[Case],
    *,
    channels: int = 1,
    distance: Distance | None = None,
    pictures: int = 0,
) -> Callable[[Any], Validation]:
    """A function of a generator's parameters.

    PSNR is of images clipped and rounded to 8 bits, per image, then averaged; ``worst_gain`` is the lowest gain of
    an image. For a model of several channels the input is repeated and the output averaged over them.

    Args:
        model: the generator.
        cases: the validation images.
        channels: of the model.
        distance: LPIPS; None leaves it out.
        pictures: number of images returned as strips.
    """

    @functools.partial(jax.jit, static_argnames="scale")
    def restore(params: Any, lr: jax.Array, strength: jax.Array, *, scale: int) -> jax.Array:
        result = at_scale(model, scale).apply({"params": params}, jnp.repeat(lr, channels, axis=-1), strength)
        return round_to_eight_bits(result.mean(axis=-1, keepdims=True))  # type: ignore[union-attr]

    enlarged = [np.asarray(round_to_eight_bits(_enlarged(case))) for case in cases]
    truths = [to_unit_range(case.truth[None, ..., None]) for case in cases]
    reference = [_psnr(image, case.truth) for image, case in zip(enlarged, cases, strict=True)]
    reference_distance = [] if distance is None else _distances(distance, enlarged, truths)

    def validate(params: Any) -> Validation:
        restored = [np.asarray(restore(params, case.lr, case.strength, scale=case.scale)) for case in cases]
        values = [_psnr(image, case.truth) for image, case in zip(restored, cases, strict=True)]
        gains = np.subtract(values, reference)
        result = {
            "psnr": float(np.mean(values)),
            "psnr_bicubic": float(np.mean(reference)),
            "gain": float(gains.mean()),
            "worst_gain": float(gains.min()),
        }
        if distance is not None:
            result["lpips"] = float(np.mean(_distances(distance, restored, truths)))
            result["lpips_bicubic"] = float(np.mean(reference_distance))
        shown = list(zip(cases, enlarged, restored, truths, strict=True))[:pictures]
        strips = [_strip(np.asarray(case.lr), *images, scale=case.scale) for case, *images in shown]
        return Validation(result, np.concatenate(strips) if strips else np.zeros((0, 1, 4, 1), np.float32))

    return validate


def _enlarged(case: Case) -> jax.Array:
    return case.lr if case.scale == 1 else bicubic(case.lr, scale=case.scale)


def round_to_eight_bits(images: jax.Array) -> jax.Array:
    """Images clipped to [0, 1] and rounded to 255ths."""
    return jnp.rint(jnp.clip(images, 0.0, 1.0) * 255.0) / 255.0


def _distances(distance: Distance, images: list[np.ndarray], truths: list[np.ndarray]) -> list[float]:
    return [float(distance(jnp.asarray(a), jnp.asarray(b))[0]) for a, b in zip(images, truths, strict=True)]


def _strip(lr: np.ndarray, *others: np.ndarray, scale: int) -> np.ndarray:
    nearest = lr.repeat(scale, axis=1).repeat(scale, axis=2)
    return np.concatenate([nearest, *others], axis=2)


def _psnr(restored: np.ndarray, truth: np.ndarray) -> float:
    return psnr(np.rint(restored[0, ..., 0] * 255.0), truth, value_range=(0, 255))
