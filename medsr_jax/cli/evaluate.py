"""The command that measures a model on a folder of images."""

from __future__ import annotations

import pathlib
import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medsr_jax.cli.batch import Inputs, MaxPixels, failing, progress, reading, report
from medsr_jax.cli.decoding import Call
from medsr_jax.cli.key import Key, key_of
from medsr_jax.cli.model_options import Receiving, load
from medsr_jax.cli.option_groups import expanded
from medsr_jax.cli.outcome import failed as failure
from medsr_jax.cli.reporting import Reporting
from medsr_jax.cli.scores import Scores, model_names, summary_facts, summary_lines, table
from medsr_jax.cli.sending_options import Sending
from medsr_jax.errors import UsageError, require
from medsr_jax.files import make_folder
from medsr_jax.terminal import emit, say

if TYPE_CHECKING:
    from medsr_jax.evaluation.link import Measured
    from medsr_jax.evaluation.report import Row
    from medsr_jax.imaging.image import Image
    from medsr_jax.restoration import Restorer


def register(app: typer.Typer) -> None:
    """Add the command to ``medsr``."""
    app.command()(expanded(evaluate))


def evaluate(
    inputs: Inputs,
    sending: Sending,
    receiving: Receiving,
    reporting: Reporting,
    report_folder: Annotated[
        pathlib.Path | None,
        typer.Option("--report", help="A folder for a page with pictures and zooms, and a table of all measures."),
    ] = None,
    lpips: Annotated[bool, typer.Option("--lpips", help="Measure LPIPS for the report; it takes longest.")] = False,
    max_pixels: MaxPixels = None,
    key: Key = None,
) -> None:
    """Send and restore images in memory: bytes, ratio, PSNR and SSIM of restored beside bicubic."""
    with failing():
        require("restore", what="medsr evaluate")
    from medsr_jax.evaluation.report import PICTURES
    from medsr_jax.files import Outputs, find_inputs

    scored: list[tuple[str, Scores]] = []
    rows: list[Row] = []
    notes: dict[str, None] = {}
    failed = False
    with failing(usage=True):
        options, receiver = sending.options(), receiving.options()
        secret = key_of(key)
        pseudonyms = sending.pseudonym_secret(signing=secret, resume=False)
        reporting.begin(pathlib.Path())
        if lpips and report_folder is None:
            raise UsageError("--lpips requires --report FOLDER")
        files = find_inputs(inputs)
        decoding = reading(
            Call("medsr_jax.cli.sending", "original", {"max_pixels": max_pixels, "pseudonyms": pseudonyms}),
            [file for file, _ in files],
        )
        restorer = load(receiver)
        perceptual = _perceptual() if lpips else None
        if report_folder is not None:
            make_folder(report_folder)

    # Refused where two inputs would have the same pictures.
    outputs = None if report_folder is None else Outputs((file for file, _ in files), report_folder / PICTURES)

    def measured(file: pathlib.Path, relative: pathlib.Path, original: Image) -> None:
        if outputs is not None:
            outputs.claim(file, relative)
        result, row = _measured(
            original, relative, restorer, report_folder, perceptual, {**vars(options), "key": secret}
        )
        scored.append((str(relative), Scores.of(result)))
        if reporting.json:
            emit({"input": str(file), **scored[-1][1].facts()})
        notes.update(dict.fromkeys(note for note in result.restored.notes if note not in result.packet.header.notes))
        rows.extend([row] if row is not None else [])

    with decoding:
        for (file, relative), outcome in zip(progress(files, "Evaluating"), decoding, strict=True):
            if not outcome.problem:
                try:
                    measured(file, relative, outcome.value)
                    continue
                except Exception as error:
                    outcome = failure(error, file, *([] if report_folder is None else [report_folder]))
            failed = report(outcome)
            if reporting.json:
                emit({"problem": outcome.problem})
    if scored:
        say("; ".join([f"model {model_names(scored)}", *notes]))
        if reporting.json:
            emit({"summary": summary_facts(scored)})
        elif not reporting.quiet:
            table(scored)
        for line in summary_lines(scored):
            say(line)
    if report_folder is not None and rows:
        with failing():
            _write(report_folder, rows, model_names(scored), options.max_bytes, pathlib.Path(inputs[0]).name)
        say(f"{report_folder / 'index.html'}: open it in a browser; the numbers are in images.csv beside it")
    if failed or not scored:
        raise typer.Exit(1)


def _perceptual() -> Any:
    from medsr_jax.evaluation.lpips import load_lpips

    return load_lpips()


def _measured(
    image: Image,
    relative: pathlib.Path,
    restorer: Restorer,
    report_folder: pathlib.Path | None,
    perceptual: Any,
    options: dict[str, Any],
) -> tuple[Measured, Row | None]:
    """One image; its pictures and all measures where there is to be a report."""
    from medsr_jax.evaluation.link import measure, measured_range, valid_pixels

    result = measure(image, restorer, **options)
    if report_folder is None:
        return result, None
    from medsr_jax.evaluation.fidelity import fidelity
    from medsr_jax.evaluation.report import Row, write_pictures

    values: dict[str, Any] = {
        "value_range": measured_range(image),
        "perceptual": perceptual,
        "valid": valid_pixels(image),
    }
    row = Row(
        name=str(relative),
        sent_bytes=result.sent_bytes,
        ratio=result.ratio,
        scale=result.scale,
        codec=result.codec,
        quality=result.quality,
        model=result.model,
        bicubic=fidelity(result.bicubic, image.pixels, **values),
        restored=fidelity(result.restored.pixels, image.pixels, **values),
        pictures=write_pictures(report_folder, relative.as_posix(), image, result),
        agreement=result.restored.agreement,
        violation=result.restored.violation,
        departure=result.restored.departure,
    )
    return result, row


def _write(folder: pathlib.Path, rows: list[Row], models: str, max_bytes: int | None, what: str) -> None:
    from medsr_jax import __version__
    from medsr_jax.evaluation.report import PAGE, TABLE, write_page, write_table

    write_table(folder / TABLE, rows)
    # Under a budget each image has a quality of its own, and maybe a scale.
    ways = Counter(
        f"1/{row.scale} of the side, {row.codec}" + ("" if max_bytes else f" q {row.quality}") for row in rows
    )
    sent = "; ".join(way if len(ways) == 1 else f"{way} ({count} images)" for way, count in ways.most_common())
    settings = {
        "model": models,
        "sent": sent if max_bytes is None else f"in at most {max_bytes:,} bytes: {sent}",
        "command": " ".join(["medsr", *sys.argv[1:]]),
        "version": __version__,
        "measures": "on the stored values, of all frames; of more than 8 bits, on the range that the image spans",
    }
    write_page(folder / PAGE, rows, title=f"Restored images of {what}", settings=settings)
