"""A ledger of the results of a run, so that the next one does only the rest (``--resume``).

A hidden file in the output folder has a line for each result: the input's name and SHA-256, a digest of the options,
and the result's name and SHA-256. A result counts as done where all of that still holds: a changed input, another
option or a damaged result is done again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import pathlib

from medsr_jax import __version__
from medsr_jax.errors import MedsrError

NAME = ".medsr-done.jsonl"


class Ledger:
    """The ledger of an output folder.

    Args:
        folder: the output folder; it may not be there yet.
        options: everything that determines the results, as a text.
        secret: names and digests of inputs, which could identify a patient, are kept under it; empty: as they are.

    Raises:
        MedsrError: the ledger can't be read.
    """

    def __init__(self, folder: pathlib.Path, options: str, *, secret: bytes = b"") -> None:
        self._folder = folder
        self._secret = secret
        self._options = hashlib.sha256(f"{__version__} {options}".encode()).hexdigest()[:16]
        self._entries: dict[str, dict[str, str]] = {}
        self._digests: dict[pathlib.Path, str] = {}
        try:
            lines = (folder / NAME).read_bytes().splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            raise MedsrError(
                f"can't be read ({error.strerror})", path=folder / NAME, remedy="leave out --resume"
            ) from error
        for line in lines:
            try:
                entry = json.loads(line)
                self._entries[entry["input"]] = entry
            except (ValueError, TypeError, KeyError):
                continue  # a line that a crash cut off: its file is done again

    def done(self, file: pathlib.Path) -> bool:
        """Whether a file's result is there, whole, and made from this file with these options."""
        entry = self._entries.get(self._name(file))
        if entry is None or entry.get("options") != self._options:
            return False
        result = self._folder / str(entry.get("output"))
        return _digest(result) == entry.get("result") and self._source(file) == entry.get("source") != ""

    def add(self, file: pathlib.Path, result: pathlib.Path) -> None:
        """A result has been written.

        Raises:
            MedsrError: the ledger can't be written.
        """
        entry = {
            "input": self._name(file),
            "source": self._source(file),
            "options": self._options,
            "output": os.path.relpath(result, self._folder),
            "result": _digest(result),
        }
        try:
            with (self._folder / NAME).open("a") as ledger:
                ledger.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise MedsrError(
                f"can't be written ({error.strerror})", path=self._folder / NAME, remedy="leave out --resume"
            ) from error

    def _source(self, file: pathlib.Path) -> str:
        if file not in self._digests:
            self._digests[file] = self._kept(_digest(file))
        return self._digests[file]

    def _name(self, file: pathlib.Path) -> str:
        return self._kept(os.path.realpath(file))

    def _kept(self, text: str) -> str:
        if not self._secret or not text:
            return text
        return hmac.digest(self._secret, os.fsencode(text), "sha256").hex()


def _digest(path: pathlib.Path) -> str:
    """SHA-256 of a file; empty where it can't be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""
