"""Mutants of packets are what was sent, or refused in one line; scripts/check/fuzz_packets.py makes more of them."""

from __future__ import annotations

import dataclasses
import importlib.util
import pathlib
import sys
from types import ModuleType

import pytest

CHECK = pathlib.Path(__file__).parents[2] / "scripts" / "check"


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_packets", CHECK / "fuzz_packets.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_packets"] = module
    spec.loader.exec_module(module)
    # Memory is measured of the process, which other tests have made large.
    sys.modules["fuzz_readers"].MOST_KIB = float("inf")  # type: ignore[attr-defined]
    return module


def test_mutants_are_what_was_sent_or_refused_in_one_line(fuzz: ModuleType, tmp_path: pathlib.Path) -> None:
    files, path = fuzz.seeds(), tmp_path / "mutant"
    for number in range(200):
        name, data = sys.modules["fuzz_readers"].mutant(files, seed=1, number=number)
        path.write_bytes(data)
        assert fuzz.fault(path, name) is None, f"mutant {number} of {name}"


def test_packets_that_a_program_wrote_again_are_too(fuzz: ModuleType, tmp_path: pathlib.Path) -> None:
    for name, data in fuzz.seeds():
        (tmp_path / "packet").write_bytes(data)
        assert fuzz.fault(tmp_path / "packet", name) is None, name


def test_a_changed_packet_that_is_accepted_is_a_fault(
    fuzz: ModuleType, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, data = next(pair for pair in fuzz.seeds() if pair[0] == "CT_small.dcm-jpeg")
    (tmp_path / "packet").write_bytes(data)
    read = fuzz.read_packet

    def forgetful(path: pathlib.Path) -> object:
        packet = read(path)
        packet.dataset.RescaleSlope = "0.03"
        return packet

    fuzz.whole()
    monkeypatch.setattr(fuzz, "read_packet", forgetful)
    assert fuzz.fault(tmp_path / "packet", name) == "accepted with another RescaleSlope"
    monkeypatch.setattr(
        fuzz, "read_packet", lambda path: dataclasses.replace(read(path), streams=read(path).streams * 2)
    )
    assert "code stream" in fuzz.fault(tmp_path / "packet", name)
