"""A key given at both ends proves who sent a packet."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from medsr_jax.cli import app


@pytest.fixture
def folder(tmp_path: pathlib.Path, radiograph: np.ndarray) -> pathlib.Path:
    PIL.Image.fromarray(radiograph).save(tmp_path / "a.png")
    (tmp_path / "key").write_bytes(b"0123456789abcdef\n")
    (tmp_path / "other").write_bytes(b"fedcba9876543210")
    (tmp_path / "short").write_bytes(b"short")
    return tmp_path


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_only_packets_signed_with_the_key_are_restored(folder: pathlib.Path) -> None:
    assert run("compress", folder / "a.png", "-o", folder / "signed", "--key", folder / "key").exit_code == 0
    assert run("compress", folder / "a.png", "-o", folder / "plain").exit_code == 0
    back = ("-o", folder / "back", "--model", "bicubic", "--key")
    assert run("restore", folder / "signed", *back, folder / "key").exit_code == 0
    for packets, key, reason in (("plain", "key", "not signed"), ("signed", "other", "doesn't match the key")):
        refused = run("restore", folder / packets, *back, folder / key)
        assert refused.exit_code == 1
        assert reason in refused.output
    unchecked = run("restore", folder / "signed", "-o", folder / "seen", "--model", "bicubic")
    assert "no key was given" in unchecked.output


@pytest.mark.parametrize(("name", "reason"), [("short", "too few for a key"), ("missing", "can't be read")])
def test_a_file_that_is_no_key_is_one_line(folder: pathlib.Path, name: str, reason: str) -> None:
    refused = run("compress", folder / "a.png", "-o", folder / "sent", "--key", folder / name)
    assert refused.exit_code == 2
    assert reason in refused.output
    assert refused.output.count("\n") == 1
