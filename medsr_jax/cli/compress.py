"""`medsr compress`."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

import typer

from medsr_jax import terminal
from medsr_jax.cli.batch import Inputs, MaxPixels, Output, Work, failing, for_each
from medsr_jax.cli.decoding import Call
from medsr_jax.cli.key import Key, key_of
from medsr_jax.cli.option_groups import expanded
from medsr_jax.cli.reporting import Resuming
from medsr_jax.cli.sending_options import Sending
from medsr_jax.cli.summary import Done

if TYPE_CHECKING:
    from medsr_jax.cli.sending import Encoded


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(expanded(compress))


def compress(
    inputs: Inputs,
    out: Output,
    sending: Sending,
    reporting: Resuming,
    max_pixels: MaxPixels = None,
    key: Key = None,
) -> None:
    """Shrink and encode images for sending. A packet is a JPEG or a DICOM object that any viewer opens.

    Attributes of DICOM are sent in the clear, the patient's name and ID among them: see --headers and --deidentify.
    """
    with failing(usage=True):
        options = sending.options()
        secret = key_of(key)
        pseudonyms = sending.pseudonym_secret(signing=secret, resume=reporting.resume)
    random_uids = pseudonyms is not None and sending.deidentify_key is None
    of_this_run = ("UIDs and pseudonyms are of this run alone",) if random_uids else ()

    def write(file: pathlib.Path, target: pathlib.Path, packet: Encoded, _: Encoded) -> Done:
        from medsr_jax.files import atomic_write

        atomic_write(target, packet.data)
        terminal.trace(f"{target}: {packet.detail}" if packet.detail else "")
        line = f"{file} became {target}" if packet.name else f"{target}"
        return Done(f"{line}: {packet.about}", (*packet.notes, *of_this_run), packet.facts)

    reading = {"max_pixels": max_pixels, "options": options, "key": secret, "pseudonyms": pseudonyms}
    work: Work[Encoded, Encoded] = Work(
        read=Call("medsr_jax.cli.sending", "encoded", reading),
        suffix=lambda packet: packet.suffix,
        process=lambda packets: packets,
        write=write,
        name=lambda packet: packet.name,
        secret=pseudonyms or b"",
    )
    signature = f"compress {options} {secret!r} {pseudonyms!r}"
    for_each(inputs, out, work, doing="Compressing", reporting=reporting, signature=signature)
