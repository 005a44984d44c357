"""Docstring entries of several names become an entry for each, for the API pages."""

from __future__ import annotations

import pathlib
import runpy

import pytest

pytest.importorskip("griffe")
split = runpy.run_path(str(pathlib.Path(__file__).parents[2] / "scripts" / "release" / "griffe_names.py"))["split"]


def test_grouped_names_are_split_with_the_lines_that_continue_them() -> None:
    docstring = "Summary.\n\nArgs:\n    rows, columns: of the original,\n        in pixels.\n    scale: 1..8.\n"
    expected = (
        "Summary.\n\nArgs:\n    rows: of the original,\n        in pixels.\n    columns: of the original,\n"
        "        in pixels.\n    scale: 1..8."
    )
    assert split(docstring) == expected


def test_other_sections_and_prose_stay() -> None:
    docstring = "Rows, columns: prose.\n\nRaises:\n    MedsrError: for a, b: or c."
    assert split(docstring) == docstring
