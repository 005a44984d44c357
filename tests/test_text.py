"""What a terminal, a browser or a spreadsheet would obey is shown and not obeyed."""

from __future__ import annotations

import csv
import io

import pytest

from medsr_jax.tables import csv_bytes
from medsr_jax.text import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\nb\r\tc\x7f", "a\\x0ab\\x0d\\x09c\\x7f"),
        ("\x9b2J", "\\x9b2J"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("\udcff\udc80", "\\xff\\x80"),
        ("\ud800", "\\ud800"),
        ("Lunge ü 肺 C:\\x", "Lunge ü 肺 C:\\x"),
    ],
)
def test_commands_become_visible_and_the_rest_stays(text: str, shown: str) -> None:
    assert visible(text) == shown
    visible(text).encode()


def test_cells_of_text_are_no_formulas_and_numbers_are_numbers() -> None:
    texts = ["=1+1", "+cmd", "-x.png", "@SUM(A1)", "\tx", "\r=1", "\uff1d1", "plain", "a=b"]
    numbers = [-3, 1.5, "-0.002", "+1e9", "nan", "-inf"]
    rows = list(csv.reader(io.StringIO(csv_bytes([texts, numbers]).decode(), newline="")))
    assert rows[0] == ["'" + text for text in texts[:7]] + texts[7:]
    assert rows[1] == ["-3", "1.5", "-0.002", "+1e9", "nan", "-inf"]
