"""Killed runs and runs of several processes, as real processes with command lines."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

from medsr_jax.weights import model_file
from medsr_jax.weights.parameters import flatten
from tests.training.test_steps import GENERATOR

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, radiograph: np.ndarray) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("data")
    large = np.tile(radiograph, (2, 2))
    Image.fromarray(large).save(folder / "a.png")
    Image.fromarray(large[::-1].copy()).save(folder / "b.png")
    return folder


def command(data: pathlib.Path, workdir: pathlib.Path, *more: str) -> list[str]:
    """A GAN run of the smallest generator on bicubic pairs of 32x32 targets: all parts of a state, soon compiled."""
    config = data.parent / "gan_on_bicubic_pairs.py"
    config.write_text(
        f"import runpy\nfrom medsr_jax.training.config.schema import degradation\n\ndef get_config():\n"
        f"    c = runpy.run_path({str(ROOT / 'configs' / 'realesrgan_xray.py')!r})['get_config']('tiny')\n"
        f"    c.degradation = degradation('bicubic')\n"
        f"    c.model.name, c.model.fields = 'srcnn', {GENERATOR!r}\n    return c\n"
    )
    fields = {
        "data.folders": f"(('{data}', 1.0),)",
        "data.side": 32,
        "validation.folder": data,
        "validation.side": 64,
        "validation.lpips": False,
        "validation.best_by": "psnr",
        "objective.perceptual_weight": 0.0,
        "log_every": 1,
        "validate_every": 5,
        "checkpoint_every": 5,
        "steps": 20,
        "early_stopping.enabled": True,
        "plateau.enabled": True,
        "plateau.patience": 1,
    }
    flags = [f"--config.{name}={value}" for name, value in fields.items()]
    return [sys.executable, "-m", "medsr_jax.training", f"--config={config}", f"--workdir={workdir}", *flags, *more]


def environment(devices: int) -> dict[str, str]:
    # Not optimised: compiling takes these runs much longer than computing.
    flags = f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0"
    return os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONUNBUFFERED": "1"}


def succeed(arguments: Any, *, devices: int) -> None:
    done = subprocess.run(arguments, env=environment(devices), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def log_of(workdir: pathlib.Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def final_arrays(workdir: pathlib.Path) -> dict[str, np.ndarray]:
    """Every array of the last checkpoint."""
    newest = max((workdir / "checkpoints").glob("[0-9]*"), key=lambda folder: int(folder.name))
    import orbax.checkpoint as ocp

    with ocp.CheckpointManager(workdir / "checkpoints", item_names=("state", "data", "schedule")) as manager:
        tree = manager.restore(int(newest.name), args=ocp.args.Composite(state=ocp.args.StandardRestore())).state

    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


@pytest.fixture(scope="module")
def whole(data: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A run of one process and four devices."""
    workdir = tmp_path_factory.mktemp("whole")
    succeed(command(data, workdir), devices=4)
    return workdir


def killed_when(arguments: Any, condition: Callable[[], bool]) -> None:
    process = subprocess.Popen(arguments, env=environment(4), stdout=subprocess.DEVNULL)
    while not condition():
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def has_checkpoint(workdir: pathlib.Path, pattern: str) -> bool:
    return bool(list((workdir / "checkpoints").glob(pattern)))


def test_a_killed_run_resumes_to_the_same_bits(whole: pathlib.Path, data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    killed_when(command(data, tmp_path), lambda: has_checkpoint(tmp_path, "5"))
    # While it saves: the folder has a temporary name until it is complete.
    killed_when(command(data, tmp_path), lambda: has_checkpoint(tmp_path, "1[05].*") or has_checkpoint(tmp_path, "15"))
    killed_when(command(data, tmp_path), lambda: (tmp_path / "metrics.jsonl").read_bytes().count(b"\n") > 12)
    assert not has_checkpoint(tmp_path, "20")
    succeed(command(data, tmp_path), devices=4)
    expected, found = final_arrays(whole), final_arrays(tmp_path)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    for ours, theirs in zip(log_of(tmp_path), log_of(whole), strict=True):
        for name in theirs.keys() - {"seconds_per_step", "data_share"}:
            assert ours[name] == theirs[name]
    resumed, kept = (model_file.load(folder / "best.safetensors") for folder in (tmp_path, whole))
    assert resumed.card == kept.card
    for name, value in flatten(kept.params).items():
        np.testing.assert_array_equal(flatten(resumed.params)[name], value)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


def test_2x2_processes_match_losses_of_one_process_with_4_devices(
    whole: pathlib.Path, data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    port = free_port()
    processes = [
        subprocess.Popen(
            command(data, tmp_path, f"--coordinator=localhost:{port}", "--processes=2", f"--process={number}"),
            env=environment(2),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in range(2)
    ]
    try:
        for process in processes:
            output, _ = process.communicate(timeout=900)
            assert process.returncode == 0, output
    finally:
        for process in processes:
            process.kill()
    ours, theirs = ([line for line in log_of(folder) if "loss" in line] for folder in (tmp_path, whole))
    assert [line["step"] for line in ours] == list(range(1, 21))
    for a, b in zip(ours, theirs, strict=True):
        for name in ("loss", "discriminator"):
            assert a[name] == pytest.approx(b[name], abs=1e-5, rel=1e-5)
    expected, found = final_arrays(whole), final_arrays(tmp_path)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-4, err_msg=name)
