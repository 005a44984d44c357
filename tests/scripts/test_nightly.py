"""Every script has a trial run, and its samples are images that the measurements read."""

from __future__ import annotations

import pathlib
import runpy

import pytest

from medsr_jax.evaluation.studies.sample_set import data_set, write_samples
from medsr_jax.files import find_inputs
from medsr_jax.imaging import read_image

SCRIPTS = pathlib.Path(__file__).parents[2] / "scripts"
NIGHTLY = runpy.run_path(str(SCRIPTS / "check" / "nightly.py"))


@pytest.mark.parametrize("name", NIGHTLY["scripts"]())
def test_every_script_has_a_trial_run(name: str) -> None:
    source = (SCRIPTS / name).read_text()
    shared = [path.read_text() for path in (SCRIPTS / name).parent.glob("*.py") if f"from {path.stem} import" in source]
    assert any('"--tiny"' in text for text in (source, *shared))


def test_a_failing_script_is_reported(tmp_path: pathlib.Path) -> None:
    assert NIGHTLY["run"]("missing.py", tmp_path / "log.txt") == "exit status 2"
    assert "missing.py" in (tmp_path / "log.txt").read_text()


def test_samples_are_a_data_set(tmp_path: pathlib.Path) -> None:
    write_samples(tmp_path)
    for folder, count in {"train/chest": 4, "val/chest": 2, "test/chest": 2, "test/radiograph": 1}.items():
        images = [read_image(file) for file, _ in find_inputs([tmp_path / folder])]
        assert [(image.pixels.shape, image.pixels.dtype.name) for image in images] == [((1, 512, 512), "uint8")] * count
    assert read_image(tmp_path / "test" / "ct" / "0.png").pixels.dtype.name == "uint16"
    assert all(read_image(file).dataset is not None for file, _ in find_inputs([tmp_path / "dicom"]))


def test_a_named_data_set_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setenv("MEDSR_DATA", "elsewhere")
    assert data_set(tmp_path, tiny=True) == tmp_path
    assert data_set(None, tiny=True) == pathlib.Path("elsewhere")
    monkeypatch.delenv("MEDSR_DATA")
    assert data_set(None, tiny=False) == pathlib.Path("data")
    assert (data_set(None, tiny=True) / "val" / "chest").is_dir()
