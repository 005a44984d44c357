"""`medsr compress --deidentify`: names of files, ledger and log tell nothing of the patient."""

from __future__ import annotations

import json
import pathlib
import shutil
import sys
from typing import Any

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from medsr_jax.cli import app
from medsr_jax.cli.ledger import NAME
from tests.transmission.images import BUNDLED

PATIENT = "Doe_Jane_1961"


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "in" / PATIENT).mkdir(parents=True)
    shutil.copy(BUNDLED / "CT_small.dcm", tmp_path / "in" / PATIENT / f"{PATIENT}.dcm")
    PIL.Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "in" / f"{PATIENT}.png")
    (tmp_path / "key").write_bytes(b"0123456789abcdef")
    (tmp_path / "other").write_bytes(b"fedcba9876543210")
    return tmp_path


def compress(folder: pathlib.Path, out: str, *options: object) -> Any:
    words = ["compress", folder / "in", "-o", folder / out, "--scale", 4, "--deidentify", *options]
    return CliRunner().invoke(app, [str(word) for word in words])


def names(folder: pathlib.Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.name != NAME}


def test_names_and_ledger_tell_nothing_and_a_repetition_makes_nothing_new(folder: pathlib.Path) -> None:
    keyed = ("--deidentify-key", folder / "key", "--resume")
    first = compress(folder, "sent", *keyed)
    assert first.exit_code == 0, first.output
    assert f"{PATIENT}.dcm became " in first.output  # the sender's screen has both names
    sent = names(folder / "sent")
    assert len(sent) == 2
    assert all("/" not in name and PATIENT not in name for name in sent)
    ledger = (folder / "sent" / NAME).read_text()
    assert PATIENT not in ledger
    assert str(folder) not in ledger
    assert "2 done before and verified" in compress(folder, "sent", *keyed).output
    again = compress(folder, "again", "--deidentify-key", folder / "key")
    assert names(folder / "again") == sent
    assert "of this run alone" not in again.output
    for name in sent:
        assert (folder / "again" / name).read_bytes() == (folder / "sent" / name).read_bytes()
    loose = compress(folder, "loose")
    assert "UIDs and pseudonyms are of this run alone" in loose.output
    assert len(names(folder / "loose") & sent) == 1  # the PNG, which has no attributes


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--resume"], "requires --deidentify-key FILE"),
        (["--deidentify-key", "key", "--key", "key"], "which the receiver has"),
        (["--deidentify-key", "missing"], "can't be read"),
    ],
)
def test_options_that_would_defeat_it_are_refused(folder: pathlib.Path, options: list[str], reason: str) -> None:
    refused = compress(folder, "sent", *(word if word.startswith("-") else folder / word for word in options))
    assert refused.exit_code == 2
    assert reason in refused.output
    assert not (folder / "sent").exists()


def test_a_missing_package_is_one_line(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "dicomanonymizer", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    refused = compress(folder, "sent")
    assert refused.exit_code == 1
    expected = "--deidentify needs dicomanonymizer; install it with: pip install 'medsr-jax[deidentify]'\n"
    assert refused.output == expected


def test_what_minimal_headers_leave_out_is_listed_in_json_and_log(folder: pathlib.Path) -> None:
    out = ("--json", "--headers", "minimal", "--log", folder / "log")
    words = ["compress", folder / "in" / PATIENT, "-o", folder / "sent", *out]
    done = CliRunner().invoke(app, [str(word) for word in words])
    facts = json.loads(done.output.splitlines()[0])
    assert len(facts["private_left_out"]) == 179
    assert "PatientWeight" in facts["standard_left_out"]
    assert "standard elements left out: " in (folder / "log").read_text()
