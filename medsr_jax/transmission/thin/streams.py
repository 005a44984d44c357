"""The code streams of a thin packet: what travels of each, and the standard streams again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medsr_jax.transmission.thin import av1, jpeg, jpeg2000, vvc
from medsr_jax.transmission.thin.numbers import damaged
from medsr_jax.transmission.vvc import padded_shape

if TYPE_CHECKING:
    from medsr_jax.transmission.packet import PacketHeader

WHOLE = 0
"""The form, of any codec, whose streams travel as they are."""


def split(header: PacketHeader, streams: tuple[bytes, ...]) -> tuple[int, tuple[bytes, ...]]:
    """The form that all streams have in common, and what travels of each.

    Args:
        header: of the packet.
        streams: standard ones.
    """
    found = [_split(header, stream) for stream in streams]
    forms = {form for form, _ in found}
    if len(forms) > 1 and header.codec == "avif":
        found = [_split(header, stream, units=True) for stream in streams]
        forms = {form for form, _ in found}
    if len(forms) != 1:
        return WHOLE, streams
    return forms.pop(), tuple(payload for _, payload in found)


def join(header: PacketHeader, form: int, payloads: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """The standard streams again.

    Raises:
        MedsrError: the form is unknown, or a payload is damaged.
    """
    try:
        return tuple(_join(header, form, payload) for payload in payloads)
    except (ValueError, OverflowError) as error:
        raise damaged(f"its code stream can't be rebuilt ({error})") from error


def _split(header: PacketHeader, stream: bytes, *, units: bool = False) -> tuple[int, bytes]:
    rows, columns = header.small_shape
    if header.codec == "jpeg":
        return jpeg.split(stream, rows=rows, columns=columns, quality=header.quality)
    if header.codec == "jpeg2000":
        return jpeg2000.split(stream, rows=rows, columns=columns, bits=header.levels.bit_length())
    if header.codec == "vvc":
        return vvc.split(stream)
    return av1.split(stream, rows=rows, columns=columns, units=units)


def _join(header: PacketHeader, form: int, payload: bytes) -> bytes:
    rows, columns = header.small_shape
    if header.codec == "jpeg":
        return jpeg.join(form, payload, rows=rows, columns=columns, quality=header.quality)
    if header.codec == "jpeg2000":
        return jpeg2000.join(form, payload, rows=rows, columns=columns, bits=header.levels.bit_length())
    if header.codec == "vvc":
        return vvc.join(form, payload, shape=padded_shape((rows, columns)))
    return av1.join(form, payload, rows=rows, columns=columns)
