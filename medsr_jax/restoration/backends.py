"""Run the generator in ONNX Runtime or OpenVINO, whose convolutions may be faster on a CPU than XLA's.

They run the graph of `weights.exporting.onnx_graph`, built in memory. JAX computes what follows the generator.
"""

from __future__ import annotations

import importlib
import os
import pathlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax.errors import MedsrError, ParameterError
from medsr_jax.restoration.ensemble import Generator
from medsr_jax.restoration.options import BACKENDS, check_choice
from medsr_jax.weights import Weights
from medsr_jax.weights.exporting.interface import IMAGE, STRENGTH, interface
from medsr_jax.weights.exporting.onnx_graph import onnx_model


def open_backend(name: str, weights: Weights, *, dtype: Any = jnp.float32) -> Generator:
    """A generator that another runtime computes.

    Args:
        name: "onnxruntime" or "openvino".
        weights: of one channel.
        dtype: the type computed in, float32 or bfloat16; bfloat16 in OpenVINO alone, and on CPUs that have it.

    Returns:
        A function of NumPy arrays: images (N, H, W, 1), float32 in [0, 1], sides multiples of the module's
        ``multiple``, and the strength (N,); it gives (N, scale H, scale W, 1) float32, unclipped.

    Raises:
        MedsrError: the backend is unknown, is not installed, or has no such type.
    """
    check_choice("backend", name, BACKENDS)
    dtype = jnp.dtype(dtype)
    if dtype not in (jnp.float32, jnp.bfloat16):
        raise ParameterError("precision", f"must be float32 or bfloat16 with {name}, not {dtype.name}")
    _library("onnx", extra=_EXTRAS[name])
    network = _BACKENDS[name](weights, _library(name, extra=_EXTRAS[name]), dtype)
    ends = interface(weights)

    def run(x: np.ndarray, strength: np.ndarray) -> np.ndarray:
        n, h, w, _ = x.shape
        if h % ends.multiple or w % ends.multiple:
            raise ValueError(f"sides {h}x{w} are not multiples of {ends.multiple}")
        # With one channel both layouts are the same bytes.
        inputs = {IMAGE: np.ascontiguousarray(x, np.float32).reshape(n, 1, h, w)}
        if ends.strength:
            inputs[STRENGTH] = np.ascontiguousarray(strength, np.float32)
        return network(inputs).reshape(n, ends.scale * h, ends.scale * w, 1)

    return run


def _onnxruntime(weights: Weights, library: ModuleType, dtype: Any) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    if dtype == jnp.bfloat16:
        raise ParameterError(
            "precision", "bfloat16 is not part of onnxruntime on a CPU", remedy="use openvino, or float32"
        )
    options = library.SessionOptions()
    # By default it pins a thread to each of the machine's cores, even those that this process may not use.
    options.intra_op_num_threads = cores()
    options.inter_op_num_threads = 1
    # Threads that wait for the next image by spinning would slow down what JAX does with this one.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # Errors are raised as exceptions; the log repeats them.
    options.log_severity_level = 4
    model = onnx_model(weights).SerializeToString()
    session = library.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0]


def _openvino(weights: Weights, library: ModuleType, dtype: Any) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    core = library.Core()
    if dtype == jnp.bfloat16 and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise ParameterError("precision", "bfloat16 is not part of this CPU", remedy="use float32")
    options: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "bf16" if dtype == jnp.bfloat16 else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": cores(),
    }
    if (folder := jax.config.values["jax_compilation_cache_dir"]) is not None:
        options["CACHE_DIR"] = str(pathlib.Path(folder) / "openvino")
    model = core.read_model(onnx_model(weights).SerializeToString())
    compiled = core.compile_model(model, "CPU", options)
    return lambda inputs: compiled(inputs)[0]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _library(name: str, *, extra: str) -> ModuleType:
    if name == "openvino":
        # Importing it reports the use to its vendor, from a process forked under JAX's threads. Without this optional
        # package it does not. Avoid unsolicited network traffic from clinical machines.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise MedsrError(f"the package {name} is not installed", remedy=f"pip install 'medsr-jax[{extra}]'") from error


_BACKENDS = {"onnxruntime": _onnxruntime, "openvino": _openvino}
_EXTRAS = {"onnxruntime": "onnx", "openvino": "openvino"}
