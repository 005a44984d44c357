"""Change the package in one place at a time, and list the changes that its tests do not notice.

    python scripts/check/mutate.py medsr_jax/transmission/*.py --tests tests/transmission [--mutants 3] [--seed 0]

Mutants are comparisons (< for <=), arithmetic (+ for -, * for /), numbers (times ten, one more), and/or, a `not` or a
keyword argument left out; of each module so many are drawn at random. The tests run once with coverage, which tells for
each line the tests that reach it. Each mutant is written into a copy of the package, for which those tests run until
the first failure, the fastest first, at most 40 of them. Survivors are printed as ``FILE:LINE  BEFORE -> AFTER``, with
"no test" where none reaches the line; the last line is a row for each package. Tests that start processes are not
credited with what those execute. The exit status is the number of survivors.
"""

from __future__ import annotations

import argparse
import ast
import collections
import copy
import dataclasses
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import coverage

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECONDS, MOST_TESTS = 120.0, 40
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
    parser.add_argument("--tests", nargs="+", default=["tests"], help="what pytest runs [tests]")
    parser.add_argument("--mutants", type=int, default=3, help="of each module, drawn at random [3]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tiny", action="store_true", help="two mutants of jpeg/tables.py")
    options = parser.parse_args()
    if options.tiny:
        options.modules, options.mutants = [pathlib.Path("medsr_jax/jpeg/tables.py")], 2
        options.tests = ["tests/jpeg/test_tables.py"]
    tally: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory(prefix="medsr-mutants-") as name:
        folder = pathlib.Path(name)
        for part in ("medsr_jax", "tests", "scripts", "configs", "docs"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        for part in ("pyproject.toml", "README.md", "Makefile", "mkdocs.yml", "CHANGELOG.md"):
            shutil.copy(ROOT / part, folder)
        reach = _Reach(folder, options.tests)
        for module in options.modules:
            path = module.resolve().relative_to(ROOT)
            tally[path.parts[1]] += _module(folder, path, reach, options.mutants, random.Random(options.seed))
    for package, counts in tally.items():
        print(f"{package}: {', '.join(f'{count} {what}' for what, count in sorted(counts.items()))}")
    return 0 if options.tiny else min(sum(counts["survived"] + counts["no test"] for counts in tally.values()), 99)


class _Reach:
    """Which tests reach which line, and how long they take.

    Args:
        folder: the copy of the project.
        tests: what pytest runs.
    """

    def __init__(self, folder: pathlib.Path, tests: list[str]) -> None:
        self._folder = folder
        done = _pytest(
            folder, ["--cov=medsr_jax", "--cov-context=test", "--cov-report=", "-rN", "--durations=0", *tests]
        )
        if done.returncode:
            sys.exit(f"the tests fail before any change:\n{done.stdout[-2000:]}")
        self._seconds: dict[str, float] = collections.defaultdict(float)
        for seconds, test in re.findall(r"^ *([\d.]+)s (?:call|setup) +(\S.*)$", done.stdout, flags=re.M):
            self._seconds[test] += float(seconds)
        self._data = coverage.CoverageData(str(folder / ".coverage"))
        self._data.read()

    def tests(self, path: pathlib.Path, lines: range | None) -> list[str]:
        """Those that reach lines of a file, or any line where None; the fastest first."""
        contexts = self._data.contexts_by_lineno(str(self._folder / path))
        found = {
            context.rpartition("|")[0]
            for line, reached in contexts.items()
            if lines is None or line in lines
            for context in reached
        } - {""}
        return sorted(found, key=lambda test: (self._seconds[test], test))[:MOST_TESTS]


def _module(
    folder: pathlib.Path, path: pathlib.Path, reach: _Reach, most: int, draw: random.Random
) -> collections.Counter[str]:
    source = (ROOT / path).read_text()
    mutants = list(_mutants(source))
    counts: collections.Counter[str] = collections.Counter()
    for number in sorted(draw.sample(range(len(mutants)), min(most, len(mutants)))):
        mutant = mutants[number]
        tests = reach.tests(path, mutant.lines)
        (folder / path).write_text(mutant.source)
        outcome = "no test" if not tests else "survived" if _passes(folder, tests) else "killed"
        counts[outcome] += 1
        if outcome != "killed":
            print(f"{path}:{mutant.line}  {mutant.before} -> {mutant.after}  ({outcome})", flush=True)
    (folder / path).write_text(source)
    return counts


def _passes(folder: pathlib.Path, tests: list[str]) -> bool:
    try:
        return _pytest(folder, ["-x", *tests]).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _pytest(folder: pathlib.Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    limit = None if "--cov=medsr_jax" in arguments else SECONDS
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=limit, check=False
    )


@dataclasses.dataclass(frozen=True)
class _Mutant:
    """One change.

    Attributes:
        line: where it is.
        lines: of the statement, whose tests run; None for one outside of functions, which is executed on import.
        before, after: the expression.
        source: of the whole module.
    """

    line: int
    lines: range | None
    before: str
    after: str
    source: str


def _mutants(source: str) -> Iterator[_Mutant]:
    """Every single change of a module."""
    tree = ast.parse(source)
    inside: dict[ast.AST, range] = {}
    # Decorators, such as that of frozen dataclasses, protect from mistakes and have no behaviour to test.
    skipped = {
        part
        for node in ast.walk(tree)
        for decorator in getattr(node, "decorator_list", ())
        for part in ast.walk(decorator)
    }
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for statement in function.body:
                for node in ast.walk(statement):
                    if isinstance(node, ast.stmt):
                        last = node.body[0].lineno if getattr(node, "body", None) else node.end_lineno or node.lineno
                        lines = range(node.lineno, last + 1)
                        inside |= {part: lines for part in ast.walk(node) if isinstance(part, ast.expr)}
    for at, node in enumerate(ast.walk(tree)):
        if not isinstance(node, ast.expr) or node in skipped:
            continue
        for changed in _changes(node):
            mutant = copy.deepcopy(tree)
            target = list(ast.walk(mutant))[at]
            target.__class__ = changed.__class__
            target.__dict__.update(changed.__dict__)
            text = ast.unparse(ast.fix_missing_locations(mutant))
            yield _Mutant(node.lineno, inside.get(node), ast.unparse(node), ast.unparse(changed), text)


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
