"""The options that say how images are sent."""

from __future__ import annotations

from typing import Annotated

import typer

from medsr_jax.errors import MedsrError

AUTO = "auto"

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
        MedsrError: it is neither auto nor a number.
    """
    if text == AUTO:
        return None
    try:
        return int(text)
    except ValueError:
        raise MedsrError(f"--scale is auto or an integer from 1 to 8, not {text}") from None


def chosen_codec(text: str) -> str | None:
    """The codec's name; None for auto.

    Raises:
        MedsrError: there is no such codec.
    """
    from medsr_jax.transmission.codecs import CODECS

    if text == AUTO:
        return None
    if text not in CODECS:
        raise MedsrError(f"--codec is one of {', '.join([AUTO, *CODECS])}, not {text}")
    return text


def chosen_quality(text: str) -> int | str:
    """The quality, or auto.

    Raises:
        MedsrError: it is neither auto nor a number.
    """
    if text == AUTO:
        return text
    try:
        return int(text)
    except ValueError:
        raise MedsrError(f"--quality is auto or an integer from 1 to 100, not {text}") from None


def checked_budget(max_bytes: int | None) -> int | None:
    """The budget.

    Raises:
        MedsrError: it is nothing or less.
    """
    if max_bytes is not None and max_bytes < 1:
        raise MedsrError(f"--max-bytes is a number from 1 up, not {max_bytes}")
    return max_bytes
