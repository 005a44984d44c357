"""Table 1 can be measured in part: rows that were not measured stay as the page has them."""

from __future__ import annotations

import pathlib
import runpy
from typing import Any

import pytest

from medsr_jax.evaluation.studies import records

REPRODUCE = pathlib.Path(__file__).parents[2] / "scripts" / "reproduce"


@pytest.fixture
def table1(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(REPRODUCE))
    return runpy.run_path(str(REPRODUCE / "table1.py"))


def record(**psnr: float) -> dict[str, Any]:
    return {"measured": {title: {"psnr": value, "ssim": 0.9} for title, value in psnr.items()}}


def test_rows_not_measured_are_those_of_the_page(table1: dict[str, Any]) -> None:
    measured = [record(bicubic=30.0, SRCNN=30.5), record(bicubic=32.0, SRCNN=32.5)]
    earlier = {"SRCNN": "| SRCNN | 1.00 |", "ESRGAN": "| ESRGAN | 2.00 |", "gone": "| gone | 3.00 |"}
    lines = table1["_table"](measured, {"srcnn": "2 steps"}, earlier).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| bicubic", "| SRCNN", "| ESRGAN"]
    assert "+0.50" in lines[3] and "2 steps" in lines[3]
    assert lines[4] == "| ESRGAN | 2.00 |"


def test_the_rows_of_the_page_are_those_of_their_folder(table1: dict[str, Any]) -> None:
    val, test = (table1["_rows_of_page"](folder) for folder in table1["FOLDERS"])
    assert {"bicubic", "SRCNN", "ours, equal budget"} <= val.keys() == test.keys()
    assert val["bicubic"] != test["bicubic"]
    assert all(line in records.read_section("table1") for line in val.values())
