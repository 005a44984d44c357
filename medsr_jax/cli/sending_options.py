"""The options that say how images are sent."""

from __future__ import annotations

import importlib.util
import math
import os
import pathlib
import re
from typing import Annotated, Any

import typer

from medsr_jax.cli.key import key_of
from medsr_jax.errors import UsageError, missing_part

_TABLE = "dicomanonymizer"
AUTO = "auto"
AREA = "area"

Scale = Annotated[
    str,
    typer.Option(
        help="1..8: how many times fewer rows and columns travel. auto: 4; with --max-bytes, what serves best."
    ),
]
Codec = Annotated[
    str,
    typer.Option(
        autocompletion=lambda: ("auto", "jpeg", "jpeg2000", "avif"),
        help="jpeg, jpeg2000 or avif. auto: jpeg; with --max-bytes, what serves best.",
    ),
]
MaxBytes = Annotated[
    str | None,
    typer.Option(
        help="The most bytes a packet may have, such as 2000, 2KB (2,000) or 2KiB (2,048); scale, codec and quality are"
        " chosen for it where left free."
    ),
]
Quality = Annotated[
    str,
    typer.Option(
        help="1..100, as faithful as a JPEG of that quality; or auto: 50..75 by the image's content, and with"
        " --max-bytes the best that fits."
    ),
]
Kernel = Annotated[
    str,
    typer.Option(
        autocompletion=lambda: ("area", "bicubic", "lanczos"), help="Of the downscaling: area, bicubic or lanczos."
    ),
]
Window = Annotated[
    str | None,
    typer.Option(
        autocompletion=lambda: ("data", "full"),
        help="Stored values to keep: data, full or LOW:HIGH.",
        show_default="full at 8 bits, else data",
    ),
]
Headers = Annotated[
    str,
    typer.Option(
        autocompletion=lambda: ("all", "minimal"),
        help="Attributes of DICOM that travel, readable by anyone, the patient's name and ID among them: all; or"
        " minimal, without private elements and what restoring, routing and the standard do not need.",
    ),
]
Deidentify = Annotated[
    bool,
    typer.Option(
        "--deidentify",
        help="First de-identify DICOM attributes by the Basic Profile of PS3.15, and name packets by their new UIDs."
        " Text in the pixels stays: kinds of images that often have some are refused.",
    ),
]
DeidentifyKey = Annotated[
    pathlib.Path | None,
    typer.Option(
        "--deidentify-key",
        help="A file of 16 or more secret bytes, which the receiver does not have: UIDs and pseudonyms are computed"
        " under it, the same in every run.",
        show_default="random bytes, for this run",
    ),
]
Preprocess = Annotated[bool, typer.Option(help="Smooth dark or noisy images first.")]


def sending_options(
    *,
    scale: str,
    quality: str,
    max_bytes: str | None,
    codec: str,
    kernel: str,
    window: str | None,
    preprocess: bool,
    headers: str = "all",
) -> dict[str, Any]:
    """The options of `transmission.compress`, from the texts of the command line.

    Raises:
        UsageError: one of them is out of its range.
    """
    return {
        "scale": chosen_scale(scale),
        "quality": chosen_quality(quality),
        "max_bytes": chosen_budget(max_bytes),
        "codec": chosen_codec(codec),
        "kernel": checked_kernel(kernel),
        "window": chosen_window(window),
        "preprocess": preprocess,
        "headers": checked_headers(headers),
    }


def pseudonym_secret(
    deidentify: bool, path: pathlib.Path | None, *, signing: bytes | None, resume: bool
) -> bytes | None:
    """The secret of `imaging.dicom.deidentification`; None where nothing is to be de-identified.

    Args:
        deidentify, path: of the options of their names.
        signing: the key of packets, which the receiver has.
        resume: of the option of its name.

    Raises:
        MedsrError: as `key_of`.
        UsageError: options contradict each other.
        MissingPart: dicom-anonymizer is not installed.
    """
    if not deidentify:
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
        raise UsageError("--deidentify-key: is that of --key, which the receiver has; use other secret bytes")
    return secret


def chosen_scale(text: str) -> int | None:
    """The scale; None for auto.

    Raises:
        UsageError: it is neither auto nor a number in range.
    """
    if text == AUTO:
        return None
    if not text.isdecimal() or not 1 <= int(text[:9]) <= 8:
        raise UsageError(f"--scale is auto or an integer from 1 to 8, not {text}")
    return int(text)


def chosen_codec(text: str) -> str | None:
    """The codec's name; None for auto.

    Raises:
        UsageError: there is no such codec.
    """
    if text == AUTO:
        return None
    from medsr_jax.transmission.codecs import CODECS, has_avif

    if text not in CODECS:
        raise UsageError(f"--codec is one of {', '.join([AUTO, *CODECS])}, not {text}")
    if text == "avif" and not has_avif():
        raise UsageError("--codec avif: Pillow was built without it here; choose jpeg or jpeg2000")
    return text


def chosen_quality(text: str) -> int | str:
    """The quality, or auto.

    Raises:
        UsageError: it is neither auto nor a number in range.
    """
    if text == AUTO:
        return text
    if not text.isdecimal() or not 1 <= int(text[:9]) <= 100:
        raise UsageError(f"--quality is auto or an integer from 1 to 100, not {text}")
    return int(text)


_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1000, "kib": 1024, "m": 10**6, "mb": 10**6, "mib": 2**20}


def chosen_budget(text: str | None) -> int | None:
    """A number of bytes: 2000, 2KB, 1.5k or 2KiB; None for none.

    Raises:
        UsageError: it is no such number, or less than 1.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?) ?([a-z]*)", text.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise UsageError(f"--max-bytes is a number of bytes such as 2000, 2KB or 2KiB, not {text}")
    size = int(float(found[1]) * _UNITS[found[2]])
    if size < 1:
        raise UsageError(f"--max-bytes is a number from 1 up, not {text}")
    return size


def chosen_window(text: str | None) -> str | tuple[float, float] | None:
    """What `mapping.choose_window` takes.

    Raises:
        UsageError: it is neither data nor full nor LOW:HIGH.
    """
    if text is None or text in ("data", "full"):
        return text
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError:
        raise UsageError(f"--window is data, full or LOW:HIGH, not {text}") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(f"--window goes from a lower to a higher value, not from {low:g} to {high:g}")
    return low, high


def checked_headers(text: str) -> str:
    """The choice of headers.

    Raises:
        UsageError: there is no such choice.
    """
    if text not in ("all", "minimal"):
        raise UsageError(f"--headers is all or minimal, not {text}")
    return text


def checked_kernel(name: str) -> str:
    """The kernel's name.

    Raises:
        UsageError: there is no such kernel.
    """
    if name == AREA:
        return name
    from medsr_jax.transmission.downscale import KERNELS

    if name not in KERNELS:
        raise UsageError(f"--kernel is one of {', '.join(KERNELS)}, not {name}")
    return name
