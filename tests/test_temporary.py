"""Temporary files have short names, go with their process, and what a killed one has left is swept."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
from typing import Any

from medsr_jax import temporary
from medsr_jax.files import atomic_write

SLEEPS = """
import os, pathlib, sys, time
from medsr_jax import files, terminal
os.fsync = lambda handle: [print("writing", flush=True), time.sleep(600)]
with terminal.session():
    files.atomic_write(pathlib.Path(sys.argv[1]) / "image.png", b"bytes")
"""


def parts(folder: Any) -> Any:
    return [path.name for path in folder.iterdir() if path.name.endswith(".part")]


def writing(folder: Any, number: Any) -> tuple[Any, ...]:
    """A process that is ended by a signal while it writes."""
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPS, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "writing\n"
        assert len(parts(folder)) == 1
        process.send_signal(number)
        _, errors = process.communicate()
    return process.returncode, errors


def test_sigterm_removes_the_unfinished_file(tmp_path: pathlib.Path) -> None:
    assert writing(tmp_path, signal.SIGTERM) == (143, "terminated; finished files are kept\n")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_has_left_is_swept_by_the_next_write(tmp_path: pathlib.Path) -> None:
    assert writing(tmp_path, signal.SIGKILL) == (-9, "")
    (left,) = parts(tmp_path)
    assert left.isascii()
    assert len(left) < 60
    (tmp_path / left.replace(".part", "folder.part")).mkdir()
    code = "import sys; from medsr_jax.files import atomic_write; atomic_write(sys.argv[1], b'')"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "next.png")], check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["next.png"]


def test_files_of_living_processes_of_other_hosts_and_of_others_stay(tmp_path: pathlib.Path) -> None:
    host = temporary._host()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as living:
        stay = {f".medsr-{host}-{living.pid}-abc.part", ".medsr-00000000-4194305-abc.part", "x.part", ".x.abc.part"}
        for name in stay:
            (tmp_path / name).touch()
        (tmp_path / f".medsr-{host}-4194305-abc.part").touch()
        temporary.sweep(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == stay
        living.communicate(b"\n")


def test_the_file_being_written_is_not_swept(tmp_path: pathlib.Path) -> None:
    handle, path = temporary.make_file(tmp_path)
    os.close(handle)
    temporary.sweep(tmp_path)
    assert pathlib.Path(path).exists()
    temporary.remove(path)
    assert parts(tmp_path) == []


def test_names_as_long_as_a_file_system_takes_are_written(tmp_path: pathlib.Path) -> None:
    for name in ("肺" * 80 + ".png", "x" * 255):
        atomic_write(tmp_path / name, b"")
        assert (tmp_path / name).exists()
