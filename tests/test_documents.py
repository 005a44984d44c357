"""What the pages say can be typed: scripts and their options, commands and theirs, links."""

from __future__ import annotations

import ast
import pathlib
import re
import shlex
import subprocess
import sys

import pytest
import typer.main

from medsr_jax.cli import app

ROOT = pathlib.Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def _commands(page: pathlib.Path, start: str) -> list[str]:
    """Commands in code, joined where a line goes on, without comments and pipes."""
    text = page.read_text().replace("\\\n", " ")
    code = re.findall(r"```\w*\n(.*?)```", text, re.S) + re.findall(r"`([^`\n]+)`", text)
    lines = [line.split(" #")[0].strip() for block in code for line in block.splitlines()]
    return [line for line in lines if line.startswith(start)]


def _options(script: pathlib.Path) -> set[str]:
    """The options that a script's parser takes, from its source and that of the scripts that it imports."""
    nodes = list(ast.walk(ast.parse(script.read_text())))
    calls = (node for node in nodes if isinstance(node, ast.Call))
    named = (call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument")
    found = {arg.value for call in named for arg in call.args if isinstance(arg, ast.Constant)}
    beside = [script.parent / f"{node.module}.py" for node in nodes if isinstance(node, ast.ImportFrom)]
    return found.union(*(_options(other) for other in beside if other.is_file()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_scripts_take_the_options_that_pages_give_them(page: pathlib.Path) -> None:
    for command in _commands(page, "python scripts/"):
        _, script, *words = shlex.split(command.replace("...", ""))
        assert (ROOT / script).is_file(), command
        options = {word.split("=")[0] for word in words if word.startswith("--")}
        assert options <= _options(ROOT / script), command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_take_the_options_that_pages_give_them(page: pathlib.Path) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for command in _commands(page, "medsr "):
        _, name, *words = shlex.split(command.replace("...", ""))
        if name.startswith("--"):
            continue
        assert name in commands, command
        options = {word.split("=")[0] for word in words if re.match(r"--\w", word)}
        assert options <= {one for parameter in commands[name].params for one in parameter.opts}, command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: pathlib.Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http", "mailto")):
            continue
        file, _, anchor = target.partition("#")
        linked = page if not file else (page.parent / file)
        assert linked.exists(), target
        if anchor and linked.suffix == ".md":
            heads = re.findall(r"^#+ (.+)$", linked.read_text(), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in slugs, target


@pytest.mark.parametrize(
    ("script", "package", "extra"),
    [
        ("plot_runs.py", "matplotlib", "demo"),
        ("measure_uncertainty.py", "scipy", "dev"),
        ("measure_perception.py", "jax", "restore"),
    ],
)
def test_a_script_says_in_a_line_what_it_needs(script: str, package: str, extra: str) -> None:
    code = f"import sys, runpy\nsys.modules[{package!r}] = None\nsys.path.insert(0, {str(ROOT / 'scripts')!r})\n"
    code += f"runpy.run_path({str(ROOT / 'scripts' / script)!r}, run_name='__main__')\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    shown = {"jax": "JAX"}.get(package, package)
    assert done.stderr == f"this script needs {shown}; install it with: pip install 'medsr-jax[{extra}]'\n"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
