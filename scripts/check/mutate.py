"""Change the package in one place at a time, and list the changes that its tests do not notice.

    python scripts/check/mutate.py medsr_jax/transmission/quality.py [--tests PATHS] [--mutants 25] [--seed 0]

Mutants are comparisons (< for <=), arithmetic (+ for -, * for /), numbers (times ten, one more), and/or, a `not` or a
keyword argument left out. Each is written into a copy of the package, for which the tests run until the first failure.
Survivors are printed as ``FILE:LINE  BEFORE -> AFTER``; the exit status is their number.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS = 300.0
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
}  # fmt: skip


def main() -> int:
    """Run the tests on each mutant; the number of survivors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", type=pathlib.Path, nargs="*", help="files of medsr_jax")
    parser.add_argument("--tests", nargs="+", help="what pytest runs [the tests of the module's package]")
    parser.add_argument("--mutants", type=int, default=25, help="of each module, drawn at random [25]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tiny", action="store_true", help="two mutants of jpeg/tables.py")
    options = parser.parse_args()
    if options.tiny:
        options.modules, options.mutants = [pathlib.Path("medsr_jax/jpeg/tables.py")], 2
        options.tests = ["tests/jpeg/test_tables.py"]
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="medsr-mutants-") as folder:
        for name in ("medsr_jax", "tests", "scripts", "configs", "docs"):
            shutil.copytree(ROOT / name, pathlib.Path(folder, name), ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, folder)
        for module in options.modules:
            path = module.resolve().relative_to(ROOT)
            tests = options.tests or [f"tests/{path.parts[1]}"]
            survived = _survivors(pathlib.Path(folder), path, tests, options.mutants, random.Random(options.seed))
            survivors += survived
    return 0 if options.tiny else min(survivors, 99)


def _survivors(folder: pathlib.Path, path: pathlib.Path, tests: list[str], most: int, draw: random.Random) -> int:
    source = (ROOT / path).read_text()
    mutants = list(_mutants(source))
    chosen = sorted(draw.sample(range(len(mutants)), min(most, len(mutants))))
    survived = 0
    for number in chosen:
        line, before, after, text = mutants[number]
        (folder / path).write_text(text)
        if _passes(folder, tests):
            survived += 1
            print(f"{path}:{line}  {before} -> {after}", flush=True)
    (folder / path).write_text(source)
    print(f"{path}: {len(chosen)} of {len(mutants)} mutants, {len(chosen) - survived} killed", flush=True)
    return survived


def _passes(folder: pathlib.Path, tests: list[str]) -> bool:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _mutants(source: str) -> Iterator[tuple[int, str, str, str]]:
    """(line, expression before, after, whole source) of every single change."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    for at, node in enumerate(nodes):
        if not isinstance(node, ast.expr):
            continue
        for changed in _changes(node):
            mutant = copy.deepcopy(tree)
            target = list(ast.walk(mutant))[at]
            target.__class__ = changed.__class__
            target.__dict__.update(changed.__dict__)
            yield node.lineno, ast.unparse(node), ast.unparse(changed), ast.unparse(ast.fix_missing_locations(mutant))


def _changes(node: ast.expr) -> Iterator[ast.expr]:
    one = copy.deepcopy(node)
    if isinstance(one, ast.Compare) and type(one.ops[0]) in _COMPARISONS:
        one.ops[0] = _COMPARISONS[type(one.ops[0])]()
        yield one
    elif isinstance(one, ast.BinOp) and type(one.op) in _ARITHMETIC:
        one.op = _ARITHMETIC[type(one.op)]()
        yield one
    elif isinstance(one, ast.BoolOp):
        one.op = ast.Or() if isinstance(one.op, ast.And) else ast.And()
        yield one
    elif isinstance(one, ast.UnaryOp) and isinstance(one.op, ast.Not):
        yield one.operand
    elif isinstance(one, ast.Constant) and type(one.value) in (int, float):
        one.value = one.value * 10 if one.value not in (0, 1) else one.value + 1
        yield one
    elif isinstance(one, ast.Call):
        for number in range(len(one.keywords)):
            other = copy.deepcopy(one)
            del other.keywords[number]
            yield other


if __name__ == "__main__":
    sys.exit(main())
