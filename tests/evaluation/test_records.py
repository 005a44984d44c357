"""Long measurements go on where they were, and the page of results keeps the sections of other scripts."""

from __future__ import annotations

import json
import pathlib

import pytest

from medsr_jax.evaluation.studies import records

SIGNATURE = {"model": "xray-x4", "levels": (1, 2)}


def test_a_measurement_goes_on_where_it_was_killed(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "deep" / "m.jsonl"
    first = records.Measurements(path, SIGNATURE)
    first.add({"image": "a", "psnr": 30.5})
    first.add({"image": "b", "psnr": 31.5})
    path.write_text(path.read_text()[:-9])  # in the middle of the second
    again = records.Measurements(path, SIGNATURE)
    assert again.records == {"a": {"image": "a", "psnr": 30.5}}
    again.add({"image": "b", "psnr": 31.5})
    assert [json.loads(line).get("image") for line in path.read_text().splitlines()] == [None, "a", "b"]
    assert list(records.Measurements(path, SIGNATURE).records) == ["a", "b"]


def test_measurements_of_other_settings_are_not_mixed(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "m.jsonl"
    records.Measurements(path, SIGNATURE).add({"image": "a"})
    with pytest.raises(SystemExit, match=r"m\.jsonl: has measurements of other settings"):
        records.Measurements(path, {**SIGNATURE, "model": "other"})
    assert len(path.read_text().splitlines()) == 2


def test_a_section_takes_its_own_place_alone(tmp_path: pathlib.Path) -> None:
    page = tmp_path / "docs" / "results.md"
    records.write_section("lesions", "## Lesions\n\nold", page=page)
    records.write_section("table1", "## Table 1", page=page)
    records.write_section("lesions", "\n## Lesions\n\nnew\n", page=page)
    text = page.read_text()
    assert text.startswith("# Results")
    assert text.index("## Table 1") < text.index("## Lesions")
    assert "new" in text and "old" not in text
    assert text.count("<!-- lesions -->") == text.count("<!-- /lesions -->") == 1
    assert records.read_section("lesions", page=page) == "## Lesions\n\nnew"
    assert records.read_section("figures", page=page) == ""
    assert records.read_section("lesions", page=tmp_path / "none.md") == ""
