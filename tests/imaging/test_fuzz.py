"""Mutants of small files are read or refused in one line; scripts/check/fuzz_readers.py makes more of them."""

from __future__ import annotations

import importlib.util
import pathlib
import sys
from types import ModuleType

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "check" / "fuzz_readers.py"


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_readers", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_readers"] = module
    spec.loader.exec_module(module)
    return module


def test_whole_files_have_no_fault(fuzz: ModuleType, tmp_path: pathlib.Path) -> None:
    for name, data in fuzz.seeds():
        (tmp_path / name).write_bytes(data)
        assert fuzz.fault(tmp_path / name) is None, name


def test_mutants_are_read_or_refused_in_one_line(
    fuzz: ModuleType, tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files, path = fuzz.seeds(), tmp_path / "mutant"
    # Memory is measured of the process, which other tests have made large.
    fuzz.MOST_KIB = float("inf")
    for number in range(300):
        name, data = fuzz.mutant(files, seed=1, number=number)
        path.write_bytes(data)
        assert fuzz.fault(path) is None, f"mutant {number} of {name}"
    assert capfd.readouterr() == ("", "")
