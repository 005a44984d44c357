"""`medsr`: thin commands over the packages. What a command needs is imported when it runs: a sender loads no JAX."""

from __future__ import annotations

import math
import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from medsr_jax import cli_evaluate, cli_export, cli_import, cli_info, cli_prepare, cli_receiver, terminal
from medsr_jax.cli_key import Key, key_of
from medsr_jax.cli_sending import (
    AREA,
    AUTO,
    Codec,
    MaxBytes,
    Scale,
    checked_budget,
    checked_kernel,
    chosen_codec,
    chosen_quality,
    chosen_scale,
)
from medsr_jax.decoding import Call
from medsr_jax.errors import MedsrError
from medsr_jax.jobs import Debug, Inputs, MaxPixels, Output, Work, failing, for_each

if TYPE_CHECKING:
    from medsr_jax.sending import Encoded

app = typer.Typer(
    help="Send radiographs over thin links, and restore them at the other end.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def _root(
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
    quality: Annotated[
        str, typer.Option(help="1..100, or auto: 50..75 by the image's content; with --max-bytes, the best that fits.")
    ] = AUTO,
    max_bytes: MaxBytes = None,
    codec: Codec = AUTO,
    kernel: Annotated[str, typer.Option(help="Of the downscaling: area, bicubic or lanczos.")] = AREA,
    window: Annotated[
        str | None,
        typer.Option(help="Stored values to keep: data, full or LOW:HIGH. [default: full at 8 bits, else data]"),
    ] = None,
    preprocess: Annotated[bool, typer.Option(help="Smooth dark or noisy images first.")] = True,
    max_pixels: MaxPixels = None,
    key: Key = None,
    debug: Debug = False,
) -> None:
    """Shrink and encode images for sending. A packet is a JPEG or a DICOM object that any viewer opens."""
    with failing():
        named_codec = chosen_codec(codec)
        options = {
            "scale": chosen_scale(scale),
            "quality": chosen_quality(quality),
            "max_bytes": checked_budget(max_bytes),
            "codec": named_codec,
            "kernel": checked_kernel(kernel),
            "window": _window(window),
            "preprocess": preprocess,
        }
        secret = key_of(key)

    def write(file: pathlib.Path, target: pathlib.Path, packet: Encoded, _: Encoded) -> str:
        from medsr_jax.files import atomic_write

        atomic_write(target, packet.data)
        return f"{target}: {packet.about}"

    work: Work[Encoded, Encoded] = Work(
        read=Call("medsr_jax.sending", "encoded", {"max_pixels": max_pixels, "options": options, "key": secret}),
        suffix=lambda packet: packet.suffix,
        process=lambda packets: packets,
        write=write,
    )
    for_each(inputs, out, work, doing="Compressing")


def _window(text: str | None) -> str | tuple[float, float] | None:
    if text is None or text in ("data", "full"):
        return text
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        raise MedsrError(f"--window is data, full or LOW:HIGH, not {text}") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise MedsrError(f"--window goes from a lower to a higher value, not from {low:g} to {high:g}")
    return low, high


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
