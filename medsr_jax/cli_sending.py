"""The options that say how images are sent."""

from __future__ import annotations

from typing import Annotated

import typer

from medsr_jax.errors import MedsrError

AUTO = "auto"
AREA = "area"

Scale = Annotated[
    str,
    typer.Option(
        help="1..8: how many times fewer rows and columns travel. auto: 4; with --max-bytes, what serves best."
    ),
]
Codec = Annotated[str, typer.Option(help="jpeg, jpeg2000 or avif. auto: jpeg; with --max-bytes, what serves best.")]
MaxBytes = Annotated[
    int | None,
    typer.Option(help="The most bytes a packet may have; scale, codec and quality are chosen for it where left free."),
]


def chosen_scale(text: str) -> int | None:
    """The scale; None for auto.

    Raises:
        MedsrError: it is neither auto nor a number in range.
    """
    if text == AUTO:
        return None
    if not text.isdecimal() or not 1 <= int(text[:9]) <= 8:
        raise MedsrError(f"--scale is auto or an integer from 1 to 8, not {text}")
    return int(text)


def chosen_codec(text: str) -> str | None:
    """The codec's name; None for auto.

    Raises:
        MedsrError: there is no such codec.
    """
    if text == AUTO:
        return None
    from medsr_jax.transmission.codecs import CODECS, has_avif

    if text not in CODECS:
        raise MedsrError(f"--codec is one of {', '.join([AUTO, *CODECS])}, not {text}")
    if text == "avif" and not has_avif():
        raise MedsrError("--codec avif: Pillow was built without it here; choose jpeg or jpeg2000")
    return text


def chosen_quality(text: str) -> int | str:
    """The quality, or auto.

    Raises:
        MedsrError: it is neither auto nor a number in range.
    """
    if text == AUTO:
        return text
    if not text.isdecimal() or not 1 <= int(text[:9]) <= 100:
        raise MedsrError(f"--quality is auto or an integer from 1 to 100, not {text}")
    return int(text)


def checked_budget(max_bytes: int | None) -> int | None:
    """The budget.

    Raises:
        MedsrError: it is nothing or less.
    """
    if max_bytes is not None and max_bytes < 1:
        raise MedsrError(f"--max-bytes is a number from 1 up, not {max_bytes}")
    return max_bytes


def checked_kernel(name: str) -> str:
    """The kernel's name.

    Raises:
        MedsrError: there is no such kernel.
    """
    if name == AREA:
        return name
    from medsr_jax.transmission.downscale import KERNELS

    if name not in KERNELS:
        raise MedsrError(f"--kernel is one of {', '.join(KERNELS)}, not {name}")
    return name
