"""The public names of the package."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import medsr_jax


@pytest.mark.parametrize("name", medsr_jax.__all__)
def test_every_public_name_exists_and_is_documented(name: str) -> None:
    value = getattr(medsr_jax, name)
    assert name == "__version__" or value.__doc__


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'compres'"):
        medsr_jax.compres  # noqa: B018


def test_star_import_and_dir_list_the_public_names() -> None:
    code = "from medsr_jax import *; import medsr_jax; print(sorted(set(medsr_jax.__all__) - set(globals())))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert dir(medsr_jax) == sorted(medsr_jax.__all__)


def test_packages_export_what_they_list() -> None:
    for module in pkgutil.iter_modules(medsr_jax.__path__, "medsr_jax."):
        package = importlib.import_module(module.name) if module.ispkg else None
        for name in getattr(package, "__all__", ()):
            assert hasattr(package, name), f"{module.name}.{name}"
