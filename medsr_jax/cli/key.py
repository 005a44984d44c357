"""The key with which packets are signed, as both ends' commands take it."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer

from medsr_jax.errors import MedsrError

SHORTEST = 16

Key = Annotated[
    pathlib.Path | None,
    typer.Option(
        "--key",
        help="A file of 16 or more secret bytes that both ends have: packets are signed with it, and others refused.",
        show_default=False,
    ),
]


def key_of(path: pathlib.Path | None) -> bytes | None:
    """The bytes of a key file, without a last line break; None where there is none.

    Raises:
        MedsrError: the file can't be read, or holds too little to be secret.
    """
    if path is None:
        return None
    try:
        key = path.read_bytes().removesuffix(b"\n").removesuffix(b"\r")
    except OSError as error:
        raise MedsrError(
            f"can't be read: {error.strerror or error}", path=path, remedy="name a file that holds the key"
        ) from error
    if len(key) < SHORTEST:
        raise MedsrError(
            f"holds {len(key)} bytes, too few for a key", path=path, remedy=f"use {SHORTEST} random bytes or more"
        )
    return key
