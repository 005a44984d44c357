"""`medsr`: thin commands over the packages. What a command needs is imported when it runs: a sender loads no JAX."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from medsr_jax import cli_evaluate, cli_export, cli_import, cli_info, cli_prepare, cli_receiver, terminal
from medsr_jax.batch import Json, Log, Quiet, Reporting, Resume
from medsr_jax.cli_group import OneLineGroup
from medsr_jax.cli_key import Key, key_of
from medsr_jax.cli_sending import (
    AREA,
    AUTO,
    Codec,
    Deidentify,
    DeidentifyKey,
    Headers,
    Kernel,
    MaxBytes,
    Preprocess,
    Quality,
    Scale,
    Window,
    pseudonym_secret,
    sending_options,
)
from medsr_jax.decoding import Call
from medsr_jax.jobs import Debug, Inputs, MaxPixels, Output, Work, failing, for_each
from medsr_jax.summary import Done

if TYPE_CHECKING:
    from medsr_jax.sending import Encoded

app = typer.Typer(
    cls=OneLineGroup,
    help="Send radiographs over thin links, and restore them at the other end.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(shown: bool) -> None:
    if shown:
        from medsr_jax import __version__

        terminal.say(f"medsr {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Print the traceback of each problem, for reports of defects.")
    ] = False,
) -> None:
    """Options of all commands."""
    terminal.set_debug(debug)


@app.command()
def compress(
    inputs: Inputs,
    out: Output,
    scale: Scale = AUTO,
    quality: Quality = AUTO,
    max_bytes: MaxBytes = None,
    codec: Codec = AUTO,
    kernel: Kernel = AREA,
    window: Window = None,
    preprocess: Preprocess = True,
    headers: Headers = "all",
    deidentify: Deidentify = False,
    deidentify_key: DeidentifyKey = None,
    max_pixels: MaxPixels = None,
    key: Key = None,
    resume: Resume = False,
    as_json: Json = False,
    quiet: Quiet = False,
    log: Log = None,
    debug: Debug = False,
) -> None:
    """Shrink and encode images for sending. A packet is a JPEG or a DICOM object that any viewer opens.

    Attributes of DICOM travel in the clear, the patient's name and ID among them: see --headers and --deidentify.
    """
    with failing(usage=True):
        options = sending_options(
            scale=scale,
            quality=quality,
            max_bytes=max_bytes,
            codec=codec,
            kernel=kernel,
            window=window,
            preprocess=preprocess,
            headers=headers,
        )
        secret = key_of(key)
        pseudonyms = pseudonym_secret(deidentify, deidentify_key, signing=secret, resume=resume)
    of_this_run = () if not deidentify or deidentify_key else ("UIDs and pseudonyms are of this run alone",)

    def write(file: pathlib.Path, target: pathlib.Path, packet: Encoded, _: Encoded) -> Done:
        from medsr_jax.files import atomic_write

        atomic_write(target, packet.data)
        terminal.trace(f"{target}: {packet.detail}" if packet.detail else "")
        line = f"{file} became {target}" if packet.name else f"{target}"
        return Done(f"{line}: {packet.about}", (*packet.notes, *of_this_run), packet.facts)

    reading = {"max_pixels": max_pixels, "options": options, "key": secret, "pseudonyms": pseudonyms}
    work: Work[Encoded, Encoded] = Work(
        read=Call("medsr_jax.sending", "encoded", reading),
        suffix=lambda packet: packet.suffix,
        process=lambda packets: packets,
        write=write,
        name=lambda packet: packet.name,
        secret=pseudonyms or b"",
    )
    reporting = Reporting(json=as_json, quiet=quiet, log=log, resume=resume)
    signature = f"compress {options} {secret!r} {pseudonyms!r}"
    for_each(inputs, out, work, doing="Compressing", reporting=reporting, signature=signature)


cli_receiver.register(app)
cli_evaluate.register(app)
cli_prepare.register(app)
cli_import.register(app)
cli_info.register(app)
cli_export.register(app)


def main() -> None:
    """The `medsr` command."""
    with terminal.session():
        app()


if __name__ == "__main__":
    main()
