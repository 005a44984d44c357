"""What the core install does alone, and what the commands say that need more."""

from __future__ import annotations

import ast
import importlib.metadata
import pathlib
import subprocess
import sys
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.transmission.images import BUNDLED

CT = str(BUNDLED / "CT_small.dcm")


def _beyond_the_core() -> set[str]:
    """All importable names that `pip install medsr-jax` without extras does not bring."""
    project = tomllib.loads((pathlib.Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    core, todo = set[str](), [Requirement(line) for line in project["dependencies"]]
    while todo:
        requirement = todo.pop()
        if requirement.name in core or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        core.add(requirement.name)
        todo += [Requirement(line) for line in importlib.metadata.requires(requirement.name) or []]
    names = {canonicalize_name(name) for name in core} | {"medsr-jax"}
    found = importlib.metadata.packages_distributions()
    return {module for module, owners in found.items() if not names & {canonicalize_name(owner) for owner in owners}}


def _without(packages: set[str], code: str, tmp_path: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """Python code in a process where packages are as good as not installed."""
    blocked = f"import sys\nfor name in {sorted(packages)!r}: sys.modules[name] = None\n"
    return subprocess.run(
        [sys.executable, "-c", blocked + code], capture_output=True, text=True, check=False, cwd=tmp_path
    )


def test_the_core_sends_alone_and_names_what_the_rest_needs(tmp_path: pathlib.Path) -> None:
    """In a process where nothing but the core dependencies can be imported."""
    beyond = _beyond_the_core()
    assert {"jax", "flax", "ml_dtypes", "optax", "matplotlib", "scipy"} <= beyond
    assert not {"numpy", "pydicom", "PIL", "imagecodecs", "safetensors", "typer", "rich"} & beyond
    code = f"""
import contextlib, io, runpy
from medsr_jax.cli import app

def medsr(*arguments):
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        status = app(arguments, standalone_mode=False)
    print(repr((status or 0, said.getvalue())))

def imported(module, name=None):
    try:
        getattr(__import__(module), name)
    except ImportError as error:
        print(repr((type(error).__name__, str(error))))

medsr("compress", {CT!r}, "-o", "sent")
medsr("info", "sent/CT_small.dcm", "xray-x4")
for arguments in (
    ("restore", "sent/CT_small.dcm", "-o", "out"), ("restore", "sent", "sent/CT_small.dcm", "-o", "out"),
    ("evaluate", {CT!r}), ("models",), ("export", "xray-x4", "-o", "x.onnx"), ("demo",),
    ("prepare", "sent", "-o", "set"), ("import", "x.pth", "-o", "x.safetensors"),
):
    medsr(*arguments)
imported("medsr_jax", "Restorer")
imported("medsr_jax", "psnr")
imported("medsr_jax.degradation")
runpy.run_module("medsr_jax.training", run_name="__main__")
"""
    done = _without(beyond, code, tmp_path)
    lines = [ast.literal_eval(line) for line in done.stdout.splitlines()]
    assert [status for status, _ in lines] == [0, 0, *[1] * 8, *["MissingPart"] * 3], done.stdout
    said = [f"{what} needs JAX; install it with: pip install 'medsr-jax[restore]'" for what in (
        "medsr restore", "medsr restore", "medsr evaluate", "medsr models", "medsr export", "medsr demo",
        "medsr prepare", "medsr import", "medsr_jax.Restorer", "medsr_jax.psnr", "medsr_jax.degradation",
    )]  # fmt: skip
    said[5] = said[5].replace("restore]", "demo]")
    said[6] = "medsr prepare needs tensorflow_datasets; install it with: pip install 'medsr-jax[train]'"
    assert [line.strip() for _, line in lines[2:]] == said
    assert done.returncode == 1
    assert done.stderr == "training needs absl; install it with: pip install 'medsr-jax[train]'\n"


def test_the_extras_are_those_of_the_messages() -> None:
    from medsr_jax.errors import EXTRAS

    project = tomllib.loads((pathlib.Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    for extra in EXTRAS:
        assert extra in project["optional-dependencies"]
