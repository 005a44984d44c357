"""Crops for a run on a GPU: never of an image that was JPEG-coded, within the budget, the same for the same seed."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "reproduce" / "gpu_crops.py"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Three training images, of which one is a JPEG and one was, and one of 16 bits; one for validation."""
    folder = tmp_path_factory.mktemp("data")
    for group in ("train/chest", "train/ct", "val/chest"):
        (folder / group).mkdir(parents=True)
    random = np.random.default_rng(0)
    picture = Image.fromarray(random.integers(0, 256, (96, 80), np.uint8))
    picture.save(folder / "train/chest/plain.png")
    picture.save(folder / "train/chest/coded.jpg")
    picture.save(folder / "train/chest/was-coded.png")
    picture.save(folder / "val/chest/other.png")
    Image.fromarray(random.integers(0, 4096, (80, 80), np.uint16)).save(folder / "train/ct/deep.png")
    notes = "file,value_note\ntrain/chest/was-coded.png,8-bit JPEG original\ntrain/chest/plain.png,8-bit lossless PNG\n"
    (folder / "manifest.csv").write_text(notes)
    return folder


def _draw(data: pathlib.Path, out: pathlib.Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "--data", str(data), "-o", str(out), "--side", "64", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _files(folder: pathlib.Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.png"))}


def test_crops_are_of_uncoded_images_within_the_budget(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    done = _draw(data, tmp_path / "first", "--mib", "0.05")
    assert done.returncode == 0, done.stderr
    files = _files(tmp_path / "first")
    assert {name.rpartition("-")[0] for name in files if name.startswith("train")} == {
        "train/chest/plain",
        "train/ct/deep",
    }
    assert "val/chest/other.png" in files
    assert 0.04 * 2**20 < sum(map(len, files.values())) <= 0.05 * 2**20
    for name in files:
        with Image.open(tmp_path / "first" / name) as crop:
            assert crop.mode == "L"
            assert crop.size == ((64, 64) if name.startswith("train") else (80, 96))
    assert _draw(data, tmp_path / "second", "--mib", "0.05").returncode == 0
    assert _files(tmp_path / "second") == files
    assert _draw(data, tmp_path / "third", "--mib", "0.05", "--seed", "1").returncode == 0
    assert _files(tmp_path / "third") != files


@pytest.mark.parametrize(
    ("options", "problem"),
    [(["--mib", "0.001"], "no training crop fits"), (["--side", "512"], "no uncoded training image")],
)
def test_what_can_not_be_drawn_is_one_line(
    data: pathlib.Path, tmp_path: pathlib.Path, options: list[str], problem: str
) -> None:
    done = _draw(data, tmp_path / "crops", *options)
    assert done.returncode == 1
    assert problem in done.stderr
    assert len(done.stderr.splitlines()) == 1
