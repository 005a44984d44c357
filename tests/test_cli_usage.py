"""What a command says of itself, and how it ends."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner

from medsr_jax import __version__
from medsr_jax.cli import app
from medsr_jax.cli_sending import chosen_budget
from medsr_jax.errors import UsageError
from medsr_jax.imaging import read_image
from medsr_jax.transmission.ceilings import ratio_label
from medsr_jax.transmission.packet_io import read_packet
from tests.transmission.images import BUNDLED

RUN = CliRunner()
CT = str(BUNDLED / "CT_small.dcm")


def test_the_version_is_said_by_the_command_and_by_the_module() -> None:
    assert RUN.invoke(app, ["--version"]).stdout == f"medsr {__version__}\n"
    done = subprocess.run([sys.executable, "-m", "medsr_jax", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"medsr {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compres"], "Did you mean 'compress'"),
        (["compress", CT, "-o", "x", "--scal", "3"], "--scale"),
        (["compress", CT, CT, "-o", "x", "--scale", "11"], "--scale is auto or an integer"),
        (["compress", CT, "-o", "x", "--quality", "0"], "--quality is auto or an integer"),
        (["compress", CT, "-o", "x", "--codec", "webp"], "--codec is one of"),
        (["compress", CT, "-o", "x", "--window", "5:1"], "--window goes from a lower to a higher"),
        (["compress", CT, "-o", "x", "--max-bytes", "2XB"], "--max-bytes is a number of bytes"),
        (["evaluate", CT, "--quality", "many"], "--quality is auto or an integer"),
        (["restore", CT, "-o", "x", "--assume-scale", "9"], "--assume-scale"),
    ],
)
def test_wrong_usage_is_said_once_and_ends_with_two(arguments: list[str], said: str) -> None:
    done = RUN.invoke(app, arguments)
    assert done.exit_code == 2
    assert done.stderr.count(said) == 1
    assert "Traceback" not in done.stderr


def test_a_model_that_is_not_there_is_said_once_with_what_was_meant(tmp_path: pathlib.Path) -> None:
    assert RUN.invoke(app, ["compress", CT, str(BUNDLED / "MR_small.dcm"), "-o", str(tmp_path)]).exit_code == 0
    done = RUN.invoke(app, ["restore", str(tmp_path), "-o", str(tmp_path / "out"), "--model", "xray-x5"])
    assert done.exit_code == 2
    assert done.stderr.count("did you mean xray-x4?") == 1


def test_an_input_that_fails_ends_with_one(tmp_path: pathlib.Path) -> None:
    assert RUN.invoke(app, ["compress", str(tmp_path / "none.dcm"), CT, "-o", str(tmp_path)]).exit_code == 1
    assert (tmp_path / "CT_small.dcm").is_file()


@pytest.mark.parametrize(
    ("text", "size"),
    [("2000", 2000), ("2KB", 2000), ("2 kb", 2000), ("1.5k", 1500), ("2KiB", 2048), ("1MB", 10**6), ("12B", 12)],
)
def test_budgets_have_units(text: str, size: int) -> None:
    assert chosen_budget(text) == size


@pytest.mark.parametrize("text", ["0", "-3", "KB", "2XB", "1e9", "", "0.1"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--max-bytes"):
        chosen_budget(text)


def test_info_takes_packets_images_weights_folders_and_models(tmp_path: pathlib.Path) -> None:
    Pillow.fromarray(np.arange(4096, dtype=np.uint8).reshape(64, 64)).save(tmp_path / "a.png")
    assert RUN.invoke(app, ["compress", CT, str(tmp_path / "a.png"), "-o", str(tmp_path / "sent")]).exit_code == 0
    things = [str(tmp_path / "sent"), CT, str(tmp_path / "a.png"), "xray-x4", str(tmp_path / "none")]
    done = RUN.invoke(app, ["info", "--json", *things])
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert f"{tmp_path / 'none'}: " in done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(said) == 5
    assert {pathlib.Path(one["file"]).name for one in said} == {"CT_small.dcm", "a.jpg", "a.png", "xray-x4"}
    assert sum("packet" in one for one in said) == 2
    (original,) = [one for one in said if one["file"] == CT]
    assert original["modality"] == "CT"
    assert original["stored as"] == "Explicit VR Little Endian"
    (weights,) = [one for one in said if one["file"] == "xray-x4"]
    assert weights["weights"].startswith("compact_rrdbnet")


@pytest.mark.parametrize("name", ["CT_small.dcm", "a.png"])
def test_the_ratio_is_the_same_wherever_it_is_stated(name: str, tmp_path: pathlib.Path) -> None:
    source = tmp_path / name
    if name == "a.png":
        Pillow.fromarray(read_image(CT).pixels[0].astype(np.uint8)).save(source)
    else:
        source.write_bytes(pathlib.Path(CT).read_bytes())
    sent = RUN.invoke(app, ["compress", str(source), "-o", str(tmp_path / "sent")]).stdout
    (file,) = (tmp_path / "sent").iterdir()
    packet = read_packet(file)
    size = file.stat().st_size
    expected = packet.header.source_bytes / sum(map(len, packet.codes))
    assert packet.ratio() == expected
    assert f"{size} bytes, {packet.coded_bytes} of them pixels, {expected:.0f}:1 of" in sent
    label = ratio_label(expected)
    assert label in RUN.invoke(app, ["info", str(file)]).stdout
    measured = RUN.invoke(app, ["evaluate", str(source), "--model", "bicubic"]).stdout
    assert f"ratio {label}" in measured
    # And evaluate sends what compress sends.
    assert f" {size:,} " in measured
    if packet.dataset is not None:
        assert float(packet.dataset.get("LossyImageCompressionRatio", 0)) == 0  # the original had none
        assert float(read_image(file).dataset.LossyImageCompressionRatio) == pytest.approx(expected, rel=0.01)


def test_evaluate_takes_what_compress_takes() -> None:
    import typer.main

    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    options = {name: {one for p in commands[name].params for one in p.opts} for name in ("compress", "evaluate")}
    reporting = {"--json", "--quiet", "--log", "--resume"}
    missing = options["compress"] - options["evaluate"] - {"-o", "--out", "--key", *reporting}
    assert not missing
