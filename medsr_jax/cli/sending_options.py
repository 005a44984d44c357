"""The options of a sender."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import pathlib
import re
from typing import Annotated

import typer

from medsr_jax.cli.key import key_of
from medsr_jax.errors import ParameterError, UsageError, missing_part
from medsr_jax.transmission.ceilings import RATIOS
from medsr_jax.transmission.options import (
    AUTO,
    CODECS,
    CONTAINERS,
    EFFORTS,
    HEADERS,
    KERNELS,
    WINDOWS,
    SendingOptions,
    Window,
)

_TABLE = "dicomanonymizer"


@dataclasses.dataclass(frozen=True)
class Sending:
    """How images are sent, as texts of the command line."""

    scale: Annotated[
        str,
        typer.Option(help="1..8: how many times fewer rows and columns are sent. auto: 4; with --max-bytes, the best."),
    ] = AUTO
    quality: Annotated[
        str,
        typer.Option(
            help="1..100, as faithful as a JPEG of that quality; or auto: 50..75 by the image's content, and with"
            " --max-bytes the best that fits."
        ),
    ] = AUTO
    max_bytes: Annotated[
        str | None,
        typer.Option(
            help="The most bytes a packet may have, such as 2000, 2KB (2,000) or 2KiB (2,048); scale, codec and quality"
            " are chosen for it unless given."
        ),
    ] = None
    ratio: Annotated[
        str | None,
        typer.Option(
            autocompletion=lambda: RATIOS,
            help="The compression ratio to reach and not to exceed, such as 25; or german (10) or canadian (30), the"
            " published ceilings for chest radiographs. Chooses as --max-bytes does.",
        ),
    ] = None
    effort: Annotated[
        str,
        typer.Option(
            autocompletion=lambda: EFFORTS,
            help="Of the encoder of AV1 or VVC with --max-bytes or --ratio: fast, normal or thorough.",
        ),
    ] = EFFORTS[1]
    codec: Annotated[
        str,
        typer.Option(
            autocompletion=lambda: (AUTO, *CODECS),
            help="jpeg, jpeg2000, avif or vvc. auto: jpeg; with --max-bytes, the best.",
        ),
    ] = AUTO
    kernel: Annotated[
        str, typer.Option(autocompletion=lambda: KERNELS, help="Of the downscaling: area, bicubic or lanczos.")
    ] = KERNELS[0]
    window: Annotated[
        str | None,
        typer.Option(
            autocompletion=lambda: WINDOWS,
            help="Stored values to keep: data, full or LOW:HIGH.",
            show_default="full at 8 bits, else data",
        ),
    ] = None
    preprocess: Annotated[bool, typer.Option(help="Smooth dark or noisy images first.")] = True
    headers: Annotated[
        str,
        typer.Option(
            autocompletion=lambda: HEADERS,
            help="Attributes of DICOM that are sent, readable by anyone, the patient's name and ID among them: all; or"
            " minimal, without private elements and those that restoring, routing and the standard do not need.",
        ),
    ] = HEADERS[0]
    container: Annotated[
        str,
        typer.Option(
            autocompletion=lambda: (AUTO, *CONTAINERS),
            help="standard, which any viewer opens, or thin, the fewest bytes. auto: thin with --max-bytes.",
        ),
    ] = AUTO
    deidentify: Annotated[
        bool,
        typer.Option(
            "--deidentify",
            help="First de-identify DICOM attributes by the Basic Profile of PS3.15, and name packets by their new"
            " UIDs. Text in the pixels stays: kinds of images that often have some are refused.",
        ),
    ] = False
    deidentify_key: Annotated[
        pathlib.Path | None,
        typer.Option(
            "--deidentify-key",
            help="A file of 16 or more secret bytes, which the receiver does not have: UIDs and pseudonyms are computed"
            " with it, the same in every run.",
            show_default="random bytes, for this run",
        ),
    ] = None

    def options(self) -> SendingOptions:
        """The options of `transmission.sender.compress`.

        Raises:
            ParameterError: one of them is out of its range.
        """
        return SendingOptions(
            scale=_number(self.scale),
            quality=_number(self.quality),
            codec=self.codec,
            max_bytes=_size(self.max_bytes),
            ratio=_ratio(self.ratio),
            effort=self.effort,
            preprocess=self.preprocess,
            kernel=self.kernel,
            window=_window(self.window),
            headers=self.headers,
            container=self.container,
        )

    def pseudonym_secret(self, *, signing: bytes | None, resume: bool) -> bytes | None:
        """The secret of `imaging.dicom.deidentification`; None where nothing is to be de-identified.

        Args:
            signing: the key of packets, which the receiver has.
            resume: results of an earlier run are kept.

        Raises:
            MedsrError: as `key_of`.
            UsageError: options contradict each other.
            MissingPart: dicom-anonymizer is not installed.
        """
        path = self.deidentify_key
        if not self.deidentify:
            if path is not None:
                raise UsageError("--deidentify-key requires --deidentify")
            return None
        if importlib.util.find_spec(_TABLE) is None:  # not imported: it would load NumPy before the decoders' fork
            raise missing_part(ImportError(name=_TABLE), what="--deidentify") or UsageError(f"{_TABLE} is missing")
        if path is None:
            if resume:
                raise UsageError(
                    "--resume with --deidentify requires --deidentify-key FILE: UIDs would differ between runs"
                )
            return os.urandom(32)
        secret = key_of(path)
        if secret == signing:
            raise UsageError("--deidentify-key: is that of --key, which the receiver has", remedy="use another secret")
        return secret


def _number(text: str) -> int | str:
    """A whole number where the text is one; `SendingOptions` refuses other texts."""
    return int(text) if text.isdecimal() and len(text) < 10 else text


_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1000, "kib": 1024, "m": 10**6, "mb": 10**6, "mib": 2**20}


def _size(text: str | None) -> int | None:
    """A number of bytes: 2000, 2KB, 1.5k or 2KiB; None for none.

    Raises:
        ParameterError: it is no such number.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?) ?([a-z]*)", text.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise ParameterError("max_bytes", f"must be a number of bytes such as 2000, 2KB or 2KiB, not {text}")
    return int(float(found[1]) * _UNITS[found[2]])


def _ratio(text: str | None) -> float | str | None:
    """A number, also of 25:1; `SendingOptions` refuses other texts."""
    if text is None:
        return None
    try:
        return float(text.removesuffix(":1"))
    except ValueError:
        return text


def _window(text: str | None) -> Window | None:
    """A name, or the numbers of LOW:HIGH; `SendingOptions` refuses other texts."""
    if text is None:
        return None
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        return text
    return low, high
