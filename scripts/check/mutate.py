"""Change the package in one place at a time, and list the changes that its tests do not notice.

    python scripts/check/mutate.py medsr_jax/transmission/quality.py medsr_jax/jpeg [--mutants 6] [--seed 0]

Mutants are comparisons (< for <=), conditions negated, and/or, arithmetic (+ for -, * for /), numbers (times ten, one
more), calls and assignments to fields left out, and keyword arguments left out; decorators, chex's checks and errors'
texts stay. As many of each kind as of the others are drawn at random. Each is written into a copy of the package, for
which tests run until the first failure: those of the module of the same name (tests/transmission/test_quality.py),
then, shortest file first, those of its package that import it, then the package's others, for --seconds in all. One
process imports the libraries once and forks for each run. Survivors are printed as ``FILE:LINE KIND BEFORE -> AFTER``,
then a table by package; the exit status is their number.
"""

from __future__ import annotations

import argparse
import ast
import collections
import contextlib
import copy
import importlib
import math
import os
import pathlib
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARIES = ("pytest", "numpy", "PIL.Image", "imagecodecs", "tifffile", "pydicom", "pydicom.data", "scipy.ndimage")
OF_JAX = ("jax", "flax.linen", "chex", "dm_pix")
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.Pow: ast.Mult,
}  # fmt: skip
KINDS = ("comparison", "condition", "logic", "arithmetic", "number", "statement", "keyword")


class Mutant(NamedTuple):
    """One change of a module."""

    line: int
    kind: str
    change: str
    node: int
    number: int


def main() -> int:
    """Run the tests on each mutant; the number of survivors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", type=pathlib.Path, nargs="*", help="files or folders of medsr_jax")
    parser.add_argument("--tests", nargs="+", help="what pytest runs, all of it [chosen by the module]")
    parser.add_argument("--mutants", type=int, default=6, help="of each module, drawn at random [6]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60.0, help="of tests a mutant after those of its module [60]")
    parser.add_argument("--tiny", action="store_true", help="two mutants of jpeg/tables.py")
    options = parser.parse_args()
    if options.tiny:
        options.modules, options.mutants = [pathlib.Path("medsr_jax/jpeg/tables.py")], 2
    rows: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0, 0])
    with tempfile.TemporaryDirectory(prefix="medsr-mutants-") as name:
        folder = pathlib.Path(name)
        _copy(folder)
        for path in _modules(options.modules):
            chosen = _drawn(list(mutants((ROOT / path).read_text())), options.mutants, f"{options.seed} {path}")
            trial = Trial(folder, path, options.tests or _tests(path), math.inf if options.tests else options.seconds)
            killed = len(chosen)
            for mutant in chosen:
                if trial.survives(mutant):
                    killed -= 1
                    print(f"{path}:{mutant.line}  {mutant.kind}  {mutant.change}", flush=True)
            failing = "".join(f"; {test} fails unchanged" for test in trial.close())
            print(f"{path}: {len(chosen)} mutants, {killed} killed{failing}", flush=True)
            for at, number in enumerate((1, len(chosen), killed)):
                rows["/".join(path.parts[1:-1])][at] += number
    print("| package | modules | mutants | killed | survivors |\n|-|-|-|-|-|")
    for package, (modules, count, killed) in sorted(rows.items()):
        print(f"| `{package}` | {modules} | {count} | {killed} | {count - killed} |")
    survivors = sum(count - killed for _, count, killed in rows.values())
    return 0 if options.tiny else min(survivors, 99)


def _copy(folder: pathlib.Path) -> None:
    for name in ("medsr_jax", "tests", "scripts", "configs", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)


def _modules(paths: Sequence[pathlib.Path]) -> Iterator[pathlib.Path]:
    for path in paths:
        found = sorted(path.resolve().rglob("*.py")) if path.is_dir() else [path.resolve()]
        yield from (one.relative_to(ROOT) for one in found)


def _tests(path: pathlib.Path) -> list[str]:
    """Test files of a package: the module's own, those that import it, the others; of each the shortest first."""
    same = ROOT / "tests" / path.relative_to("medsr_jax").parent / f"test_{path.stem}.py"
    names = {path.parent.name if path.stem == "__init__" else path.stem}

    def order(test: pathlib.Path) -> tuple[bool, bool, int]:
        return test != same, not _imports(test.read_text(), names), test.stat().st_size

    return [
        str(test.relative_to(ROOT)) for test in sorted((ROOT / "tests" / path.parts[1]).rglob("test_*.py"), key=order)
    ]


def _imports(source: str, names: set[str]) -> bool:
    lines = re.findall(r"^\s*(?:from (medsr_jax\S*) )?import (.*)", source, re.MULTILINE)
    return any(names & set(re.findall(r"\w+", " ".join(line))) for line in lines if "medsr_jax" in " ".join(line))


def _drawn(found: list[Mutant], most: int, seed: str) -> list[Mutant]:
    """At most so many mutants, of each kind in turn."""
    draw = random.Random(seed)
    kinds = [draw.sample(of, len(of)) for kind in KINDS if (of := [one for one in found if one.kind == kind])]
    drawn: list[Mutant] = []
    while len(drawn) < most and any(kinds):
        drawn += [kind.pop() for kind in kinds if kind]
    return sorted(drawn[:most])


