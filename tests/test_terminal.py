"""How a command ends where its output, its home or its inputs are not what they should be: real processes."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medsr_jax.errors import MedsrError

MEDSR = f"{sys.executable} -c 'from medsr_jax.cli import main; main()'"


@pytest.fixture
def folder(tmp_path: pathlib.Path, radiograph: np.ndarray) -> Any:
    (tmp_path / "in").mkdir()
    for number, name in enumerate("abc"):
        Image.fromarray(np.roll(radiograph, number)).save(tmp_path / "in" / f"{name}.png")
    return tmp_path


def shell(command: Any, folder: Any, **environment: Any) -> Any:
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[1]), **environment},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("where", ["> /dev/full", ">&-"])
def test_an_output_that_can_not_be_written_is_a_line_and_the_files_are_written(folder: Any, where: str) -> None:
    done = shell(f"{MEDSR} compress in -o out {where}", folder)
    assert done.returncode == 1
    assert done.stderr.startswith(b"the standard output can't be written")
    assert done.stderr.count(b"\n") == 1
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a.jpg", "b.jpg", "c.jpg"]
    assert all(path.read_bytes()[:2] == b"\xff\xd8" for path in (folder / "out").iterdir())


def test_a_reader_that_has_enough_ends_the_command_quietly(folder: Any) -> None:
    done = shell(f"{MEDSR} compress in in/*.png -o out | true", folder)
    assert done.returncode in (1, 141)
    assert done.stderr == b""


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii"])
def test_names_reach_the_terminal_without_what_it_would_obey(folder: Any, encoding: str) -> None:
    name = os.fsencode(folder) + b"/in/\x1b[31m\xff\n\xe2\x80\xae.png"
    os.rename(folder / "in" / "a.png", name)  # noqa: PTH104
    (folder / "in" / "b\x1b.png").write_text("no image")
    done = shell(f"{MEDSR} compress in -o out", folder, PYTHONIOENCODING=encoding)
    assert b"out/\\x1b[31m\\xff\\x0a\\u202e.jpg: " in done.stdout
    assert b"in/b\\x1b.png: is a text file" in done.stderr
    assert done.stdout.count(b"\n") == 3 + 3
    assert done.stderr.count(b"\n") == 1
    assert not {*done.stdout, *done.stderr} & ({*range(32), 127} - {10})


@pytest.mark.parametrize("home", ["", "HOME=/proc/nowhere", "HOME=/dev/null", "HOME= XDG_CACHE_HOME=/proc/nowhere"])
def test_without_a_home_or_a_cache_a_packet_is_restored_in_silence(folder: Any, home: str) -> None:
    assert shell(f"{MEDSR} compress in/a.png -o sent", folder).returncode == 0
    path = f"PYTHONPATH={pathlib.Path(__file__).parents[1]} JAX_PLATFORMS=cpu PATH=$PATH"
    done = shell(f"env -i {home} {path} {MEDSR} restore --model bicubic sent -o out", folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert (folder / "out" / "a.png").exists()


def test_any_exception_is_the_line_of_its_file_with_a_traceback_under_debug(folder: Any) -> None:
    # One file alone is compressed in the command's own process, which has the fault.
    (folder / "broken.py").write_text(
        "import sys\nimport medsr_jax.transmission.sender\n\n\n"
        "def compress(*_, **options):\n    raise LookupError('odd')\n"
        "sys.modules['medsr_jax.transmission.sender'].compress = compress\n"
        "from medsr_jax.cli import main\nmain()"
    )
    done = shell(f"{sys.executable} broken.py compress in/b.png -o out", folder)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == ["in/b.png: unexpected problem (LookupError: odd); --debug shows where"]
    for command in ("compress --debug", "--debug compress"):
        done = shell(f"{sys.executable} broken.py {command} in/b.png -o out", folder)
        assert b"in/b.png: unexpected problem" in done.stderr.splitlines()[0]
        assert b"Traceback" in done.stderr


@pytest.mark.parametrize("option", ["--quality 0", "--scale 9", "--kernel x", "--window 9:1", "--codec gif"])
def test_a_wrong_option_is_said_once(folder: Any, option: str) -> None:
    done = shell(f"{MEDSR} compress in -o out {option}", folder)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert done.stderr.startswith(b"--")


def test_the_limit_of_pixels_is_the_users(folder: Any) -> None:
    done = shell(f"{MEDSR} compress in -o out --max-pixels 1000", folder)
    assert done.returncode == 1
    assert done.stderr.count(b"more than the") == 3


def test_one_packet_of_several_that_is_broken_costs_its_own_line_in_batches_too(folder: Any) -> None:
    assert shell(f"{MEDSR} compress in -o sent", folder).returncode == 0
    damaged = bytearray((folder / "sent" / "b.jpg").read_bytes())
    damaged[-40] ^= 255
    (folder / "sent" / "b.jpg").write_bytes(damaged)
    done = shell(f"{MEDSR} restore --model bicubic --batch 2 sent -o out", folder, JAX_PLATFORMS="cpu")
    assert done.returncode == 1
    assert done.stderr.startswith(str(MedsrError("the packet is damaged", path="sent/b.jpg")).encode())
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a.png", "c.png"]
