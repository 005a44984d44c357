"""Other runtimes give what XLA gives, and say plainly what they can't do."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.models import build
from medsr_jax.restoration.backends import open_backend
from medsr_jax.weights import model_file

BACKENDS = ("onnxruntime", "openvino")


@pytest.fixture(scope="module")
def weights(tiny_weights: Any) -> Any:
    return model_file.load(tiny_weights)


@pytest.fixture(scope="module")
def example(weights: Any) -> tuple[Any, ...]:
    """Images, strengths, and what Flax makes of them."""
    x = np.random.default_rng(0).random((2, 16, 24, 1), np.float32)
    strength = np.array([0.0, 0.9], np.float32)
    apply = jax.jit(build(weights.model, weights.fields).apply)
    return x, strength, np.asarray(apply({"params": weights.params}, x, strength))


@pytest.mark.parametrize("name", BACKENDS)
def test_they_give_what_xla_gives(name: Any, weights: Any, example: Any) -> None:
    x, strength, expected = example
    network = open_backend(name, weights, dtype=jnp.float32)
    result = network(x, strength)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-4)
    # Another size and batch, of an array that is not contiguous.
    assert network(x[1:, :, :16], strength[1:]).shape == (1, 64, 64, 1)


@pytest.mark.parametrize("name", BACKENDS)
def test_an_earlier_result_stays_as_it_was(name: Any, weights: Any, example: Any) -> None:
    x, strength, expected = example
    network = open_backend(name, weights, dtype=jnp.float32)
    first = network(x, strength)
    network(1 - x, strength)
    np.testing.assert_allclose(first, expected, atol=1e-4)


def test_openvino_in_half_precision_is_near(weights: Any, example: Any) -> None:
    x, strength, expected = example
    try:
        network = open_backend("openvino", weights, dtype=jnp.bfloat16)
    except MedsrError as error:
        if "bfloat16 is not part of this CPU" not in str(error):
            raise
        pytest.skip(str(error))
    assert np.abs(network(x, strength) - expected).mean() < 0.01


@pytest.mark.parametrize("name", BACKENDS)
def test_sides_that_are_no_multiples_are_an_error(name: Any, weights: Any) -> None:
    network = open_backend(name, weights, dtype=jnp.float32)
    with pytest.raises(ValueError, match="sides 12x16 are not multiples of 8"):
        network(np.zeros((1, 12, 16, 1), np.float32), np.zeros(1, np.float32))


def test_onnxruntime_has_no_half_precision(weights: Any) -> None:
    with pytest.raises(
        MedsrError, match="precision: bfloat16 is not part of onnxruntime on a CPU; use openvino, or float32"
    ):
        open_backend("onnxruntime", weights, dtype=jnp.bfloat16)


def test_other_types_are_refused(weights: Any) -> None:
    with pytest.raises(MedsrError, match="precision: must be float32 or bfloat16 with openvino, not float16"):
        open_backend("openvino", weights, dtype=jnp.float16)


def test_a_backend_that_is_not_known_is_answered_with_those_that_are(weights: Any) -> None:
    with pytest.raises(MedsrError, match="backend: must be one of xla, onnxruntime, openvino, not tensorrt"):
        open_backend("tensorrt", weights, dtype=jnp.float32)


@pytest.mark.parametrize(
    ("name", "missing", "remedy"),
    [
        ("onnxruntime", "onnxruntime", "package onnxruntime is not installed; pip install 'medsr-jax[onnx]'"),
        ("onnxruntime", "onnx", "package onnx is not installed; pip install 'medsr-jax[onnx]'"),
        ("openvino", "openvino", "package openvino is not installed; pip install 'medsr-jax[openvino]'"),
        ("openvino", "onnx", "package onnx is not installed; pip install 'medsr-jax[openvino]'"),
    ],
)
def test_a_library_that_is_missing_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, weights: Any, name: str, missing: str, remedy: str
) -> None:
    class Absent:
        """Python's own machinery, told that the package is nowhere."""

        def find_spec(self, fullname: Any, path: Any = None, target: Any = None) -> None:
            if fullname == missing:
                raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    monkeypatch.delitem(sys.modules, missing, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    with pytest.raises(MedsrError) as caught:
        open_backend(name, weights, dtype=jnp.float32)
    assert remedy in str(caught.value)


def test_openvino_reports_to_no_one(tiny_weights: Any, tmp_path: pathlib.Path) -> None:
    code = (
        "import sys, jax.numpy as jnp; from medsr_jax.weights import model_file;"
        " from medsr_jax.restoration.backends import open_backend;"
        f" open_backend('openvino', model_file.load({str(tiny_weights)!r}), dtype=jnp.float32);"
        " print([name for name in sys.modules if name.startswith('openvino_telemetry.')])"
    )
    environment = {"HOME": str(tmp_path), "JAX_PLATFORMS": "cpu", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.stdout.strip() == "[]", done.stderr
    assert not list(tmp_path.iterdir())


def test_openvino_keeps_its_compiled_model_beside_those_of_jax(weights: Any, tmp_path: pathlib.Path) -> None:
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    try:
        open_backend("openvino", weights, dtype=jnp.float32)
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
    assert list((tmp_path / "openvino").iterdir())
