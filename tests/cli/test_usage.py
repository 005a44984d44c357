"""What a command says of itself, and how it ends."""

from __future__ import annotations

import csv
import json
import pathlib
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner

from medsr_jax import __version__, terminal
from medsr_jax.cli import app
from medsr_jax.cli.sending_options import Sending
from medsr_jax.errors import ParameterError
from medsr_jax.imaging import read_image
from medsr_jax.transmission.ceilings import ratio_text
from medsr_jax.transmission.packet_io import read_packet
from tests.transmission.images import BUNDLED

RUN = CliRunner()
CT = str(BUNDLED / "CT_small.dcm")


def test_the_version_is_said_by_the_command_and_by_the_module() -> None:
    terminal.set_quiet(quiet=True)  # as a command before it in the same process may have left it
    assert RUN.invoke(app, ["--version"]).stdout == f"medsr {__version__}\n"
    done = subprocess.run([sys.executable, "-m", "medsr_jax", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"medsr {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compres"], "medsr: no such command 'compres'; did you mean 'compress'? (medsr --help)"),
        (["compress", CT, "-o", "x", "--scal", "3"], "--scale"),
        (["compress", CT], "medsr compress: missing option '-o' / '--out' (medsr compress --help)"),
        (["compress", CT, "-o", "x", "--max-pixels", "many"], "'--max-pixels'"),
        (["compress", CT, CT, "-o", "x", "--scale", "11"], "--scale: must be auto or an integer from 1 to"),
        (["compress", CT, "-o", "x", "--quality", "0"], "--quality: must be auto or an integer from 1 to"),
        (["compress", CT, "-o", "x", "--codec", "webp"], "--codec: must be one of"),
        (["compress", CT, "-o", "x", "--window", "5:1"], "--window: must go from a lower to a higher"),
        (["compress", CT, "-o", "x", "--max-bytes", "2XB"], "--max-bytes: must be a number of bytes"),
        (["compress", CT, "-o", "x", "--ratio", "french"], "--ratio: must be german, canadian or a number"),
        (["compress", CT, "-o", "x", "--ratio", "10:1", "--max-bytes", "2K"], "--ratio: contradicts a budget of bytes"),
        (["compress", CT, "-o", "x", "--effort", "some"], "--effort: must be one of fast, normal, thorough"),
        (["evaluate", CT, "--quality", "many"], "--quality: must be auto or an integer from 1 to"),
        (["evaluate", CT, "--lpips"], "--lpips requires --report"),
        (["restore", CT, "-o", "x", "--assume-scale", "9"], "--assume-scale"),
        (["restore", CT, "-o", "x", "--alpha", "0.5"], "--alpha: requires a second model"),
        (["restore", CT, "-o", "x", "--views", "3", "--ensemble"], "--views: must be one of 2, 4, 8, not 3"),
        (["restore", CT, "-o", "x", "--tile", "7"], "--tile: must be a multiple of 8"),
        (["restore", CT, "-o", "x", "--backend", "tpu"], "--backend: must be one of"),
        (["restore", CT, "-o", "x", "--transfer-syntax", "rle"], "--transfer-syntax: "),
        (["demo", "--model", "xray-x5"], "--model: xray-x5: "),
    ],
)
def test_wrong_usage_is_one_line_and_ends_with_two(arguments: list[str], said: str) -> None:
    done = RUN.invoke(app, arguments, prog_name="medsr")
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_interruption_ends_with_130_in_any_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr("medsr_jax.weights.model_file.names", interrupted)
    for command in (["models"], ["info", "xray-x4"]):
        done = RUN.invoke(app, command)
        assert (done.exit_code, done.stderr) == (130, "interrupted\n")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("medsr compress --codec jp", ["jpeg", "jpeg2000"]),
        ("medsr restore --model x", ["xray-fast", "xray-x4"]),
        ("medsr restore --backend o", ["onnxruntime", "openvino"]),
        ("medsr info x", ["xray-fast", "xray-x4"]),
    ],
)
def test_values_are_completed_by_the_shell(typed: str, offered: list[str]) -> None:
    shell = {"_MEDSR_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    assert RUN.invoke(app, [], prog_name="medsr", env=shell).stdout.split() == offered


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
    assert Sending(max_bytes=text).options().max_bytes == size


@pytest.mark.parametrize("text", ["0", "-3", "KB", "2XB", "1e9", "", "0.1"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="^max_bytes: must be a number of bytes"):
        Sending(max_bytes=text).options()


def test_info_takes_packets_images_weights_folders_and_models(tmp_path: pathlib.Path) -> None:
    Pillow.fromarray(np.arange(4096, dtype=np.uint8).reshape(64, 64)).save(tmp_path / "a.png")
    sent = tmp_path / "sent"
    compressed = RUN.invoke(app, ["compress", "--json", CT, str(tmp_path / "a.png"), "-o", str(sent)])
    assert compressed.exit_code == 0
    lossy = str(BUNDLED / "JPEG-lossy.dcm")
    things = [str(sent), CT, lossy, str(tmp_path / "a.png"), "xray-x4", str(tmp_path / "none"), "xray-x5", __file__]
    done = RUN.invoke(app, ["info", "--json", *things])
    assert done.exit_code == 1
    problems = done.stderr.splitlines()
    assert len(problems) == 3
    assert problems[0].startswith(f"{tmp_path / 'none'}: ")
    assert problems[1].endswith("did you mean xray-x4?")
    assert problems[2] == f"{__file__}: is no packet, no image that can be sent and no weights file"
    said = {one.pop("file"): one for one in map(json.loads, done.stdout.splitlines())}
    assert len(said) == 6
    # The figures of packets are those of compress.
    for line in compressed.stdout.splitlines()[:2]:
        facts = json.loads(line)
        packet = said[facts["output"]]
        assert packet["kind"] == "packet"
        assert packet["bytes"] == facts["bytes"][1]
        for name in ("pixel_bytes", "ratio", "bits", "scale", "codec", "quality"):
            assert packet[name] == facts[name]
    ct = said[CT]
    assert (ct["kind"], ct["modality"], ct["lossy"]) == ("image", "CT", None)
    assert (ct["rows"], ct["columns"], ct["bits"], ct["bytes"]) == (128, 128, 16, pathlib.Path(CT).stat().st_size)
    assert ct["transfer_syntax"] == "1.2.840.10008.1.2.1"
    assert (said[lossy]["lossy"], said[lossy]["lossy_ratios"]) == (True, [76])
    assert said["xray-x4"]["model"] == "compact_rrdbnet"
    text = RUN.invoke(app, ["info", lossy]).stdout
    assert re.search(r"^lossy +yes, compressed before \(76:1\)$", text, re.M)


def _source(name: str, folder: pathlib.Path) -> pathlib.Path:
    """An image of 128x128: a DICOM object, or a PNG with the same values as far as 8 bits hold them."""
    source = folder / name
    if name.endswith(".png"):
        Pillow.fromarray((read_image(CT).pixels[0] // 16).clip(0, 255).astype(np.uint8)).save(source)
    else:
        source.write_bytes(pathlib.Path(CT).read_bytes())
    return source


@pytest.mark.parametrize(("name", "bits"), [("CT_small.dcm", 16), ("a.png", 8)])
def test_the_ratio_is_the_same_wherever_it_is_stated(name: str, bits: int, tmp_path: pathlib.Path) -> None:
    source = _source(name, tmp_path)
    sent = RUN.invoke(app, ["compress", str(source), "-o", str(tmp_path / "sent")]).stdout
    (file,) = (tmp_path / "sent").iterdir()
    packet = read_packet(file)
    size = file.stat().st_size
    expected = 128 * 128 * bits / 8 / sum(map(len, packet.streams))
    assert packet.ratio() == expected
    assert f"{size} bytes, {packet.coded_bytes} of them pixels, {ratio_text(expected)} of" in sent
    described = RUN.invoke(app, ["info", str(file)]).stdout
    assert f" {ratio_text(expected)}, " in described
    assert f" {size} bytes, {packet.coded_bytes} of them pixels" in described
    report = tmp_path / "report"
    measured = RUN.invoke(app, ["evaluate", str(source), "--model", "bicubic", "--report", str(report)]).stdout
    assert f"ratio {ratio_text(expected)}, " in measured
    assert f" {size:,} " in measured
    (row,) = csv.DictReader((report / "images.csv").open())
    assert (row["bytes"], row["ratio"]) == (str(size), f"{expected:.2f}")
    assert f"{size:,} bytes, {ratio_text(expected)}" in (report / "index.html").read_text()
    if packet.dataset is not None:
        assert "LossyImageCompressionRatio" not in packet.dataset  # the original's
        stated = read_image(file).dataset
        assert stated is not None
        assert float(stated.LossyImageCompressionRatio) == pytest.approx(expected, abs=0.005)
        assert f" {expected:.1f}:1 of {bits} bits a pixel" in stated.DerivationDescription


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", []),
        ("a.png", ["--max-bytes", "0.6KB", "--key", "key"]),
        (
            "CT_small.dcm",
            ["--quality", "80", "--kernel", "lanczos", "--window", "0:2000", "--no-preprocess", "--headers", "minimal"],
        ),
    ],
)
def test_evaluate_measures_what_the_two_ends_write(
    name: str, options: list[str], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medsr_jax.evaluation import link

    seen: list[link.Measured] = []

    def remembered(*arguments: Any, **named: Any) -> link.Measured:
        seen.append(measure(*arguments, **named))
        return seen[-1]

    measure = link.measure
    monkeypatch.setattr(link, "measure", remembered)
    monkeypatch.chdir(tmp_path)
    pathlib.Path("key").write_bytes(bytes(range(100, 130)))
    key = ["--key", "key"] if "--key" in options else []
    source = str(_source(name, tmp_path))
    for command in (
        ["compress", source, "-o", "sent", *options],
        ["evaluate", source, "--model", "bicubic", *options],
        ["restore", "sent", "-o", "restored", "--model", "bicubic", *key],
    ):
        done = RUN.invoke(app, command)
        assert done.exit_code == 0, done.stderr
    (sent,), (restored,) = pathlib.Path("sent").iterdir(), pathlib.Path("restored").iterdir()
    (measured,) = seen
    assert measured.file == sent.read_bytes()
    if "--max-bytes" in options:
        assert measured.sent_bytes <= 600
    np.testing.assert_array_equal(measured.restored.pixels, read_image(restored).pixels)
    done = RUN.invoke(app, ["evaluate", source, str(tmp_path / "none"), "--model", "bicubic", "--json", *options])
    assert done.exit_code == 1
    first, problem, last = map(json.loads, done.stdout.splitlines())
    assert first["bytes"] == len(measured.file)
    assert first["psnr"] == measured.psnr
    assert problem == {"problem": done.stderr.removesuffix("\n")}
    assert last["summary"]["images"] == 1
    if not key:
        refused = RUN.invoke(app, ["evaluate", str(sent), "--model", "bicubic"])
        assert refused.exit_code == 1
        assert "is a packet of `medsr compress` already" in refused.stderr


def test_evaluate_takes_what_compress_takes() -> None:
    import typer.main

    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    options = {name: {one for p in commands[name].params for one in p.opts} for name in ("compress", "evaluate")}
    missing = options["compress"] - options["evaluate"] - {"-o", "--out", "--resume"}
    assert not missing
