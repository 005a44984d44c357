"""The command that makes a training set. TensorFlow Datasets is imported when it runs."""

from __future__ import annotations

import pathlib
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from medsr_jax.cli.batch import failing, progress
from medsr_jax.cli.option_groups import expanded
from medsr_jax.errors import missing_part
from medsr_jax.terminal import Terminated, complain, say

if TYPE_CHECKING:
    from medsr_jax.data.prepare import Report


def register(app: typer.Typer) -> None:
    """Add the command to ``medsr``."""
    app.command()(expanded(prepare))


def prepare(
    folders: Annotated[list[pathlib.Path], typer.Argument(help="Folders of PNG, JPEG, TIFF and DICOM files, walked.")],
    out: Annotated[
        pathlib.Path, typer.Option("-o", "--out", help="The folder to make; it appears whole or not at all.")
    ],
    window: Annotated[
        str,
        typer.Option(
            help="Of images deeper than 8 bits. auto: -1000..1000 HU for CT, else the 0.1 and 99.9 percentiles without"
            " padding; full: the storage's range; voi: DICOM's own, else auto; or LOW:HIGH, in HU where a file has"
            " them. Spread over 16 bits. 8-bit images stay as they are."
        ),
    ] = "auto",
    validation: Annotated[float, typer.Option(help="Share of the patients kept for validation.")] = 0.05,
    test: Annotated[float, typer.Option(help="Share of the patients kept for testing.")] = 0.0,
    manifest: Annotated[
        pathlib.Path | None,
        typer.Option(
            help="CSV with the columns file (or path) and patient (or patient_id). Without it DICOM tells the patient,"
            " and any other file is its own."
        ),
    ] = None,
    min_side: Annotated[int, typer.Option(help="Images with fewer rows or columns are left out.")] = 256,
    seed: Annotated[int, typer.Option(help="Of the split by patients. More images move no patient.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an older set in the output folder.")] = False,
) -> None:
    """Make a training set from folders of images, split by patient. Names and IDs of patients are not stored."""
    with failing(usage=True):
        from medsr_jax.data.collection import PrepareSettings
        from medsr_jax.data.windows import parse_window

        settings = PrepareSettings(
            window=parse_window(window),
            validation=validation,
            test=test,
            min_side=min_side,
            manifest=manifest,
            seed=seed,
        )
        try:
            from medsr_jax.data.prepare import check_output
            from medsr_jax.data.prepare import prepare as make
        except ImportError as error:
            raise missing_part(error, what="medsr prepare") or error from None
        check_output(out, folders, overwrite=overwrite)
    with failing():
        try:
            report = make(folders, out, settings=settings, overwrite=overwrite, progress=progress)
        except KeyboardInterrupt:
            complain("interrupted; nothing was written")
            raise typer.Exit(130) from None
        except Terminated:
            complain("terminated; nothing was written")
            raise typer.Exit(143) from None
        _show(report, out)


def _show(report: Report, out: pathlib.Path) -> None:
    for split, images in report.images.items():
        say(f"{split:10} {_count(images, 'image'):>14} of {_count(report.patients[split], 'patient')}")
    if report.sixteen_bit:
        say(f"of 16 bits: {report.sixteen_bit} of {sum(report.images.values())} images")
    told = report.patients_from
    origins = {
        "manifest": "by the manifest",
        "DICOM": "by DICOM attributes",
        "file": "each taken for a patient of its own, since nothing says whose it is",
    }
    parts = [f"{_count(told[origin], 'file')} {how}" for origin, how in origins.items() if told[origin]]
    say(f"patients: {', '.join(parts)}")
    if report.unmatched:
        say(f"manifest: {_count(report.unmatched, 'name')} of no file in the folders")
    if report.skipped:
        kinds = Counter(skipped.kind for skipped in report.skipped)
        causes = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        say(f"skipped: {len(report.skipped)} ({causes}); {out / 'skipped.csv'} says which and why")
    if "validation" not in report.images:
        say("no patient fell to validation; more patients or a larger --validation give one")
    say(f"{out}: ready to train on; tfds.builder_from_directory opens it too")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
