"""The folder of a run: one run at a time, full disks, and damaged logs."""

import pathlib
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from medsr_jax.training.run.records import _drop_later_lines
from tests.training import test_resume
from tests.training.test_resume import data, environment, killed_when, log_of, succeed  # noqa: F401


def command(*arguments: Any) -> list[str]:
    """A run without a discriminator, which compiles in half the time."""
    return test_resume.command(*arguments, "--config.objective.adversarial_weight=0.0")


LIMITED = (
    "import resource, runpy, signal, sys\nresource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))\n"
    "sys.argv[0] = 'train'\nrunpy.run_module('medsr_jax.training', run_name='__main__', alter_sys=True)"
)


def test_damaged_lines_of_the_log_are_moved_to_another_file(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = tmp_path / "metrics.jsonl"
    good = [b'{"step": 1, "loss": 2}\n', b'{"step": 2, "loss": 1}\n']
    bad = [b"\xff\x00\xfe\n", b"no JSON\n", b"[1]\n", b'{"loss": 3}\n', b'{"step": "2"}\n', b"[" * 100_000 + b"\n"]
    log.write_bytes(b"".join([good[0], *bad, good[1], b'{"step": 9}\n', b'{"step": 3, "lo']))
    with caplog.at_level("WARNING", "medsr_jax.training.run.records"):
        _drop_later_lines(log, 5)
    assert log.read_bytes() == b"".join(good)
    assert (tmp_path / "metrics.jsonl.damaged").read_bytes() == b"".join([*bad, b'{"step": 3, "lo\n'])
    assert [record.message for record in caplog.records] == [
        f"{log}: 7 damaged line(s) were moved to metrics.jsonl.damaged"
    ]


def test_a_second_run_in_the_folder_is_refused(data: pathlib.Path, tmp_path: pathlib.Path) -> None:  # noqa: F811
    workdir = tmp_path / "run"
    arguments = command(data, workdir, "--config.steps=1000000")
    with subprocess.Popen(arguments, env=environment(1), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as first:
        while not (workdir / "metrics.jsonl").exists() or not (workdir / "metrics.jsonl").read_bytes():
            assert first.poll() is None
            time.sleep(0.05)
        second = subprocess.run(command(data, workdir), env=environment(1), capture_output=True, text=True, check=False)
        first.send_signal(signal.SIGTERM)
        _, errors = first.communicate()
    assert second.returncode == 1
    assert f"{workdir}: process {first.pid} on " in second.stderr.splitlines()[-1]
    assert "Traceback" not in second.stderr
    assert first.returncode == 143
    assert b"terminated; the same command resumes from the last checkpoint" in errors
    assert b"Traceback" not in errors


def test_a_full_disk_is_one_line_and_the_run_resumes_from_the_checkpoint_before(
    data: pathlib.Path,  # noqa: F811
    tmp_path: pathlib.Path,
) -> None:
    workdir = tmp_path / "run"
    succeed(command(data, workdir, "--config.steps=5"), devices=1)
    largest = max(path.stat().st_size for path in (workdir / "checkpoints").rglob("*") if path.is_file())
    weights = (workdir / "best.safetensors").stat().st_size
    assert weights + 4096 < largest  # so that the weights fit, which are written during the checkpoint
    arguments = command(data, workdir, "--config.steps=10")[3:]
    full = subprocess.run(
        [sys.executable, "-c", LIMITED.format(weights + 4096), *arguments],
        env=environment(1),
        capture_output=True,
        text=True,
        check=False,
    )
    assert full.returncode == 1
    # TensorStore prints tracebacks of its own writes that end after Orbax has failed.
    assert f"{workdir / 'checkpoints'}: a checkpoint can't be written (File too large)" in full.stderr
    succeed(command(data, workdir, "--config.steps=10"), devices=1)
    assert [line["step"] for line in log_of(workdir) if "psnr" in line] == [5, 10]
