"""`medsr restore`, `evaluate`, `models` and `demo`, as a user calls them."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pydicom
import pytest
from PIL import Image
from typer.testing import CliRunner

from medsr_jax.cli import app
from medsr_jax.models import build
from medsr_jax.restoration.restorer import AUTOMATIC
from medsr_jax.weights import model_file


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory, radiograph: np.ndarray) -> str:
    """A folder of packets: an image, one of 16 bits, a DICOM object, all below a subfolder."""
    folder = tmp_path_factory.mktemp("link")
    (folder / "in" / "deep").mkdir(parents=True)
    Image.fromarray(radiograph).save(folder / "in" / "a.png")
    Image.fromarray(radiograph.astype(np.uint16) * 16).save(folder / "in" / "deep" / "b.tif")
    dicom = pathlib.Path(pydicom.data.get_testdata_file("CT_small.dcm"))
    (folder / "in" / "deep" / "c.dcm").write_bytes(dicom.read_bytes())
    result = run("compress", folder / "in", "-o", folder / "sent")
    assert result.exit_code == 0, result.output
    return folder / "sent"


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def restore(tiny_weights: Any, *arguments: Any) -> Any:
    return run("restore", "--model", tiny_weights, *arguments)


def test_a_folder_comes_back_in_its_structure_with_its_types(
    sent: Any, tiny_weights: Any, tmp_path: pathlib.Path
) -> None:
    result = restore(tiny_weights, sent, "-o", tmp_path, "--transfer-syntax", "JPEG-LS")
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (200, 160)
        assert image.mode == "L"
    assert np.asarray(Image.open(tmp_path / "deep" / "b.tif")).dtype == np.uint16
    restored = pydicom.dcmread(tmp_path / "deep" / "c.dcm")
    assert restored.LossyImageCompression == "01"
    assert restored.file_meta.TransferSyntaxUID.keyword == "JPEGLSLossless"
    assert "2 of them: not DICOM: the transfer syntax does not apply" in result.output
    assert result.output.count("not for primary diagnosis") == 2  # with the first, and in the sums
    assert "3 of them: not for primary diagnosis" in result.output
    assert re.search(r"agrees with what was sent to 0\.\d\d quantisation steps", result.output)


def test_batches_give_what_single_images_give(sent: Any, tiny_weights: Any, tmp_path: pathlib.Path) -> None:
    restore(tiny_weights, sent, "-o", tmp_path / "one")
    restore(tiny_weights, sent, "-o", tmp_path / "many", "--batch", "2")
    one, many = (np.asarray(Image.open(tmp_path / name / "a.png")).astype(int) for name in ("one", "many"))
    assert np.abs(one - many).max() <= 1


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory, radiograph: np.ndarray) -> str:
    """A folder of packets of several scales and codecs, as senders with budgets make them."""
    folder = tmp_path_factory.mktemp("mixed")
    Image.fromarray(radiograph).save(folder / "x.png")
    for name, options in {
        "a.jpg": (),
        "b.avif": ("--scale", "2", "--codec", "avif"),
        "c.j2k": ("--scale", "1", "--codec", "jpeg2000"),
        "d.avif": ("--max-bytes", "1500", "--container", "standard"),
        "e.jpg": ("--scale", "3"),
    }.items():
        assert run("compress", folder / "x.png", "-o", folder / "sent" / name, *options).exit_code == 0
    return folder / "sent"


@pytest.mark.parametrize("options", [(), ("--batch", "3")])
def test_packets_of_mixed_scales_come_back_each_with_the_model_it_got(
    mixed: Any, tiny_weights: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, options: tuple[Any, ...]
) -> None:
    monkeypatch.setitem(AUTOMATIC, 4, tiny_weights)
    result = run("restore", mixed, "-o", tmp_path, *options)
    assert result.exit_code == 0, result.output
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.png", "c.png", "d.png", "e.png"}
    assert all(Image.open(path).size == (200, 160) for path in tmp_path.iterdir())
    said = {pathlib.Path(line.split(": ")[0]).name: line for line in result.stdout.splitlines()}
    assert "from 1/4, model tiny, agrees with what was sent" in said["a.png"]
    departs = r"departs from what was decoded by 0\.\d\d of 255 levels \(RMS\)"
    missing = "no packaged model enlarges by 2: enlarged by bicubic interpolation"
    assert re.search(f"model bicubic, {departs}, {missing}", said["b.png"])
    assert re.search(f"from 1/1, model bicubic, {departs}, sent at full size: no model was applied", said["c.png"])
    assert re.search(r"1/3, model bicubic, agrees .*, no packaged model enlarges by 3", said["e.png"])


def test_a_named_model_refuses_packets_of_other_scales_and_restores_its_own(
    mixed: Any, tiny_weights: Any, tmp_path: pathlib.Path
) -> None:
    result = restore(tiny_weights, mixed, "-o", tmp_path, "--batch", "2")
    assert result.exit_code == 1
    refused = [line for line in result.stderr.splitlines() if "use the model 'auto'" in line]
    assert {pathlib.Path(line.split(": ")[0]).name for line in refused} >= {"b.avif", "c.j2k", "e.jpg"}
    assert (tmp_path / "a.png").exists()


def test_bicubic_by_name_restores_all_and_has_no_uncertainty(mixed: Any, tmp_path: pathlib.Path) -> None:
    result = run("restore", mixed, "-o", tmp_path, "--model", "bicubic", "--uncertainty")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("model bicubic, ") == 5
    assert "5 of them: interpolation has no spread" in result.stdout
    assert not np.asarray(Image.open(tmp_path / "b-uncertainty.png")).any()
    blended = run("restore", mixed, "-o", tmp_path, "--model", "bicubic", "--blend", "xray-x4")
    assert blended.exit_code == 2
    assert blended.stderr == "--blend: requires a first model with weights, not bicubic\n"


def test_a_map_is_written_beside_each_result_and_both_are_named(
    sent: Any, tiny_weights: Any, tmp_path: pathlib.Path
) -> None:
    result = restore(tiny_weights, sent, "-o", tmp_path, "--uncertainty")
    assert result.exit_code == 0, result.output
    assert result.output.count("model tiny, x2 self-ensemble") == 3
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*-uncertainty.*"))
    assert found == ["a-uncertainty.png", "deep/b-uncertainty.tif", "deep/c-uncertainty.dcm"]
    most = float(
        re.search(r"a\.png: .*and (\S+) at most, in stored values, mapped in \S+a-uncertainty\.png", result.output)[1]
    )
    with Image.open(tmp_path / "a-uncertainty.png") as image:
        assert image.size == (200, 160)
        assert 65535 * float(image.info["Description"].split()[0]) == pytest.approx(most, rel=0.01)
    image, its_map = (pydicom.dcmread(tmp_path / "deep" / name) for name in ("c.dcm", "c-uncertainty.dcm"))
    assert its_map.ReferencedImageSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID


def test_a_blend_is_named_with_its_parts(sent: Any, tiny_weights: Any, tmp_path: pathlib.Path) -> None:
    tiny = model_file.load(tiny_weights)
    other = jax.tree.map(lambda leaf: 3 * leaf, tiny.params)
    model_file.save(
        tmp_path / "o.safetensors", model=tiny.model, fields=tiny.fields, params=other, card={"name": "other"}
    )
    options = ("--blend", tmp_path / "o.safetensors", "--alpha", "0.3")
    result = restore(tiny_weights, sent / "a.jpg", "-o", tmp_path / "a.png", *options)
    assert "model tiny + 0.3 other" in result.output
    by_hand = tmp_path / "h.safetensors"
    params = jax.tree.map(lambda leaf: np.float32(0.7 + 0.3 * 3) * leaf, tiny.params)
    model_file.save(by_hand, model=tiny.model, fields=tiny.fields, params=params, card={})
    run("restore", "--model", by_hand, sent / "a.jpg", "-o", tmp_path / "h.png")
    blended, expected = (np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("a.png", "h.png"))
    assert np.abs(blended - expected).max() <= 1
    assert (
        restore(tiny_weights, sent, "-o", tmp_path, *options[:3], "1.5").stderr
        == "--alpha: must be between 0 and 1, not 1.5\n"
    )


def test_a_model_of_three_channels_restores_grey(sent: Any, tmp_path: pathlib.Path) -> None:
    fields = {"channels": 3, "features": 4, "blocks": 1, "growth": 4, "scale": 4}
    shapes = jax.eval_shape(build("rrdbnet", fields).init, jax.random.key(0), jnp.zeros((1, 8, 8, 3)))["params"]
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: random.normal(0, 0.1, leaf.shape).astype(np.float32), shapes)
    model_file.save(tmp_path / "colour.safetensors", model="rrdbnet", fields=fields, params=params, card={})
    result = run("restore", "--model", tmp_path / "colour.safetensors", sent / "a.jpg", "-o", tmp_path / "a.png")
    assert result.exit_code == 0, result.output
    assert "model colour, agrees with what was sent" in result.output
    assert Image.open(tmp_path / "a.png").size == (200, 160)


def test_another_runtime_gives_the_same_image_and_is_named(
    sent: Any, tiny_weights: Any, tmp_path: pathlib.Path
) -> None:
    pytest.importorskip("onnxruntime", reason="the extra [onnx] is not installed")
    result = restore(tiny_weights, sent / "a.jpg", "-o", tmp_path / "a.png", "--backend", "onnxruntime")
    assert "model tiny, onnxruntime, agrees" in result.output
    restore(tiny_weights, sent / "a.jpg", "-o", tmp_path / "b.png")
    one, other = (np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("a.png", "b.png"))
    assert np.abs(one - other).max() <= 1


def test_a_map_overwrites_no_result_and_no_input(sent: Any, tiny_weights: Any, tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.jpg", "a-uncertainty.jpg", "b.jpg"):
        (folder / name).write_bytes((sent / "a.jpg").read_bytes())
    Image.new("L", (8, 8)).save(folder / "b-uncertainty.png")
    before = (folder / "b-uncertainty.png").read_bytes()
    result = restore(tiny_weights, folder, "-o", folder, "--uncertainty")
    assert result.exit_code == 1
    assert re.search(r"a\.jpg: has the same output \S+a-uncertainty\.png as \S+a-uncertainty\.jpg", result.stderr)
    assert re.search(r"b\.jpg: its map would overwrite the input \S+b-uncertainty\.png", result.stderr)
    assert (folder / "b-uncertainty.png").read_bytes() == before
    assert not (folder / "a.png").exists()
    assert not (folder / "b.png").exists()


def test_a_bad_packet_is_named_and_the_others_are_restored(
    sent: Any, tiny_weights: Any, tmp_path: pathlib.Path, radiograph: np.ndarray
) -> None:
    broken = tmp_path / "in"
    broken.mkdir()
    good = (sent / "a.jpg").read_bytes()
    (broken / "a.jpg").write_bytes(good)
    (broken / "b.jpg").write_bytes(good[: len(good) // 2])
    (broken / "c.jpg").write_bytes(b"")
    (broken / "d.dcm").write_text("not DICOM")
    Image.fromarray(radiograph).save(broken / "e.jpg")
    damaged = good.replace(b"160x200", b"161x200")
    assert damaged != good
    (broken / "f.jpg").write_bytes(damaged)
    result = restore(tiny_weights, broken, "-o", tmp_path / "out")
    assert result.exit_code == 1
    errors = result.stderr.splitlines()
    assert [pathlib.Path(line.split(": ")[0]).name for line in errors] == ["b.jpg", "c.jpg", "d.dcm", "e.jpg", "f.jpg"]
    assert "Traceback" not in result.output
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["a.png"]


def test_a_jpeg_that_is_no_packet_is_restored_when_its_scale_is_stated(
    tiny_weights: Any, tmp_path: pathlib.Path, radiograph: np.ndarray
) -> None:
    Image.fromarray(radiograph[:40, :56]).save(tmp_path / "plain.jpg", quality=70)
    refused = restore(tiny_weights, tmp_path / "plain.jpg", "-o", tmp_path / "out.png")
    assert refused.exit_code == 1
    assert f"{tmp_path / 'plain.jpg'}: is an image but no packet" in refused.stderr
    result = restore(tiny_weights, tmp_path / "plain.jpg", "-o", tmp_path / "out.png", "--assume-scale", "4")
    assert result.exit_code == 0, result.output
    assert "assum" in result.output
    assert Image.open(tmp_path / "out.png").size == (224, 160)


def test_a_folder_that_cannot_be_written_leaves_nothing(sent: Any, tiny_weights: Any, tmp_path: pathlib.Path) -> None:
    (tmp_path / "out").write_text("a file where a folder should be")
    result = restore(tiny_weights, sent, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert f"{tmp_path / 'out'}" in result.stderr and "a part of the path is a file, not a folder" in result.stderr
    assert (tmp_path / "out").read_text() == "a file where a folder should be"


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("--model nothing", "--model: nothing: neither a weights file nor a packaged model"),
        ("--blend auto", "--blend: must be a packaged model or a weights file, not auto"),
        ("--blend bicubic", "--blend: must be a packaged model or a weights file, not bicubic"),
        ("--tile 13", "--tile: must be a multiple of 8"),
        ("--batch 0", "--batch: must be at least 1"),
        ("--alpha 0.3", "--alpha: requires a second model"),
        ("--views 8", "--views: requires the ensemble"),
        ("--ensemble --views 3", "--views: must be one of 2, 4, 8"),
        ("--precision float16", "--precision: must be one of float32, bfloat16"),
    ],
)
def test_an_impossible_option_is_one_line(
    sent: Any, tiny_weights: Any, tmp_path: pathlib.Path, option: str, problem: str
) -> None:
    result = run("restore", sent, "-o", tmp_path, "--model", tiny_weights, *option.split())
    assert result.exit_code == 2
    assert result.stderr.startswith(problem)
    assert len(result.stderr.splitlines()) == 1


def test_evaluate_prints_a_row_an_image_and_the_mean_gain(
    tiny_weights: Any, tmp_path: pathlib.Path, radiograph: np.ndarray
) -> None:
    Image.fromarray(radiograph).save(tmp_path / "a.png")
    Image.fromarray(radiograph[::-1].copy()).save(tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes(b"no image")
    result = run("evaluate", tmp_path, "--model", tiny_weights, "--report", tmp_path / "report")
    assert result.exit_code == 1
    assert "c.png" in result.stderr
    assert (
        "a.png: the packet was shrunk by 2" in run("evaluate", tmp_path, "--model", tiny_weights, "--scale", 2).stderr
    )
    assert re.search(r"mean gain over bicubic of the same packet: [+-]\d", result.output)
    assert "95 % intervals" in result.output
    assert "published ceilings" in result.output
    page = (tmp_path / "report" / "index.html").read_text()
    assert "a.png" in page and "b.png" in page and "GMSD" in page
    assert len((tmp_path / "report" / "images.csv").read_text().splitlines()) == 3
    assert len(list((tmp_path / "report" / "pictures").iterdir())) == 6


def test_evaluate_takes_any_scale_and_a_budget(tmp_path: pathlib.Path, radiograph: np.ndarray) -> None:
    Image.fromarray(radiograph).save(tmp_path / "a.png")
    scaled = run("evaluate", tmp_path / "a.png", "--scale", "2")
    assert scaled.exit_code == 0, scaled.output
    assert "model bicubic; no packaged model enlarges by 2" in scaled.stdout
    assert re.search(r"1/2 jpeg q [567]\d", scaled.stdout)
    kept = run("evaluate", tmp_path / "a.png", "--max-bytes", "1500", "--report", tmp_path / "report")
    assert kept.exit_code == 0, kept.output
    assert re.search(r"1/\d vvc q \d+", kept.stdout)
    assert "in at most 1,500 bytes: 1/" in (tmp_path / "report" / "index.html").read_text()
    row = (tmp_path / "report" / "images.csv").read_text().splitlines()[1].split(",")
    assert int(row[1]) <= 1500
    assert row[4] == "vvc"
    assert row[-2:] == ["", "0"] or float(row[-1]) < 0.3
    assert "departs from what was decoded by" in (tmp_path / "report" / "index.html").read_text()
    too_small = f"{tmp_path / 'a.png'}: doesn't fit into 15 bytes"
    wrong = (("--max-bytes", "0"), 2), (("--scale", "many"), 2), (("--codec", "gif"), 2), (("--max-bytes", "15"), 1)
    for options, status in wrong:
        refused = run("evaluate", tmp_path / "a.png", *options)
        assert refused.exit_code == status
        assert refused.stderr.startswith(too_small if status == 1 else f"{options[0]}: must be ")
        assert len(refused.stderr.splitlines()) == 1


def test_lpips_without_a_report_is_refused(tiny_weights: Any, tmp_path: pathlib.Path) -> None:
    result = run("evaluate", tmp_path, "--model", tiny_weights, "--lpips")
    assert result.exit_code == 2
    assert result.stderr == "--lpips requires --report FOLDER\n"


def test_models_and_info_say_what_the_packaged_model_is() -> None:
    listed = run("models").output
    assert "xray-x4: compact_rrdbnet" in listed
    assert "Apache-2.0" in listed
    assert "bicubic: interpolation of what was sent" in listed
    assert "auto: xray-x4 for packets shrunk by 4, bicubic for all others" in listed
    described = run("info", model_file.load("xray-x4").path).output
    assert "parameters" in described
    assert "degradation" in described


def test_the_demo_sends_and_restores_a_real_radiograph(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("data_store", reason="PyPI pydicom-data is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "medsr_jax", "demo", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pictures = ("demo.png", "demo-crop.png", "demo-bytes.png", "restored-crop.png", "restored-budget.png")
    for name in (*pictures, "sent.dcm", "restored.dcm", "sent-crop.jpg", "sent-budget.medsr"):
        assert (tmp_path / name).stat().st_size > 1000, name
    gains = [float(gain) for gain in re.findall(r"│\s+([+-]\d\.\d\d) │", done.stdout)]
    assert len(gains) == 3
    assert min(gains[:2]) > 0
    assert gains[2] >= 0
