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
    # Memory is measured of the process, which other tests have made large.
    module.MOST_KIB = float("inf")  # type: ignore[attr-defined]
    return module


def test_whole_files_have_no_fault(fuzz: ModuleType, tmp_path: pathlib.Path) -> None:
    for name, data in fuzz.seeds():
        (tmp_path / name).write_bytes(data)
        assert fuzz.fault(tmp_path / name) is None, name


def test_mutants_are_read_or_refused_in_one_line(
    fuzz: ModuleType, tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files, path = fuzz.seeds(), tmp_path / "mutant"
    for number in range(300):
        name, data = fuzz.mutant(files, seed=1, number=number)
        path.write_bytes(data)
        assert fuzz.fault(path) is None, f"mutant {number} of {name}"
    assert capfd.readouterr() == ("", "")


def test_a_fault_is_found(fuzz: ModuleType, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import medsr_jax.imaging
    from medsr_jax.errors import MedsrError

    class TwoLines(MedsrError):
        def __str__(self) -> str:
            return f"{self.path}: is\nbad"

    path = tmp_path / "file"

    def fails_with(error: Exception) -> str | None:
        def read(_: pathlib.Path) -> None:
            raise error

        monkeypatch.setattr(medsr_jax.imaging, "read_image", read)
        return fuzz.fault(path)

    assert fails_with(IndexError("7")) == "IndexError: 7"
    assert "not one line" in (fails_with(TwoLines("", path=path)) or "")
    assert "names the file" in (fails_with(MedsrError("is bad")) or "")
    assert fails_with(MedsrError("is bad", path=path)) is None
    monkeypatch.setattr(fuzz, "MOST_SECONDS", -1.0)
    assert (fails_with(MedsrError("is bad", path=path)) or "").endswith(" s")
