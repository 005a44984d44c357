from __future__ import annotations

import os
import pathlib

import numpy as np
import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner

from medsr_jax.cli import app
from medsr_jax.transmission import is_packet, read_packet
from tests.transmission.images import BUNDLED, made

RUN = CliRunner()


def _folder(root: pathlib.Path) -> pathlib.Path:
    folder = root / "in"
    (folder / "deep").mkdir(parents=True)
    Pillow.fromarray(made().pixels[0]).save(folder / "a.png")
    Pillow.fromarray(made(dtype="uint16").pixels[0]).save(folder / "deep" / "b.tif")
    (folder / "deep" / "1.2.840.113").write_bytes((BUNDLED / "CT_small.dcm").read_bytes())
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:200])
    (folder / "text.dcm").write_text("no image")
    (folder / ".hidden").write_text("left out")
    return folder


def _files(folder: pathlib.Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_folder_keeps_its_structure_and_bad_inputs_cost_a_line_each(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "out"
    done = RUN.invoke(app, ["compress", str(_folder(tmp_path)), str(tmp_path / "absent"), "-o", str(out)])
    assert done.exit_code == 1
    assert _files(out) == {"a.jpg", "deep/b.jpg", "deep/1.2.840.113.dcm"}
    assert all(is_packet(out / name) for name in _files(out))
    errors = done.stderr.splitlines()
    assert len(errors) == 3
    assert "Traceback" not in done.output
    assert {"absent" in line or "broken.png" in line or "text.dcm" in line for line in errors} == {True}
    said = done.stdout.splitlines()
    assert sum(":1 of the original" in line for line in said) == 3
    assert "3 files: " in said[3]
    assert "; 3 refused" in said[3]
    assert said[4].startswith("on the link: ")
    assert said[5].endswith("not for primary diagnosis")
    assert len(said) == 6


def test_one_input_may_name_its_result(tmp_path: pathlib.Path) -> None:
    target = tmp_path / "sent.dcm"
    options = ["--scale", "2", "--quality", "55", "--window", "0:1000", "--no-preprocess", "--kernel", "lanczos"]
    done = RUN.invoke(app, ["compress", str(BUNDLED / "CT_small.dcm"), "-o", str(target), *options])
    assert done.exit_code == 0, done.output
    header = read_packet(target).header
    assert (header.scale, header.quality, header.low, header.high, header.kernel) == (2, 55, 0, 1000, "lanczos")


@pytest.mark.parametrize(
    ("codec", "suffix"), [("jpeg", ".jpg"), ("jpeg2000", ".j2k"), ("avif", ".avif"), ("vvc", ".266")]
)
def test_codec_names_the_suffix(tmp_path: pathlib.Path, codec: str, suffix: str) -> None:
    Pillow.fromarray(made().pixels[0]).save(tmp_path / "a.png")
    done = RUN.invoke(app, ["compress", str(tmp_path / "a.png"), "-o", str(tmp_path / "out"), "--codec", codec])
    assert done.exit_code == 0, done.output
    assert _files(tmp_path / "out") == {"a" + suffix}


@pytest.mark.parametrize(
    "options",
    [
        ["--quality", "best"],
        ["--quality", "0"],
        ["--scale", "9"],
        ["--codec", "gif"],
        ["--window", "5"],
        ["--kernel", "x"],
        ["--max-bytes", "15"],
        ["--container", "zip"],
        ["--max-bytes", "0"],
        ["--max-bytes", "-7"],
        ["--scale", "four"],
    ],
)
def test_options_out_of_range_end_in_one_line(tmp_path: pathlib.Path, options: list[str]) -> None:
    Pillow.fromarray(made().pixels[0]).save(tmp_path / "a.png")
    done = RUN.invoke(app, ["compress", str(tmp_path / "a.png"), "-o", str(tmp_path / "out"), *options])
    assert done.exit_code == (1 if options == ["--max-bytes", "15"] else 2)  # that is found out by coding
    assert len(done.stderr.splitlines()) == 1
    found_out_late = f"{tmp_path / 'a.png'}: doesn't fit into 15 bytes"
    assert done.stderr.startswith(found_out_late if done.exit_code == 1 else f"{options[0]}: must be ")
    assert done.stderr.rstrip().endswith(f"not {options[1]}") or done.exit_code == 1
    assert not (tmp_path / "out").exists()


def test_under_a_budget_each_kind_of_file_gets_the_codec_that_serves_it_best(tmp_path: pathlib.Path) -> None:
    Pillow.fromarray(made(120, 130).pixels[0]).save(tmp_path / "a.png")
    (tmp_path / "b.dcm").write_bytes((BUNDLED / "693_J2KI.dcm").read_bytes())
    files = [str(tmp_path / "a.png"), str(tmp_path / "b.dcm")]
    done = RUN.invoke(app, ["compress", *files, "-o", str(tmp_path / "out"), "--max-bytes", "4000", "--scale", "4"])
    assert done.exit_code == 0, done.output
    assert _files(tmp_path / "out") == {"a.medsr", "b.medsr"}
    assert [read_packet(path).header.codec for path in (tmp_path / "out").iterdir()] == ["vvc", "vvc"]
    assert all(path.stat().st_size <= 4000 for path in (tmp_path / "out").iterdir())
    standard = ["-o", str(tmp_path / "standard"), "--max-bytes", "6000", "--container", "standard"]
    done = RUN.invoke(app, ["compress", files[1], *standard])
    assert read_packet(tmp_path / "standard" / "b.dcm").header.codec == "jpeg2000", done.output
    few = RUN.invoke(
        app, ["compress", files[0], "-o", str(tmp_path / "few"), "--max-bytes", "400", "--container", "standard"]
    )
    assert few.exit_code == 0, few.output
    assert _files(tmp_path / "few") == {"a.j2k"}


def test_what_is_named_beside_a_budget_is_kept(tmp_path: pathlib.Path) -> None:
    Pillow.fromarray(made().pixels[0]).save(tmp_path / "a.png")
    command = ["compress", str(tmp_path / "a.png"), "-o", str(tmp_path / "out"), "--max-bytes", "900"]
    done = RUN.invoke(app, [*command, "--codec", "jpeg", "--scale", "2"])
    assert done.exit_code == 0, done.output
    header = read_packet(tmp_path / "out" / "a.medsr").header
    assert (header.scale, header.codec) == (2, "jpeg")
    assert "1/2 of the side, jpeg q" in done.stdout


def test_a_dicom_object_as_avif_is_refused_in_a_line(tmp_path: pathlib.Path) -> None:
    command = ["compress", str(BUNDLED / "CT_small.dcm"), "-o", str(tmp_path / "out"), "--codec", "avif"]
    for budget in ([], ["--max-bytes", "9000", "--container", "standard"]):
        done = RUN.invoke(app, [*command, *budget])
        assert done.exit_code == 1
        assert "can't be sent as avif: DICOM has no transfer syntax for it; choose jpeg or jpeg2000" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_each_line_says_where_the_ratio_lies_against_the_ceilings(tmp_path: pathlib.Path) -> None:
    Pillow.fromarray(made(256, 256).pixels[0]).save(tmp_path / "a.png")
    for budget, said in (("1000", "above 10:1 (German consensus) and 30:1"), ("20000", "below 10:1")):
        done = RUN.invoke(app, ["compress", str(tmp_path / "a.png"), "-o", str(tmp_path), "--max-bytes", budget])
        assert f", {said}" in done.stdout
        assert "ceilings for lossy chest radiographs" in done.stdout
        assert said in RUN.invoke(app, ["info", str(tmp_path / "a.medsr")]).stdout


def test_same_name_twice_is_done_once_and_reported(tmp_path: pathlib.Path) -> None:
    for suffix in (".png", ".tif"):
        Pillow.fromarray(made().pixels[0]).save(tmp_path / f"a{suffix}")
    files = [str(tmp_path / "a.png"), str(tmp_path / "a.tif")]
    done = RUN.invoke(app, ["compress", *files, "-o", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "same output" in done.stderr
    assert _files(tmp_path / "out") == {"a.jpg"}


def test_output_folder_that_is_a_file_is_a_line(tmp_path: pathlib.Path) -> None:
    Pillow.fromarray(made().pixels[0]).save(tmp_path / "a.png")
    (tmp_path / "out").write_text("in the way")
    done = RUN.invoke(app, ["compress", str(tmp_path / "a.png"), "-o", str(tmp_path / "out")])
    assert done.exit_code == 1
    written = tmp_path / "out" / "a.jpg"
    assert done.stderr.startswith(f"{written}: can't be written: a part of the path is a file, not a folder; ")
    assert len(done.stderr.splitlines()) == 1


def test_ctrl_c_in_a_folder_keeps_what_is_done_and_leaves_nothing_half_written(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        Pillow.fromarray(made().pixels[0]).save(tmp_path / f"{name}.png")
    calls = []
    to_disk = os.fsync

    def interrupted(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 2:
            raise KeyboardInterrupt
        to_disk(handle)

    monkeypatch.setattr(os, "fsync", interrupted)
    files = [str(tmp_path / f"{name}.png") for name in "abc"]
    done = RUN.invoke(app, ["compress", *files, "-o", str(tmp_path / "out")])
    assert done.exit_code == 130
    assert _files(tmp_path / "out") == {"a.jpg"}


def test_info_says_what_is_in_a_packet(tmp_path: pathlib.Path) -> None:
    RUN.invoke(app, ["compress", str(BUNDLED / "CT_small.dcm"), "-o", str(tmp_path)])
    done = RUN.invoke(app, ["info", str(tmp_path / "CT_small.dcm")])
    assert done.exit_code == 0, done.output
    for word in ("128 rows x 128 columns", "int16", "32 x 32", "10:1", "30:1", "not for primary diagnosis"):
        assert word in done.stdout
    bad = RUN.invoke(app, ["info", str(BUNDLED / "rtplan.dcm")])
    assert bad.exit_code == 1
    assert bad.stderr.startswith(f"{BUNDLED / 'rtplan.dcm'}: ")
    assert len(bad.stderr.splitlines()) == 1


def test_packets_are_not_shrunk_once_more(tmp_path: pathlib.Path, radiograph: np.ndarray) -> None:
    Pillow.fromarray(radiograph).save(tmp_path / "a.png")
    sources = [str(tmp_path / "a.png"), str(BUNDLED / "CT_small.dcm")]
    assert CliRunner().invoke(app, ["compress", *sources, "-o", str(tmp_path / "sent")]).exit_code == 0
    again = CliRunner().invoke(app, ["compress", str(tmp_path / "sent"), "-o", str(tmp_path / "twice")])
    assert again.exit_code == 1
    assert again.output.count("is a packet of `medsr compress` already; restore it") == 2
    assert not (tmp_path / "twice").exists()
