"""Imports run downward only, without circles."""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "medsr_jax"

# What each package may import of the others.
ALLOWED: dict[str, set[str]] = {
    "jpeg": set(),
    "imaging": {"jpeg"},
    "transmission": {"jpeg", "imaging"},
    "degradation": {"jpeg"},
    "models": {"jpeg"},
    "weights": {"jpeg", "models"},
    "data": {"jpeg", "imaging", "transmission", "models", "degradation"},
    "restoration": {"jpeg", "imaging", "transmission", "models", "weights"},
    "evaluation": {"jpeg", "imaging", "transmission", "models", "weights", "restoration"},
    "training": {"jpeg", "imaging", "transmission", "models", "weights", "data", "degradation", "evaluation"},
}
SHARED = {"errors", "fields", "files", "lazy", "tables", "temporary", "terminal", "text"}


def name_of(path: pathlib.Path) -> str:
    """The dotted name of a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py")}


def imported(path: pathlib.Path, *, typing: bool = True) -> Iterator[tuple[str, str]]:
    """(module, name) of each import, the name empty where a whole module is imported.

    Args:
        path: of a module.
        typing: with those that only a type checker sees.
    """
    tree = ast.parse(path.read_text())
    checked = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ]
    skipped = set() if typing else {inner for node in checked for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (whole, "") if whole in MODULES else (node.module, alias.name)


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_import_only_those_below_them(package: str) -> None:
    for path in (PACKAGE / package).rglob("*.py"):
        names = {name.split(".")[1] for name, _ in imported(path) if name.startswith("medsr_jax.")}
        above = names - ALLOWED[package] - SHARED - {package}
        assert not above, f"{path.relative_to(PACKAGE)} imports {above}"


def test_every_package_but_the_command_line_has_its_rule() -> None:
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages - {"cli"} == set(ALLOWED)


def test_there_are_no_circles() -> None:
    """Imports inside functions count too: they hide a circle and don't break it."""
    below = {
        name: {other for other, _ in imported(path, typing=False) if other in MODULES} - {name}
        for name, path in MODULES.items()
    }
    while free := {name for name, others in below.items() if not others}:
        below = {name: others - free for name, others in below.items() if name not in free}
    assert not below, f"in or above a circle: {sorted(below)}"


def test_private_names_stay_in_their_package() -> None:
    for name, path in MODULES.items():
        for other, what in imported(path):
            if other in MODULES and what.startswith("_") and not what.startswith("__"):
                assert other.split(".")[1] == name.split(".")[1], f"{name} imports {what} of {other}"
