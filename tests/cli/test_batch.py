"""What commands over many files report, skip, and do with the standard streams."""

from __future__ import annotations

import io
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pydicom
import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner

from medsr_jax.cli import app
from medsr_jax.cli.ledger import NAME
from medsr_jax.cli.summary import Summary
from tests.transmission.images import BUNDLED

RUN = CliRunner()
MEDSR = f"{sys.executable} -m medsr_jax"


@pytest.fixture
def folder(tmp_path: pathlib.Path, radiograph: np.ndarray) -> pathlib.Path:
    """Three images and a text."""
    (tmp_path / "in").mkdir()
    for number, name in enumerate("abc"):
        Pillow.fromarray(np.roll(radiograph, number)).save(tmp_path / "in" / f"{name}.png")
    (tmp_path / "in" / "notes.png").write_text("no image")
    return tmp_path


def compressed(folder: pathlib.Path, *options: str) -> tuple[int, str, str]:
    done = RUN.invoke(app, ["compress", str(folder / "in"), "-o", str(folder / "out"), *options])
    return done.exit_code, done.stdout, done.stderr


def test_a_folder_ends_with_its_sums_and_says_once_what_is_true_of_all(folder: pathlib.Path) -> None:
    status, said, _ = compressed(folder)
    assert status == 1
    before = sum((folder / "in" / f"{name}.png").stat().st_size for name in "abc")
    after = sum(file.stat().st_size for file in (folder / "out").iterdir())
    assert f"3 files: {before:,} bytes became {after:,} (" in said
    assert "; 1 refused" in said
    assert f"{before / 8000:.1f} s became {after / 8000:.1f} s at 64 kbit/s" in said
    assert said.count("the published ceilings") == 2
    assert "3 of them: above 10:1" in said


def test_json_is_an_object_a_file_and_the_sums(folder: pathlib.Path) -> None:
    status, said, errors = compressed(folder, "--json")
    assert status == 1
    *files, last = [json.loads(line) for line in said.splitlines()]
    assert [pathlib.Path(one["input"]).name for one in files if "input" in one] == ["a.png", "b.png", "c.png"]
    assert [one["problem"] for one in files if "problem" in one] == errors.splitlines()
    for one in files:
        if "input" in one:
            sizes = [pathlib.Path(one[key]).stat().st_size for key in ("input", "output")]
            assert one["bytes"] == sizes
            assert one["ratio"] == pytest.approx(160 * 200 / one["pixel_bytes"], abs=0.01)
    sums = last["summary"]
    assert (sums["done"], sums["refused"], sums["skipped"]) == (3, 1, 0)
    assert sums["seconds_at_64_kbit"] == [round(size / 8000, 3) for size in sums["bytes"]]


def test_quiet_prints_problems_alone_and_a_log_has_all(folder: pathlib.Path) -> None:
    status, said, errors = compressed(folder, "--quiet", "--log", str(folder / "log.txt"))
    assert (status, said) == (1, "")
    assert len(errors.splitlines()) == 1
    log = (folder / "log.txt").read_text()
    assert log.count(" bytes, ") == 3
    assert "notes.png: is a text file" in log
    assert "Traceback" in log
    assert "Traceback" not in errors


def test_a_log_that_can_not_be_written_is_one_line(folder: pathlib.Path) -> None:
    status, said, errors = compressed(folder, "--log", str(folder / "none" / "log.txt"))
    assert (status, said) == (1, "")
    assert "can't be opened" in errors
    assert len(errors.splitlines()) == 1
    assert not (folder / "out").exists()


def test_resume_does_what_is_missing_changed_or_damaged(folder: pathlib.Path, radiograph: np.ndarray) -> None:
    assert "3 files" in compressed(folder, "--resume")[1]
    times = {file.name: file.stat().st_mtime_ns for file in (folder / "out").iterdir() if file.name != NAME}
    _, said, _ = compressed(folder, "--resume")
    assert "0 files: 0 bytes became 0; 1 refused, 3 done before and verified" in said
    assert {name: (folder / "out" / name).stat().st_mtime_ns for name in times} == times

    (folder / "out" / "a.jpg").write_bytes((folder / "out" / "a.jpg").read_bytes()[:-9])  # cut off
    Pillow.fromarray(radiograph[::-1]).save(folder / "in" / "b.png")  # another image
    _, said, _ = compressed(folder, "--resume")
    assert "2 files: " in said
    assert "1 done before" in said

    (folder / "out" / "c.jpg").unlink()
    assert "1 file: " in compressed(folder, "--resume")[1]
    assert "3 files: " in compressed(folder, "--resume", "--scale", "2")[1]
    with (folder / "out" / NAME).open("a") as ledger:
        ledger.write('{"input": "cut of')
    assert "3 done before" in compressed(folder, "--resume", "--scale", "2")[1]


def test_one_result_has_the_suffix_of_what_it_is(folder: pathlib.Path) -> None:
    for name, right in (("x.png", False), ("x.dcm", False), ("x.jpeg", True), ("x.JPG", True)):
        done = RUN.invoke(app, ["compress", str(folder / "in" / "a.png"), "-o", str(folder / name)])
        assert (done.exit_code == 0) == right == (folder / name).exists()
        if not right:
            assert f"becomes a .jpg file and not {name}" in done.stderr


def _shell(command: str, folder: pathlib.Path) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parents[2]), "JAX_PLATFORMS": "cpu"}
    command = f"set -o pipefail; {command}"
    return subprocess.run(["bash", "-c", command], cwd=folder, env=environment, capture_output=True, check=False)


def test_an_image_goes_through_both_ends_in_a_pipe(folder: pathlib.Path) -> None:
    source = BUNDLED / "CT_small.dcm"
    done = _shell(f"{MEDSR} compress - -o - < {source} | {MEDSR} restore - -o - --model bicubic", folder)
    assert done.returncode == 0, done.stderr
    restored = pydicom.dcmread(io.BytesIO(done.stdout))
    assert restored.pixel_array.shape == (128, 128)
    assert b"stdin.dcm: " in done.stderr
    assert b"/tmp" not in done.stderr


def test_a_stream_that_can_not_be_is_refused(folder: pathlib.Path) -> None:
    for arguments in (("-", "-", "-o", "x"), ("in", "-o", "-"), ("in/a.png", "in/b.png", "-o", "-")):
        done = _shell(f"{MEDSR} compress {' '.join(arguments)} < /dev/null", folder)
        assert done.returncode == 2
        assert done.stderr.startswith(b"- is one file")
        assert done.stdout == b""
    done = _shell(f"{MEDSR} compress - -o - < in/notes.png", folder)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"stdin: is a text file")


def test_odd_values_of_a_data_set_print_no_warnings_of_a_library(folder: pathlib.Path) -> None:
    for name in ("CT_small.dcm", "MR_small.dcm"):
        dataset = pydicom.dcmread(BUNDLED / name)
        dataset.FrameOfReferenceUID = "999.999.01.23"
        dataset.save_as(folder / name)
    done = _shell(f"{MEDSR} compress *.dcm -o sent && {MEDSR} restore sent -o back --model bicubic", folder)
    assert done.returncode == 0
    assert done.stderr == b""


def test_times_have_units_that_people_read() -> None:
    long = Summary(done=1, before=10**9, after=10**6)
    assert long.lines()[1] == "on the link: 34.7 h became 2.1 min at 64 kbit/s; 5.8 h became 20.8 s at 384 kbit/s"
