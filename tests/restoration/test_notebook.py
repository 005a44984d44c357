"""docs/notebook.md runs as it stands, and prints what it says."""

from __future__ import annotations

import contextlib
import io
import pathlib
import re

import pytest

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "notebook.md"
NUMBER = re.compile(r"\d+\.\d+|\d+")


def test_the_page_prints_what_it_says() -> None:
    cells = re.findall(r"```python\n(.*?)```\n(?:\n```\n(.*?)```)?", PAGE.read_text(), re.S)
    names = {}
    for code, said in cells:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(code, names)
        printed = output.getvalue()
        assert NUMBER.sub("0", printed) == NUMBER.sub("0", said)
        # A hundredth, for other machines' rounding.
        numbers = [[float(number) for number in NUMBER.findall(text)] for text in (printed, said)]
        assert numbers[0] == pytest.approx(numbers[1], abs=0.011)
    assert len(cells) == 4
    assert names["large"].shape == (128, 128)
