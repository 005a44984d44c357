from __future__ import annotations

import contextlib
import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from medsr_jax.cli import app
from tests.data.pictures import picture, png

MEDSR = [sys.executable, "-m", "medsr_jax", "prepare"]


def run(*arguments: Any, cwd: pathlib.Path, **options: Any) -> Any:
    with contextlib.chdir(cwd):
        return CliRunner(**options).invoke(app, ["prepare", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("in") / "images"
    for number in range(30):
        png(folder / f"{number}.png", picture(number))
    (folder / "notes.txt").write_text("none")
    return folder


def test_a_set_is_made_and_told_of(folder: Any, tmp_path: pathlib.Path) -> None:
    done = run(folder, "-o", tmp_path / "set", "--min-side", "16", "--validation", "0.2", cwd=tmp_path)
    assert done.exit_code == 0
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"train +2\d images of 2\d patients", lines[0])
    assert re.fullmatch(r"validation +\d images? of \d patients?", lines[1])
    assert "30 files each taken for a patient of its own" in done.stdout
    assert "skipped: 1 (1 unreadable)" in done.stdout
    report = json.loads((tmp_path / "set" / "report.json").read_text())
    assert sum(report["images"].values()) == 30
    assert report["settings"]["validation"] == 0.2
    again = run(folder, "-o", tmp_path / "set", "--min-side", "16", cwd=tmp_path)
    assert again.exit_code == 2
    assert again.stdout == ""
    assert again.stderr.count("\n") == 1
    assert "holds a training set already; overwrite it, or choose another" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        ([], "no image was taken: 30 small, 1 unreadable", 1),
        (["--window", "lung"], "--window: must be auto, full, voi or LOW:HIGH", 2),
        (["--validation", "2"], "--validation: must be a share of the patients", 2),
        (["--manifest", "none.csv"], "none.csv: can't be read", 1),
        (["nowhere"], "nowhere: no such folder", 1),
    ],
)
def test_what_can_not_be_done_is_one_line_and_nothing_is_written(
    folder: Any, tmp_path: pathlib.Path, arguments: list[Any], message: str, status: int
) -> None:
    done = run(folder, "-o", tmp_path / "set", *arguments, cwd=tmp_path)
    assert done.exit_code == status
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_help_states_the_windows() -> None:
    done = run("--help", cwd=pathlib.Path.cwd(), env={"COLUMNS": "200"})
    assert "-1000..1000 HU" in done.stdout
    assert "0.1 and 99.9 percentiles" in " ".join(done.stdout.replace("│", " ").split())


def test_ctrl_c_on_a_terminal_shows_progress_and_leaves_nothing(folder: Any, tmp_path: pathlib.Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000), np.uint8)
    for number in range(150):  # enough that a busy machine is not through before the signal comes
        png(tmp_path / "in" / f"{number}.png", np.roll(noise, number), compress_level=0)
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [*MEDSR, str(tmp_path / "in"), "-o", str(tmp_path / "set"), "--min-side", "16"],
        stdout=subprocess.PIPE,
        stderr=follower,
        text=True,
    ) as process:
        os.close(follower)
        while not list(tmp_path.glob(".medsr-*/stage/0.png")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    shown = os.read(leader, 1 << 16).decode()
    os.close(leader)
    assert process.returncode == 130
    assert out == ""
    assert "Reading" in shown
    assert "interrupted; nothing was written" in shown
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