class Trial:
    """Tests of one module in a copy of the package."""

    seconds: ClassVar[dict[str, float]] = {}  # that a file takes without a change; nan where it fails, inf: too long

    def __init__(self, folder: pathlib.Path, path: pathlib.Path, tests: list[str], most: float) -> None:
        self.file, self.folder, self.tests, self.most = folder / path, folder, tests, most
        self.unchanged = (ROOT / path).read_text()

    def survives(self, mutant: Mutant) -> bool:
        """Whether every test file that the time allows passes on this change."""
        text = _written(self.unchanged, mutant)
        spent = 0.0
        for number, test in enumerate(self.tests):
            expected = self._expected(test, min(self.most, 300.0) if number else 300.0)
            if math.isnan(expected) or (number and spent + expected > self.most):
                continue
            self.file.write_text(text)
            if not _passes(self.folder, test, 30.0 + 5.0 * expected):  # one that does not end is noticed too
                return False
            spent += expected if number else 0.0
        return True

    def _expected(self, test: str, most: float) -> float:
        if test not in self.seconds:
            self.file.write_text(self.unchanged)
            start = time.monotonic()
            passes = _passes(self.folder, test, most)
            self.seconds[test] = math.inf if passes is None else time.monotonic() - start if passes else math.nan
        return self.seconds[test]

    def close(self) -> list[str]:
        """Put the module back; the test files that fail without a change."""
        self.file.write_text(self.unchanged)
        return [test for test in self.tests if math.isnan(self.seconds.get(test, 0.0))]


def _passes(folder: pathlib.Path, test: str, seconds: float) -> bool | None:
    """Whether a test file passes, in a fork that has the libraries and none of the package; None: it took longer."""
    for name in LIBRARIES if test.split("/")[1] in {"jpeg", "imaging", "transmission"} else LIBRARIES + OF_JAX:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if child == 0:
        _run(folder, test)
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status) == 0
            time.sleep(0.05)
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)


def _run(folder: pathlib.Path, test: str) -> None:
    """Run pytest in this process and end it."""
    status = 1
    try:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nowhere, stream)
        os.chdir(folder)
        os.environ |= {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(folder))
        status = int(importlib.import_module("pytest").main(["-x", "-q", "-p", "no:cacheprovider", test]))
    finally:
        os._exit(status)


def mutants(source: str) -> Iterator[Mutant]:
    """Every single change of a module."""
    nodes = list(ast.walk(ast.parse(source)))
    left = {id(node) for root in nodes for node in _left_alone(root)}
    for at, node in enumerate(nodes):
        for number, (kind, changed) in enumerate(_changes(node) if id(node) not in left else ()):
            before, after = (ast.unparse(one).split("\n")[0] for one in (node, changed))
            yield Mutant(getattr(node, "lineno", 0), kind, f"{before} -> {after}", at, number)


def _written(source: str, mutant: Mutant) -> str:
    """The module with a change."""
    tree = ast.parse(source)
    node = list(ast.walk(tree))[mutant.node]
    _, changed = list(_changes(node))[mutant.number]
    node.__class__ = changed.__class__  # type: ignore[assignment]
    node.__dict__.clear()
    node.__dict__.update(changed.__dict__)
    return ast.unparse(ast.fix_missing_locations(tree))


def _left_alone(node: ast.AST) -> Iterator[ast.AST]:
    """What is no behaviour, or only an error's text."""
    roots: list[ast.AST | None] = []
    if isinstance(node, ast.FunctionDef):
        roots = [*node.decorator_list, node.returns]
    elif isinstance(node, ast.ClassDef):
        roots = [*node.decorator_list]
    elif isinstance(node, ast.AnnAssign | ast.arg):
        roots = [node.annotation]
    elif isinstance(node, ast.Raise) or (
        isinstance(node, ast.Expr | ast.If) and ast.unparse(node).startswith(("chex.assert_", "if TYPE_CHECKING:"))
    ):
        roots = [node]
    for root in roots:
        yield from ast.walk(root) if root is not None else ()


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    one = copy.deepcopy(node)
    if isinstance(one, ast.Compare) and type(one.ops[0]) in _COMPARISONS:
        one.ops[0] = _COMPARISONS[type(one.ops[0])]()
        yield "comparison", one
    elif isinstance(one, ast.BinOp) and type(one.op) in _ARITHMETIC and not isinstance(one.left, ast.JoinedStr):
        one.op = _ARITHMETIC[type(one.op)]()
        yield "arithmetic", one
    elif isinstance(one, ast.BoolOp):
        one.op = ast.Or() if isinstance(one.op, ast.And) else ast.And()
        yield "logic", one
    elif isinstance(one, ast.UnaryOp) and isinstance(one.op, ast.Not):
        yield "logic", one.operand
    elif isinstance(one, ast.If | ast.IfExp) and not isinstance(one.test, ast.Compare | ast.BoolOp):
        one.test = ast.UnaryOp(ast.Not(), one.test)
        yield "condition", one
    elif isinstance(one, ast.If):
        one.test = ast.Constant(value=False)
        yield "condition", one
    elif isinstance(one, ast.Constant) and type(one.value) in {int, float}:
        one.value = one.value * 10 if one.value not in (0, 1) else one.value + 1  # type: ignore[operator]
        yield "number", one
    elif _has_effect(one):
        yield "statement", ast.copy_location(ast.Pass(), one)
    elif isinstance(one, ast.Call):
        for number in range(len(one.keywords)):
            other = copy.deepcopy(one)
            del other.keywords[number]
            yield "keyword", other


def _has_effect(node: ast.AST) -> bool:
    """Whether a statement is a call, or an assignment to a part of something."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
    return any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets)


if __name__ == "__main__":
    sys.exit(main())
