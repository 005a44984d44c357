"""What a receiver's options accept, and the cache of compiled programs."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from medsr_jax.errors import ParameterError
from medsr_jax.restoration import compilation
from medsr_jax.restoration.options import ReceiverOptions


@pytest.mark.parametrize(
    "accepted",
    [
        {},
        {"views": 4, "ensemble": True},
        {"views": 8, "uncertainty": True},
        {"model": "bicubic"},
        {"model": "xray-x4", "blend": "xray-x4", "alpha": 0.0},
        {"model": "xray-x4", "blend": "xray-x4", "alpha": 1.0},
        {"tile": 0, "batch": 1},
    ],
)
def test_accepted(accepted: dict[str, Any]) -> None:
    options = ReceiverOptions(**accepted)
    assert {name: getattr(options, name) for name in accepted} == accepted


@pytest.mark.parametrize(
    ("refused", "line"),
    [
        ({"views": 4}, "views: requires the ensemble"),
        ({"views": 3, "ensemble": True}, "views: must be one of 2, 4, 8, not 3"),
        ({"alpha": 0.5}, "alpha: requires a second model"),
        ({"blend": "xray-x4", "alpha": 1.01}, "alpha: must be between 0 and 1, not 1.01"),
        ({"blend": "xray-x4", "alpha": -0.01}, "alpha: must be between 0 and 1, not -0.01"),
        ({"model": "xray-x5"}, "model: .*xray-x5"),
        ({"blend": "xray-x5"}, "blend: .*xray-x5"),
        ({"backend": "torch"}, "backend: must be one of xla, onnxruntime, openvino, not torch"),
        ({"precision": "float16"}, "precision: must be one of float32, bfloat16, not float16"),
        ({"tile": 12}, "tile: must be a multiple of 8"),
        ({"tile": -8}, "tile: must be a multiple of 8"),
        ({"batch": 0}, "batch: must be at least 1, not 0"),
    ],
)
def test_refused_by_name(refused: dict[str, Any], line: str) -> None:
    with pytest.raises(ParameterError, match=line):
        ReceiverOptions(**refused)


def test_cache_is_below_the_users(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no" / "cache"))
    assert compilation._cache_folder() == str(tmp_path / "no" / "cache" / "medsr_jax")
    assert (tmp_path / "no" / "cache" / "medsr_jax").is_dir()
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert compilation._cache_folder() == str(tmp_path / "home" / ".cache" / "medsr_jax")


def test_named_cache_is_used_as_it_is(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "named"))
    assert compilation._cache_folder() == str(tmp_path / "named")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "gs://bucket/cache")
    assert compilation._cache_folder() == "gs://bucket/cache"
