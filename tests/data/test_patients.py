import pathlib

import pytest

from medsr_jax.data.patients import Manifest, match_manifest, read_manifest, split_of
from medsr_jax.errors import MedsrError


def written(path: pathlib.Path, text: str) -> pathlib.Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_split_depends_on_patient_and_seed_alone() -> None:
    splits = [split_of(f"p{i}", validation=0.2, test=0.1, seed=0) for i in range(3000)]
    assert splits == [split_of(f"p{i}", validation=0.2, test=0.1, seed=0) for i in range(3000)]
    assert splits.count("validation") / 3000 == pytest.approx(0.2, abs=0.03)
    assert splits.count("test") / 3000 == pytest.approx(0.1, abs=0.03)
    assert splits != [split_of(f"p{i}", validation=0.2, test=0.1, seed=1) for i in range(3000)]


def test_a_larger_share_takes_from_training_only() -> None:
    for i in range(300):
        if split_of(f"p{i}", validation=0.1, test=0.1, seed=0) != "train":
            assert split_of(f"p{i}", validation=0.3, test=0.1, seed=0) != "train"


@pytest.mark.parametrize(
    "head", ["file,patient", "Path,Patient_ID", "licence,filename,subject_id", "Image Index,Finding,Patient ID"]
)
def test_manifests_name_their_columns_in_many_ways(tmp_path: pathlib.Path, head: str) -> None:
    names = [name.strip() for name in head.split(",")]
    row = ["x"] * len(names)
    row[0 if len(names) != 3 else (1 if "filename" in head else 0)] = "deep/ä.png"
    row[-1] = "17"
    manifest = read_manifest(written(tmp_path / "m.csv", f"\ufeff{head}\n{','.join(row)}\n"))
    assert manifest.patients == {"deep/ä.png": "17"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column file or path; its first line names nothing"),
        ("patient,age\n1,2\n", "has no column file or path; its first line names patient, age"),
        ("file,licence\na.png,CC0\n", "has no column patient or patient_id"),
        ("file,patient\n", "names no file with a patient"),
        ("file,patient\na.png,\n,3\n", "names no file with a patient"),
        ("file,patient\na.png,1\na.png,2\n", "gives a.png two patients, 1 and 2"),
        ("file,patient\na.png\n", "names no file with a patient"),
    ],
)
def test_a_wrong_manifest_is_refused_by_name(tmp_path: pathlib.Path, text: str, message: str) -> None:
    with pytest.raises(MedsrError, match=f"m.csv: {message}"):
        read_manifest(written(tmp_path / "m.csv", text))


def test_a_manifest_that_is_no_table_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "m.csv").write_bytes(b"\xff\xfe\x00file")
    for path in (tmp_path / "m.csv", tmp_path / "none.csv", tmp_path):
        with pytest.raises(MedsrError, match=path.name):
            read_manifest(path)


@pytest.fixture
def files(tmp_path: pathlib.Path) -> list[pathlib.Path]:
    paths = [tmp_path / "set" / name for name in ("a/1.png", "b/1.png", "b/2.png")]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def test_names_are_looked_up_beside_the_manifest_below_the_folders_and_by_bare_name(
    tmp_path: pathlib.Path, files: list[pathlib.Path]
) -> None:
    patients = {"set/a/1.png": "1", "b/1.png": "2", "2.png": "3", "elsewhere.png": "4", str(files[0]): "1"}
    found, unknown = match_manifest(Manifest(tmp_path / "m.csv", patients), files, [tmp_path / "set"])
    assert found == dict(zip(files, "123", strict=True))
    assert unknown == 1


@pytest.mark.parametrize(
    ("patients", "message"),
    [
        ({"1.png": "1"}, "1.png may be .*a/1.png or .*b/1.png"),
        ({"x.png": "1"}, "none of its files is in the folders, such as x.png"),
        ({"a/1.png": "1", "set/a/1.png": "2"}, "gives .*a/1.png two patients, 1 and 2"),
    ],
)
def test_names_that_can_not_be_told_apart_are_refused(
    tmp_path: pathlib.Path, files: list[pathlib.Path], patients: dict[str, str], message: str
) -> None:
    with pytest.raises(MedsrError, match=message):
        match_manifest(Manifest(tmp_path / "m.csv", patients), files, [tmp_path / "set"])
