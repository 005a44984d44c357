"""Packages whose names are imported when they are used (PEP 562): a sender loads no JAX."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from medsr_jax.errors import missing_part


def lazily(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package.

    Args:
        package: its ``__name__``.
        homes: the module of each public name, relative to the package; with ``:`` and another name where that differs.

    Returns:
        A function that imports the name, and raises `MissingPart` where a package of an extra is not installed.
    """

    def getattr_(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, _, other = homes[name].partition(":")
        try:
            return getattr(importlib.import_module(f"{package}.{module}"), other or name)
        except ImportError as error:
            if missing := missing_part(error, what=f"{package}.{name}"):
                raise missing from None
            raise

    return getattr_
