"""The commands of the receiving end. JAX is imported when one of them runs."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from medsr_jax.cli.batch import Inputs, MaxPixels, Output, Work, failing, for_each
from medsr_jax.cli.decoding import Call
from medsr_jax.cli.key import Key, key_of
from medsr_jax.cli.model_options import Receiving, load, packaged_models
from medsr_jax.cli.option_groups import expanded
from medsr_jax.cli.reporting import Resuming
from medsr_jax.cli.scores import Scores, table
from medsr_jax.cli.summary import Done
from medsr_jax.errors import MedsrError, require
from medsr_jax.restoration.options import ReceiverOptions
from medsr_jax.terminal import say

if TYPE_CHECKING:
    from medsr_jax.restoration import Restored, Restorer
    from medsr_jax.transmission.packet import Packet

MapPath = Callable[[pathlib.Path, pathlib.Path], pathlib.Path]


def register(app: typer.Typer) -> None:
    """Add the commands to ``medsr``."""
    for command in (restore, demo, models):
        app.command()(expanded(command))


def restore(
    inputs: Inputs,
    out: Output,
    receiving: Receiving,
    reporting: Resuming,
    uncertainty: Annotated[
        bool, typer.Option("--uncertainty", help="Write a map of the ensemble's spread beside each result.")
    ] = False,
    batch: Annotated[int, typer.Option(help="Tiles or frames that go through the network at once.")] = 1,
    assume_scale: Annotated[
        int | None, typer.Option(help="Take a JPEG that is no packet as one that was shrunk by this.", min=1, max=8)
    ] = None,
    transfer_syntax: Annotated[
        str,
        typer.Option(
            autocompletion=lambda: ("explicit", "jpeg-ls", "jpeg2000"),
            help="Of restored DICOM objects: explicit, or coded without loss jpeg-ls or jpeg2000; the standard's"
            " keyword or UID will do.",
        ),
    ] = "explicit",
    max_pixels: MaxPixels = None,
    key: Key = None,
) -> None:
    """Restore packets to their original size, type and values."""
    with failing(usage=True):
        options = receiving.options(uncertainty=uncertainty, batch=batch)
        if transfer_syntax != "explicit":
            from medsr_jax.imaging.dicom.lossless import syntax_of

            syntax_of(transfer_syntax)
        secret = key_of(key)
        require("restore", what="medsr restore")

    restorer: list[Restorer] = []
    beside: list[MapPath] = []

    def prepare() -> None:
        if uncertainty:
            beside.append(maps_beside(inputs, out))
        restorer.append(load(options))

    def suffix(packet: Packet) -> str:
        from medsr_jax.restoration.output import restored_suffix

        return restored_suffix(packet)

    def write(file: pathlib.Path, target: pathlib.Path, packet: Packet, restored: Restored) -> Done:
        from medsr_jax.restoration.output import write_restored

        map_path = beside[0](file, target) if beside else None
        header = packet.header
        unused = header.kind != "dicom" and transfer_syntax != "explicit"
        syntax = "explicit" if unused else transfer_syntax
        write_restored(target, packet, restored, transfer_syntax=syntax, uncertainty=map_path)
        about = f"{header.rows}x{header.columns} {header.dtype} from 1/{header.scale}, model {restored.model}"
        parts = [f"{target}: {about}"]
        if said := restored.agreement:
            parts.append(said)
        if map_path is not None and restored.spread is not None:
            mean, most = restored.spread.mean(), restored.spread.max()
            parts.append(f"spread {mean:.3g} on average and {most:.3g} at most, in stored values, mapped in {map_path}")
        facts = {"model": restored.model, "scale": header.scale}
        facts |= {"violation": restored.violation, "departure": restored.departure}
        ignored = ("not DICOM: the transfer syntax does not apply",) if unused else ()
        return Done(", ".join(parts), (*restored.notes, *ignored, "not for primary diagnosis"), facts)

    reading = {"assume_scale": assume_scale, "max_pixels": max_pixels, "key": secret}
    work: Work[Packet, Restored] = Work(
        read=Call("medsr_jax.cli.receiving", "received", reading),
        suffix=suffix,
        process=lambda packets: restorer[0].restore(packets),
        write=write,
        together=batch,
    )
    signature = f"restore {options} {assume_scale} {transfer_syntax} {secret!r}"
    for_each(inputs, out, work, doing="Restoring", prepare=prepare, reporting=reporting, signature=signature)


def demo(
    out: Annotated[pathlib.Path, typer.Option(help="Folder for the files and pictures.")] = pathlib.Path("demo"),
    model: Annotated[
        str, typer.Option(autocompletion=lambda: packaged_models(), help="As of `medsr restore`.")
    ] = "auto",
) -> None:
    """A real chest radiograph through both ends, with a picture of the result."""
    with failing(usage=True):
        options = ReceiverOptions(model=model)
        require("demo", what="medsr demo")
    with failing():
        restorer = load(options)
        from medsr_jax.evaluation import demo as demonstration

        results = demonstration.run(out, restorer)
        say(demonstration.TITLE)
        table([(name, Scores.of(result)) for name, result in results])
        for name, result in results:
            if said := result.restored.agreement:
                say(f"{name}: {said}")
        pictures = ", ".join(str(out / f"demo{name}.png") for name in ("", "-crop", "-bytes"))
        say(f"pictures: {pictures}; the files that travel are beside them")
        say("lossy: not for primary diagnosis")


def models() -> None:
    """What --model can name, with size and measured quality."""
    with failing():
        require("restore", what="medsr models")
        from medsr_jax.restoration.options import BICUBIC
        from medsr_jax.restoration.restorer import AUTOMATIC
        from medsr_jax.transmission.options import AUTO
        from medsr_jax.weights import model_file

        for name in model_file.names():
            weights = model_file.load(name)
            size = weights.path.stat().st_size / 1e6
            say(f"{name}: {weights.model}, {weights.parameters:,} parameters, {size:.1f} MB")
            for key in sorted(weights.card):
                say(f"  {key}: {weights.card[key]}")
        say(f"{BICUBIC}: interpolation of what was sent, no parameters; for any scale")
        scales = ", ".join(f"{name} for packets shrunk by {scale}" for scale, name in AUTOMATIC.items())
        say(f"{AUTO}: {scales}, {BICUBIC} for all others; the default")


def maps_beside(inputs: list[pathlib.Path], out: pathlib.Path) -> MapPath:
    """(input, its result) -> the path of the map beside it, refused where that is anything else of this run."""
    from medsr_jax.files import find_inputs
    from medsr_jax.restoration.uncertainty import uncertainty_path

    sources = {os.path.realpath(file) for file, _ in find_inputs(inputs, out=out)}
    taken: dict[str, pathlib.Path] = {}

    def beside(file: pathlib.Path, target: pathlib.Path) -> pathlib.Path:
        path = uncertainty_path(target)
        if os.path.realpath(path) in sources:
            raise MedsrError(
                f"its map would overwrite the input {path}", path=file, remedy="choose another output folder"
            )
        for output in (target, path):
            # Case-insensitive, as some file systems are.
            other = taken.setdefault(os.path.realpath(output).casefold(), file)
            if other != file:
                raise MedsrError(
                    f"has the same output {output} as {other}", path=file, remedy="rename one or restore them apart"
                )
        return path

    return beside
