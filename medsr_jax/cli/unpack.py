"""`medsr unpack`."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

import typer

from medsr_jax.cli.batch import Inputs, MaxPixels, Output, Work, failing, for_each
from medsr_jax.cli.decoding import Call
from medsr_jax.cli.key import Key, key_of
from medsr_jax.cli.option_groups import expanded
from medsr_jax.cli.reporting import Resuming
from medsr_jax.cli.summary import Done

if TYPE_CHECKING:
    from medsr_jax.cli.sending import Encoded


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(expanded(unpack))


def unpack(
    inputs: Inputs,
    out: Output,
    reporting: Resuming,
    max_pixels: MaxPixels = None,
    key: Key = None,
) -> None:
    """Write thin packets as the standard files that they stand for: JPEG, JPEG 2000, AVIF, VVC or DICOM.

    A viewer opens the result, and `medsr restore` reads it as it does the thin packet. Of a DICOM object whose small
    picture is AV1 or VVC, which DICOM has no place for, it is the picture alone. With a key the file is signed anew.
    """
    with failing(usage=True):
        secret = key_of(key)

    def write(_: pathlib.Path, target: pathlib.Path, packet: Encoded, __: Encoded) -> Done:
        from medsr_jax.files import atomic_write

        atomic_write(target, packet.data)
        return Done(f"{target}: {packet.about}", packet.notes, packet.facts)

    work: Work[Encoded, Encoded] = Work(
        read=Call("medsr_jax.cli.unpacking", "unpacked", {"max_pixels": max_pixels, "key": secret}),
        suffix=lambda packet: packet.suffix,
        process=lambda packets: packets,
        write=write,
    )
    for_each(inputs, out, work, doing="Unpacking", reporting=reporting, signature=f"unpack {secret!r}")
