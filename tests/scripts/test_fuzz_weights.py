"""Two hundred damaged and hostile weights files are each one line, and a reader with a fault would be found."""

from __future__ import annotations

import pathlib
import runpy
from typing import Any

import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.weights.importing.generator import import_weights

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "check" / "fuzz_weights.py"


@pytest.fixture(scope="module")
def script() -> Any:
    return runpy.run_path(str(SCRIPT))


def test_every_seed_is_a_file_that_is_read(script: Any, tmp_path: pathlib.Path) -> None:
    for kind, files in script["seeds"](tmp_path).items():
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        path = tmp_path / next(iter(files))
        if kind == "ours":
            with pytest.raises(MedsrError, match="of this package already"):
                import_weights(path)
        else:
            assert import_weights(path).fields == {"channels": 1, "features": 3, "convolutions": 1, "scale": 2}


def test_two_hundred_mutants_are_a_line_each(script: Any, tmp_path: pathlib.Path) -> None:
    count, faults = script["fuzz"](tmp_path, seed=20_000, mutants=200)
    assert count == 200
    assert not [fault for fault in faults if not fault.endswith(" seconds")]  # a busy machine is no fault


def test_another_exception_is_a_fault(script: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(path: Any) -> None:
        raise KeyError(path.name)

    monkeypatch.setitem(script["read"].__globals__, "import_weights", careless)
    (tmp_path / "m.safetensors").write_bytes(b"")
    problem, _ = script["read"](tmp_path / "m.safetensors")
    assert "KeyError" in problem
