from __future__ import annotations

from typing import Any

import jax
import ml_collections
import numpy as np
import pytest

from medsr_jax.degradation import apply, configured, describe, preset
from medsr_jax.degradation.presets import PRESETS
from medsr_jax.errors import MedsrError


@pytest.mark.parametrize("name", PRESETS)
def test_a_description_makes_the_same_degradation_again(name: Any) -> None:
    degradation = preset(name)
    again = configured(describe(degradation))
    assert again == degradation and hash(again) == hash(degradation)
    config = ml_collections.ConfigDict(describe(degradation))
    from_config = configured(config.to_dict())
    assert from_config == degradation and list(from_config.steps) == list(degradation.steps)


def test_any_field_can_be_overridden() -> None:
    changed = configured(
        {
            "preset": "high_order",
            "scale": 2,
            "sharpen": None,
            "steps": {
                "noise_1": {"sigma": [1, 20]},
                "blur_2": {"kernels": {"sigma": (0.1, 0.9), "sinc": 0.0}},
                "finish": {"jpeg": {"tables": "libjpeg"}, "sinc": {"probability": 0.5}},
                "jpeg_1": None,
            },
        }
    )
    assert changed.scale == 2 and changed.sharpen is None
    assert changed.steps["noise_1"].sigma == (1, 20) and changed.steps["noise_1"].poisson == (0.05, 3.0)
    assert changed.steps["blur_2"].kernels.sigma == (0.1, 0.9) and changed.steps["blur_2"].probability == 0.8
    assert changed.steps["finish"].jpeg.tables == "libjpeg" and changed.steps["finish"].sinc.probability == 0.5
    assert "jpeg_1" not in changed.steps and list(changed.steps)[:2] == ["blur_1", "resize_1"]


def test_an_override_reaches_the_pixels() -> None:
    flat = np.full((2, 32, 32, 1), 0.5, np.float32)
    silent = configured({"preset": "classical", "steps": {"noise": {"sigma": (0, 0)}, "jpeg": None}})
    lr = jax.jit(apply, static_argnums=2)(jax.random.key(0), flat, silent).lr
    np.testing.assert_allclose(lr, 128 / 255, atol=1e-6)


@pytest.mark.parametrize("methods", [("area",), ("bicubic", "area", "bilinear")])
def test_resize_takes_any_of_its_methods_or_all(methods: tuple[str, ...]) -> None:
    changed = configured({"preset": "high_order", "steps": {"resize_1": {"methods": methods}}})
    assert changed.steps["resize_1"].methods == methods  # type: ignore[attr-defined]


@pytest.mark.parametrize("taps", [3, 201])
def test_sharpening_takes_its_narrowest_and_widest_gaussian(taps: int) -> None:
    changed = configured({"preset": "high_order", "sharpen": {"taps": taps}})
    assert changed.sharpen is not None and changed.sharpen.taps == taps
    with pytest.raises(MedsrError, match="sharpen.taps: .* is not a number from 3 to 201"):
        configured({"preset": "high_order", "sharpen": {"taps": 1 if taps == 3 else 203}})


def test_a_step_can_be_added_with_its_kind() -> None:
    changed = configured({"preset": "bicubic", "steps": {"noise": {"kind": "Noise", "grey": 1.0}}})
    assert list(changed.steps) == ["downscale", "quantise", "noise"] and changed.steps["noise"].grey == 1.0
    order = ("downscale", "noise", "quantise")
    changed = configured({"preset": "bicubic", "steps": {"noise": {"kind": "Noise"}}, "order": order})
    assert tuple(changed.steps) == order


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"preset": "hi_order"}, "degradation.preset: no 'hi_order'; give one of classical"),
        ({}, "give a preset, or steps"),
        ({"preset": "bicubic", "scal": 2}, "degradation.scal: no such name; known are"),
        ({"preset": "bicubic", "scale": "2"}, "degradation.scale: '2' can't stand for 4"),
        (
            {"preset": "bicubic", "steps": {"noise": {"sigma": (1, 2)}}},
            "steps.noise: no such step; give one of downscale",
        ),
        ({"preset": "bicubic", "steps": {"noise": {"kind": "Noize"}}}, "steps.noise.kind: 'Noize'.*known are"),
        ({"preset": "bicubic", "steps": {"noise": None}}, "steps.noise: no such name"),
        ({"preset": "classical", "steps": {"noise": {"sigmas": (1, 2)}}}, "steps.noise.sigmas: no such name"),
        ({"preset": "classical", "steps": {"noise": {"sigma": (3, 2)}}}, "noise.sigma: .*is no interval"),
        ({"preset": "classical", "steps": {"noise": {"grey": True}}}, "steps.noise.grey: True can't stand for"),
        ({"preset": "classical", "steps": {"jpeg": {"tables": "mozjpeg"}}}, "jpeg.tables: .*libjpeg, continuous"),
        ({"preset": "classical", "steps": {"blur": {"kernels": 3}}}, "blur.kernels: 3 is no group of fields"),
        ({"preset": "classical", "sharpen": {"taps": 50}}, "sharpen.taps: 50 is even"),
        ({"preset": "high_order", "steps": {"finish": None}}, "end with a Downscale"),
        (
            {"preset": "bicubic", "order": ["downscale"]},
            "order: name each step once; the steps are downscale, quantise",
        ),
    ],
)
def test_a_wrong_config_is_one_line_that_names_the_field(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(MedsrError, match=line) as caught:
        configured(changes)
    assert "\n" not in str(caught.value)
