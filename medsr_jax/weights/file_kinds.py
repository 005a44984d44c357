"""Detect a weights file's format from its first bytes."""

from __future__ import annotations

import pathlib

from medsr_jax.errors import MedsrError
from medsr_jax.weights.importing.ncnn_file import MAGIC

SAFETENSORS, PYTORCH, NCNN = "safetensors", "PyTorch", "ncnn"


def kind_of(path: pathlib.Path) -> str:
    """A file's format, one of the names above; empty for any other.

    Raises:
        MedsrError: it can't be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise MedsrError(f"can't be read ({error.strerror or error})", path=path) from error
    # ncnn's second file has no signature.
    numbers = path.suffix == ".bin"
    if start.startswith(MAGIC.encode()) or (numbers and path.with_suffix(".param").is_file()):
        return NCNN
    if start[8:9] == b"{":
        return SAFETENSORS
    if start[:2] == b"PK" or start[:1] == b"\x80":
        return PYTORCH
    return NCNN if numbers else ""
