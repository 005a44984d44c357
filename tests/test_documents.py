"""What the pages say can be typed: scripts and their options, commands and theirs, links."""

from __future__ import annotations

import ast
import importlib
import pathlib
import re
import shlex
import subprocess
import sys

import pytest
import typer.main

import medsr_jax
from medsr_jax.cli import app
from medsr_jax.errors import EXTRAS

ROOT = pathlib.Path(__file__).parents[1]
TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = [*(ROOT / name for name in TOP), *sorted((ROOT / "docs").glob("*.md"))]


def _commands(page: pathlib.Path, start: str) -> list[str]:
    """Commands in code, joined where a line goes on, without comments and pipes."""
    text = page.read_text().replace("\\\n", " ")
    code = re.findall(r"```\w*\n(.*?)```", text, re.S) + re.findall(r"`([^`\n]+)`", text)
    lines = [line.split(" #")[0].strip() for block in code for line in block.splitlines()]
    return [line for line in lines if line.startswith(start)]


def _arguments(script: pathlib.Path) -> dict[tuple[str, ...], dict[str, object]]:
    """A script's arguments and what is constant of them, from its source and that of the scripts that it imports."""
    nodes = list(ast.walk(ast.parse(script.read_text())))
    calls = (node for node in nodes if isinstance(node, ast.Call))
    found = {}
    for call in calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr == "add_argument":
            names = tuple(str(arg.value) for arg in call.args if isinstance(arg, ast.Constant))
            found[names] = {k.arg or "": k.value.value for k in call.keywords if isinstance(k.value, ast.Constant)}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (other := script.parent / f"{node.module}.py").is_file():
            found |= _arguments(other)
    return found


def _optional_packages(script: pathlib.Path) -> set[str]:
    """Packages of an extra that a script imports, itself or through the modules of this package that need JAX."""
    top = [node for node in ast.parse(script.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in top if isinstance(node, ast.ImportFrom)}
    extra = {package for packages in EXTRAS.values() for package in packages}
    needing = {"restoration", "evaluation", "models", "training", "degradation", "data"}
    return {
        name
        for name in names
        if name.split(".")[0] in extra or (name.startswith("medsr_jax.") and name.split(".")[1] in needing)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_scripts_take_the_options_that_pages_give_them(page: pathlib.Path) -> None:
    for command in _commands(page, "python scripts/"):
        _, script, *words = shlex.split(command.replace("...", ""))
        assert (ROOT / script).is_file(), command
        arguments = _arguments(ROOT / script)
        given = {word.split("=")[0] for word in words if word.startswith("-")}
        assert given <= {name for names in arguments for name in names}, command
        for names, more in arguments.items():
            assert not more.get("required") or given & set(names), f"{command} lacks {names}"
        positional = [names for names in arguments if not names[0].startswith("-")]
        if positional and arguments[positional[0]].get("nargs") not in ("*", "?"):
            assert words and not words[0].startswith("-"), f"{command} lacks {positional[0]}"


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
def test_training_takes_the_configs_and_fields_that_pages_give_it(page: pathlib.Path) -> None:
    flags = pytest.importorskip("absl.flags")
    config_flags = pytest.importorskip("ml_collections.config_flags")
    from medsr_jax.training.config.checking import checked

    for command in _commands(page, "python -m medsr_jax.training "):
        words = shlex.split(command.replace("=configs/", f"={ROOT}/configs/"))[2:]
        values = flags.FlagValues()
        holder = config_flags.DEFINE_config_file("config", flag_values=values, sys_argv=words)
        flags.DEFINE_string("workdir", None, "", flag_values=values)
        left = values(words)
        assert left == words[:1], command
        checked(holder.value)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_has_the_targets_that_pages_give_it(page: pathlib.Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    for command in _commands(page, "make "):
        if "=" in command.split():  # of Python
            continue
        assert command.split()[1] in targets, command


def test_the_page_of_the_command_line_has_every_option_of_every_command() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    stated: dict[str, set[str]] = {name: set() for name in commands}
    for options, names in re.findall(r"^\| (`-.+?) \| ([a-z, ]+) \|", (ROOT / "docs" / "cli.md").read_text(), re.M):
        for name in names.split(", "):
            stated[name] |= set(re.findall(r"`(-[\w-]+)`", options))
    for name, command in commands.items():
        known = {one for parameter in command.params for one in (*parameter.opts, *parameter.secondary_opts)}
        options = {one for one in known if one.startswith("-")} - {"--help"}
        assert stated[name] == options, name


def test_generated_parts_of_pages_are_up_to_date() -> None:
    pytest.importorskip("jax")
    command = [sys.executable, ROOT / "scripts" / "release" / "pages.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_site_has_every_page() -> None:
    listed = re.findall(r"^ +- (?:.+: )?([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    assert sorted(listed) == sorted(page.name for page in (ROOT / "docs").glob("*.md"))


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
        ("reproduce/plot_runs.py", "matplotlib", "demo"),
        ("measure/uncertainty.py", "scipy", "dev"),
        ("measure/perception.py", "jax", "restore"),
    ],
)
def test_a_script_says_in_a_line_what_it_needs(script: str, package: str, extra: str) -> None:
    path = ROOT / "scripts" / script
    code = f"import sys, runpy\nsys.modules[{package!r}] = None\nsys.path.insert(0, {str(path.parent)!r})\n"
    code += f"runpy.run_path({str(path)!r}, run_name='__main__')\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    shown = {"jax": "JAX"}.get(package, package)
    assert done.stderr == f"this script needs {shown}; install it with: pip install 'medsr-jax[{extra}]'\n"


def test_scripts_that_need_more_than_the_sender_say_so_in_a_line() -> None:
    for script in (ROOT / "scripts").rglob("*.py"):
        if "__main__" in script.read_text() and _optional_packages(script):
            assert "import medsr_jax.excepthook" in script.read_text(), script.name


def test_every_public_name_can_be_imported() -> None:
    for name in medsr_jax.__all__:
        assert getattr(medsr_jax, name) is not None, name


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_the_equations_of_the_paper_are_where_the_page_has_them() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    table = text.split("## The paper's equations")[1].split("## ")[0]
    names = re.findall(r"`([a-z]\w*(?:\.\w+)+)`", table)
    assert len(names) >= 10
    for name in names:
        module, _, function = name.rpartition(".")
        assert callable(getattr(importlib.import_module(f"medsr_jax.{module}"), function)), name


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))],
    ids=lambda page: page.name,
)
def test_files_that_pages_mention_exist(page: pathlib.Path) -> None:
    for name in re.findall(r"(?:medsr_jax|scripts|tests|configs)/[\w/]+\.py", page.read_text()):
        assert (ROOT / name).is_file(), name
