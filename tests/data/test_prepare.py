import csv
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
import pydicom.data
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from medsr_jax.data.collection import PrepareSettings
from medsr_jax.data.patients import split_of
from medsr_jax.data.prepare import Radiographs, Report, prepare
from medsr_jax.data.sources import load_images
from medsr_jax.errors import MedsrError
from medsr_jax.imaging import read_image
from tests.data.pictures import ct, picture, png
from tests.imaging.dicom.objects import enhanced_mr, saved

SMALL = PrepareSettings(min_side=16, validation=0.3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Images of all kinds, and what is none."""
    folder = tmp_path_factory.mktemp("hospital") / "images"
    for number in range(8):
        png(folder / f"{number}.png", picture(number))
    png(folder / "Röntgen" / "胸 1.png", picture(20))
    png(folder / "deep" / "sixteen.png", picture(21, dtype=np.uint16))
    Image.fromarray(picture(22)).save(folder / "a.jpg", quality=90)
    Image.fromarray(picture(23, dtype=np.uint16)).save(folder / "a.tif")
    ct(folder / "ct.dcm", picture(24).astype(int) * 8 - 1000, PatientID="secret-17", PatientName="Doe^Jane")
    ct(folder / "ct2.dcm", picture(25).astype(int) * 8 - 1000, PatientID="secret-17", PatientName="Doe^Jane")
    saved(enhanced_mr(np.stack([picture(26 + n, dtype=np.uint16) // 16 for n in range(3)])), folder / "frames")
    png(folder / "copy.png", picture(0))
    png(folder / "flat.png", np.full((40, 40), 9, np.uint8))
    png(folder / "small.png", picture(0, (15, 40)))
    (folder / "notes.txt").write_text("no image")
    (folder / "broken.png").write_bytes((folder / "0.png").read_bytes()[:200])
    (folder / "broken.dcm").write_bytes((folder / "ct.dcm").read_bytes()[:900])
    (folder / "empty").touch()
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    os.mkfifo(folder / "pipe")
    (folder / ".hidden.png").write_bytes((folder / "1.png").read_bytes())
    return folder


@pytest.fixture(scope="module")
def made(folder: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, Report]:
    out = tmp_path_factory.mktemp("sets") / "set"
    return out, prepare([folder], out, settings=SMALL)


def records(out: pathlib.Path) -> Iterator[dict[str, Any]]:
    builder = tfds.builder_from_directory(out)
    for split in builder.info.splits:
        source = builder.as_data_source(split, decoders={"image": tfds.decode.SkipDecoding()})
        for record in source:
            yield {"split": split, **{k: v.decode() if k not in ("image",) and isinstance(v, bytes) else v
                                      for k, v in record.items()}}  # fmt: skip


def test_every_image_is_stored_once_and_without_loss(folder: pathlib.Path, made: Any) -> None:
    out, report = made
    stored = {(record["source"], record["frame"]): record for record in records(out)}
    names = {f"{n}.png" for n in range(8)} | {"Röntgen/胸 1.png", "deep/sixteen.png", "a.jpg", "a.tif"}
    assert set(stored) == {(name, 0) for name in names | {"ct.dcm", "ct2.dcm"}} | {("frames", n) for n in range(3)}
    assert sum(report.images.values()) == len(stored) == 17
    images = {}
    for split in report.images:
        source = tfds.builder_from_directory(out).as_data_source(split, decoders={"image": tfds.decode.SkipDecoding()})
        for record, image in zip(source, load_images(out, split=split), strict=True):
            images[record["source"].decode(), record["frame"]] = image
    for n in range(8):
        np.testing.assert_array_equal(images[f"{n}.png", 0], picture(n))
    np.testing.assert_array_equal(images["a.jpg", 0], read_image(folder / "a.jpg").pixels[0])
    assert images["deep/sixteen.png", 0].dtype == np.uint16
    hounsfield = picture(24).astype(int) * 8 - 1000
    expected = np.clip((hounsfield + 1000) / 2000, 0, 1) * 65535
    np.testing.assert_allclose(images["ct.dcm", 0], expected, atol=0.51)


def test_every_example_says_what_was_done_to_it(made: Any) -> None:
    stored = {(record["source"], record["frame"]): record for record in records(made[0])}
    assert stored["ct.dcm", 0]["window"] == "CT -1000..1000"
    assert stored["ct.dcm", 0]["modality"] == "CT"
    assert stored["0.png", 0]["window"] == "as it is"
    assert (stored["0.png", 0]["bits"], stored["ct.dcm", 0]["bits"]) == (8, 16)
    assert stored["0.png", 0]["modality"] == "unknown"
    assert stored["frames", 2]["window"].startswith("percentiles 0.1, 99.9 at ")
    info = tfds.builder_from_directory(made[0]).info
    assert "-1000..1000 HU" in info.description
    assert info.metadata["settings"]["window"] == "auto"


def test_what_was_left_out_is_listed_with_the_reason(made: Any) -> None:
    with (made[0] / "skipped.csv").open(encoding="utf-8") as stream:
        skipped = {row["file"]: (row["kind"], row["reason"]) for row in csv.DictReader(stream)}
    assert skipped["copy.png"] == ("duplicate", "has the same pixels as 0.png")
    assert skipped["flat.png"][0] == "constant"
    assert skipped["small.png"] == ("small", "has 15 x 40 pixels, fewer than 16 a side")
    unreadable = {"notes.txt", "broken.png", "broken.dcm", "empty", "gone.png", "pipe"}
    assert {name for name, (kind, _) in skipped.items() if kind == "unreadable"} == unreadable
    assert "is a text file" in skipped["notes.txt"][1]
    report = json.loads((made[0] / "report.json").read_text(encoding="utf-8"))
    assert report["skipped"] == {"unreadable": 6, "constant": 1, "small": 1, "duplicate": 1}
    assert report["images"] == made[1].images


def test_a_patient_is_in_one_split_and_without_a_name(made: Any) -> None:
    out, report = made
    splits: dict[str, set[str]] = {}
    patients: dict[str, str] = {}
    for record in records(out):
        splits.setdefault(record["patient"], set()).add(record["split"])
        patients[record["source"]] = record["patient"]
    assert all(len(split) == 1 for split in splits.values())
    assert patients["ct.dcm"] == patients["ct2.dcm"]
    assert len(set(patients.values())) == len(patients) - 1
    assert report.patients_from == {"manifest": 0, "DICOM": 3, "file": 12}
    assert sum(report.patients.values()) == 14
    everything = b"".join(path.read_bytes() for path in out.iterdir())
    assert b"secret-17" not in everything
    assert b"Doe" not in everything


def test_the_split_is_the_patients_own(made: Any) -> None:
    for record in records(made[0]):
        if record["source"].endswith(".png"):
            expected = split_of(f"file {record['source']}", validation=0.3, test=0, seed=0)
            assert record["split"] == expected


def test_a_manifest_says_who_is_who_and_a_second_folder_moves_nobody(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "images"
    for number in range(15):
        png(folder / f"{number}.png", picture(number))
    png(tmp_path / "more" / "0.png", picture(50))
    (tmp_path / "who.csv").write_text("file,patient\nimages/0.png,A\nimages/1.png,A\nimages/2.png,B\nimages/x.png,C\n")
    settings = PrepareSettings(min_side=16, validation=0.3, manifest=tmp_path / "who.csv")
    report = prepare([folder, tmp_path / "more"], tmp_path / "set", settings=settings)
    stored = {record["source"]: record for record in records(tmp_path / "set")}
    assert stored["images/0.png"]["patient"] == stored["images/1.png"]["patient"] != stored["images/2.png"]["patient"]
    assert stored["more/0.png"]["patient"] != stored["images/0.png"]["patient"]
    assert report.patients_from == {"manifest": 3, "DICOM": 0, "file": 13}
    assert report.unmatched == 1
    assert str(tmp_path).encode() not in b"".join(path.read_bytes() for path in (tmp_path / "set").iterdir())
    for number in range(3, 15):
        expected = split_of(f"file {number}.png", validation=0.3, test=0, seed=0)
        assert stored[f"images/{number}.png"]["split"] == expected


def test_a_set_of_eight_bits_opens_with_the_decoder_of_tfds(tmp_path: pathlib.Path) -> None:
    png(tmp_path / "in" / "a.png", picture(1))
    prepare([tmp_path / "in"], tmp_path / "set", settings=PrepareSettings(min_side=16, validation=0))
    (record,) = tfds.builder_from_directory(tmp_path / "set").as_data_source("train")
    np.testing.assert_array_equal(record["image"][..., 0], picture(1))


def nothing_is_left(folder: pathlib.Path, *names: str) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_an_older_set_is_replaced_only_when_asked_and_only_by_a_whole_one(tmp_path: pathlib.Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "set"
    png(folder / "a.png", picture(1))
    out.mkdir()  # an empty folder will do
    settings = PrepareSettings(min_side=16, validation=0)
    prepare([folder], out, settings=settings)
    with pytest.raises(MedsrError, match="overwrite it, or choose"):
        prepare([folder], out, settings=settings)
    png(folder / "b.png", picture(2))

    def interrupted(entries: Any, doing: str) -> Iterator[Any]:
        for number, entry in enumerate(entries):
            if doing.startswith("Writing") and number == 1:
                raise KeyboardInterrupt
            yield entry

    with pytest.raises(KeyboardInterrupt):
        prepare([folder], out, settings=settings, overwrite=True, progress=interrupted)
    assert len(load_images(out)) == 1
    prepare([folder], out, settings=settings, overwrite=True)
    assert len(load_images(out)) == 2
    nothing_is_left(tmp_path, "in", "set")


def test_an_output_inside_the_input_is_not_read(tmp_path: pathlib.Path) -> None:
    png(tmp_path / "a.png", picture(1))
    for overwrite in (False, True):
        png(tmp_path / "set" / "old.png", picture(2)) if overwrite else None
        report = prepare(
            [tmp_path], tmp_path / "set", settings=PrepareSettings(min_side=16, validation=0), overwrite=overwrite
        )
        assert report.images == {"train": 1}
        assert not report.skipped
    nothing_is_left(tmp_path, "a.png", "set")


@pytest.mark.parametrize("where", [".", "..", "a.png", "other", "../in", "a.png/set", "/proc/set"])
def test_an_output_that_would_harm_or_can_not_be_is_refused_before_anything_is_read(
    tmp_path: pathlib.Path, where: str
) -> None:
    folder = tmp_path / "in"
    png(folder / "a.png", picture(1))
    png(folder / "other" / "b.png", picture(2))
    before = sorted(tmp_path.rglob("*"))

    def unread(entries: Any, doing: str) -> NoReturn:
        raise AssertionError("read before refused")

    with pytest.raises(MedsrError) as error:
        prepare([folder], folder / where, settings=SMALL, overwrite=True, progress=unread)
    assert "\n" not in str(error.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_to_take_leaves_nothing_and_names_the_first_reason(tmp_path: pathlib.Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(MedsrError, match=r"set: not written, since no image was taken: .* is a folder that holds no"):
        prepare([tmp_path / "in"], tmp_path / "set", settings=SMALL)
    (tmp_path / "in" / "notes.txt").write_text("none")
    with pytest.raises(MedsrError, match="1 unreadable; the first, notes.txt, is a text file"):
        prepare([tmp_path / "in"], tmp_path / "set", settings=SMALL)
    with pytest.raises(MedsrError, match="nowhere: no such folder"):
        prepare([tmp_path / "nowhere"], tmp_path / "set", settings=SMALL)
    nothing_is_left(tmp_path, "in")


def test_a_full_disk_is_a_line(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    png(tmp_path / "in" / "a.png", picture(1))

    def full(path: pathlib.Path, data: bytes) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    with pytest.raises(MedsrError, match="set: can't be written: No space left on device"):
        prepare([tmp_path / "in"], tmp_path / "set", settings=SMALL)
    nothing_is_left(tmp_path, "in")


def test_a_set_that_can_not_be_read_back_is_not_put_in_place(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    png(tmp_path / "in" / "a.png", picture(1))
    write = Radiographs.download_and_prepare

    def cut(builder: Any, **options: Any) -> None:
        write(builder, **options)
        (record,) = pathlib.Path(builder.data_path).glob("*.array_record*")
        record.write_bytes(record.read_bytes()[:-70_000])

    monkeypatch.setattr(Radiographs, "download_and_prepare", cut)
    with pytest.raises(MedsrError, match="set: can't be written: "):
        prepare([tmp_path / "in"], tmp_path / "set", settings=SMALL)
    nothing_is_left(tmp_path, "in")


def test_a_name_that_is_no_text_is_stored_with_its_bytes_escaped(tmp_path: pathlib.Path) -> None:
    (tmp_path / "in").mkdir()
    odd = os.fsencode(tmp_path / "in") + b"/\xff.png"
    source = png(tmp_path / "a.png", picture(1))
    pathlib.Path(os.fsdecode(odd)).write_bytes(source.read_bytes())
    pathlib.Path(os.fsdecode(odd + b".txt")).write_text("none")
    prepare([tmp_path / "in"], tmp_path / "set", settings=PrepareSettings(min_side=16, validation=0))
    (record,) = records(tmp_path / "set")
    assert record["source"] == "\\xff.png"


@pytest.mark.parametrize(
    "fields", [{"validation": 1.0}, {"validation": -0.1}, {"validation": 0.6, "test": 0.5}, {"min_side": 0}]
)
def test_settings_that_make_no_sense_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(MedsrError, match="^(validation|min_side): must be "):
        PrepareSettings(**fields)


def test_real_objects_of_pydicom_are_taken(tmp_path: pathlib.Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("CT_small.dcm", "MR_small.dcm", "693_J2KI.dcm", "MR2_J2KI.dcm", "JPEG2000.dcm"):
        path = pydicom.data.get_testdata_file(name, download=False)
        if path is not None:
            (tmp_path / "in" / name).symlink_to(path)
    report = prepare([tmp_path / "in"], tmp_path / "set", settings=PrepareSettings(min_side=64, validation=0))
    stored = {record["source"]: record for record in records(tmp_path / "set")}
    assert stored["CT_small.dcm"]["window"] == "CT -1000..1000"
    assert stored["MR_small.dcm"]["modality"] == "MR"
    assert not report.skipped
