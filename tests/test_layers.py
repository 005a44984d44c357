"""Imports run downward only, and the sender starts without JAX."""

import ast
import pathlib
import subprocess
import sys

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "medsr_jax"

# What each room may import of the others.
ALLOWED = {
    "imaging": set(),
    "transmission": {"imaging"},
    "degradation": set(),
    "models": set(),
    "zoo": {"imaging", "models"},
    "data": {"imaging", "transmission", "models", "degradation"},
    "restoration": {"imaging", "transmission", "models", "zoo"},
    "evaluation": {"imaging", "transmission", "models", "zoo", "restoration"},
    "training": {"imaging", "transmission", "models", "zoo", "data", "degradation", "evaluation"},
}
SHARED = {"errors", "files", "tables", "temporary", "terminal", "text"}


def imported_rooms(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] if node.module != "medsr_jax" else [f"medsr_jax.{a.name}" for a in node.names]
        for name in names:
            if name.startswith("medsr_jax."):
                yield name.split(".")[1]


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_rooms_below_it(room):
    for path in (PACKAGE / room).rglob("*.py"):
        above = set(imported_rooms(path)) - ALLOWED[room] - SHARED - {room}
        assert not above, f"{path.relative_to(PACKAGE)} imports {above}"


@pytest.mark.parametrize(
    "statement",
    ["import medsr_jax", "import medsr_jax.cli", "from medsr_jax import compress", "import medsr_jax.imaging"],
)
def test_the_sender_loads_neither_jax_nor_scipy_nor_matplotlib(statement):
    code = f"{statement}; import sys; print({{'jax', 'flax', 'scipy', 'matplotlib'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
