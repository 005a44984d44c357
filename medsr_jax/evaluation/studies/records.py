"""Records of long measurements, a line of JSON per image, from which they resume; their sections of the results."""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import numpy as np

from medsr_jax.files import atomic_write, find_inputs

Record = dict[str, Any]
PAGE = pathlib.Path(__file__).resolve().parents[3] / "docs" / "results.md"
# In the order of the page.
SECTIONS = ("table1", "figures", "equal-bytes", "rate-distortion", "lesions")


class Measurements:
    """Records by image, in a file from which a stopped measurement resumes.

    Args:
        path: of the file; its first line is the signature.
        signature: settings that all records of a file share.
    """

    def __init__(self, path: pathlib.Path, signature: Record) -> None:
        self._path = path
        self.records: dict[str, Record] = {}
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._append(signature)
            return
        lines = path.read_text().splitlines()
        if not lines or json.loads(lines[0]) != json.loads(json.dumps(signature)):
            sys.exit(f"{path}: has measurements of other settings; name another file with --results, or remove it")
        for line in lines[1:]:
            try:
                record = json.loads(line)
            except ValueError:
                break  # the run ended in the middle of it
            self.records[record["image"]] = record
        if len(self.records) < len(lines) - 1:
            kept = [signature, *self.records.values()]
            atomic_write(path, "".join(json.dumps(entry) + "\n" for entry in kept).encode())

    def add(self, record: Record) -> None:
        """Keep the record of one more image, named in ``image``."""
        self.records[record["image"]] = record
        self._append(record)

    def _append(self, record: Record) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(record) + "\n")


def subsample(folder: pathlib.Path, *, limit: int | None) -> list[pathlib.Path]:
    """The images below a folder, at most ``limit`` of them, evenly spaced."""
    files = [file for file, _ in find_inputs([folder])]
    if limit is not None and limit < len(files):
        files = [files[i] for i in np.linspace(0, len(files) - 1, limit).round().astype(int)]
    return files


def write_section(name: str, text: str, *, page: pathlib.Path = PAGE) -> None:
    """Write or replace a section of the page of results.

    Args:
        name: one of `SECTIONS`.
        text: Markdown.
        page: created if missing.
    """
    old = page.read_text() if page.is_file() else ""
    parts = {section: _between(old, section) for section in SECTIONS} | {name: text.strip()}
    body = "\n\n".join(f"<!-- {section} -->\n{part}\n<!-- /{section} -->" for section, part in parts.items() if part)
    page.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(page, f"{_HEAD.strip()}\n\n{body}\n".encode())


def read_section(name: str, *, page: pathlib.Path = PAGE) -> str:
    """The Markdown of a section of the page of results; empty if it is not there."""
    return _between(page.read_text(), name) if page.is_file() else ""


def _between(text: str, section: str) -> str:
    start, end = f"<!-- {section} -->", f"<!-- /{section} -->"
    return text.split(start, 1)[1].split(end, 1)[0].strip() if start in text else ""


_HEAD = """
# Results

Each section is written by the script that it names (`--page`), from what it measured; `python scripts/reproduce/all.py
--data DATA` makes them all anew, overnight on two cores, and with `--tiny` in minutes to see that it works. Images are
public ones: `val` is chest radiographs of the training set's hospitals and other patients, `test` of another hospital.
Intervals are 95 %, by bootstrap over images.
"""
