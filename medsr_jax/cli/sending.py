"""The sender's work on one file. It runs in the decoders' process; whoever asks for it imports no NumPy here."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Any

from medsr_jax.errors import MedsrError

if TYPE_CHECKING:
    from medsr_jax.imaging.image import Image
    from medsr_jax.transmission.options import SendingOptions


@dataclasses.dataclass(frozen=True)
class Encoded:
    """A packet's file that is not written yet.

    Attributes:
        suffix: that its name ends in.
        data: the whole file.
        about: what it is.
        notes: what the sender should know of it, and may be true of many.
        facts: the same for programs.
        name: of its file without the suffix, where the input's could identify the patient; empty elsewhere.
        detail: what interests under --debug and in a log.
    """

    suffix: str
    data: bytes
    about: str
    notes: tuple[str, ...] = ()
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    name: str = ""
    detail: str = ""


def encoded(
    file: pathlib.Path,
    *,
    max_pixels: int | None,
    options: SendingOptions,
    key: bytes | None = None,
    pseudonyms: bytes | None = None,
) -> Encoded:
    """The packet of an image, signed with the key if any.

    Args:
        file: of the image.
        max_pixels: of a frame; None for the reader's own limit.
        options: how it is sent.
        key: to sign with.
        pseudonyms: the secret of `deidentify`; None sends attributes as they are.

    Raises:
        MedsrError: as `read_image`, `deidentify` and `compress`.
    """
    from medsr_jax.transmission.ceilings import against_ceilings, ratio_text
    from medsr_jax.transmission.packet_io import packet_bytes, packet_suffix
    from medsr_jax.transmission.sender import compress

    source = original(file, max_pixels=max_pixels, pseudonyms=pseudonyms)
    packet = compress(source, **vars(options), key=key)
    name = ""
    if pseudonyms is not None:
        uid = "" if source.dataset is None else str(source.dataset.get("SOPInstanceUID", ""))
        name = uid or packet.sha256[:32]
    data = packet_bytes(packet, key=key)
    header, size = packet.header, len(data)
    ratio = packet.ratio()
    parts = [
        packet.size_text(size),
        f"{ratio_text(ratio)} of the original's pixels at {header.bits} bits each",
        f"1/{header.scale} of the side",
        f"{header.codec} q {header.quality}",
    ]
    notes = [*([header.preprocess] if header.preprocess else []), *header.notes]
    notes += [f"{against_ceilings(ratio)}; not for primary diagnosis"]
    facts: dict[str, Any] = {
        "pixel_bytes": packet.coded_bytes,
        "ratio": round(ratio, 2),
        "bits": header.bits,
        "scale": header.scale,
    }
    facts |= {"codec": header.codec, "quality": header.quality}
    left_out = _left_out(source) if options.headers == "minimal" else {}
    detail = "; ".join(f"{kind} elements left out: {', '.join(names)}" for kind, names in left_out.items() if names)
    facts |= {f"{kind}_left_out": names for kind, names in left_out.items()}
    return Encoded(packet_suffix(packet), data, ", ".join(parts), tuple(notes), facts, name, detail)


def _left_out(source: Image) -> dict[str, tuple[str, ...]]:
    """The names of elements that minimal headers leave out."""
    if source.dataset is None:
        return {}
    from medsr_jax.transmission.headers import minimal

    _, left_out = minimal(source.dataset)
    return {"private": left_out.private, "standard": left_out.standard}


def original(file: pathlib.Path, *, max_pixels: int | None, pseudonyms: bytes | None = None) -> Image:
    """An image that is to be sent, de-identified under the secret if there is one.

    Raises:
        MedsrError: as `read_image` and `deidentify`, and for a packet.
    """
    from medsr_jax.files import read_file
    from medsr_jax.imaging.limits import MAX_PIXELS
    from medsr_jax.imaging.reading import decode_image
    from medsr_jax.imaging.sniffing import kind_of
    from medsr_jax.transmission.packet_io import has_packet
    from medsr_jax.transmission.thin.header import is_thin

    def check(start: bytes) -> None:
        if is_thin(start):
            raise _already_packet(file)
        kind_of(start)

    data = read_file(file, check=check)
    source = decode_image(data, name=str(file), max_pixels=MAX_PIXELS if max_pixels is None else max_pixels)
    if has_packet(data, source.dataset):
        # In a watched folder it would be shrunk again at each pass.
        raise _already_packet(file)
    if pseudonyms is None:
        return source
    from medsr_jax.imaging.dicom.deidentification import deidentify

    return deidentify(source, secret=pseudonyms)


def _already_packet(file: pathlib.Path) -> MedsrError:
    return MedsrError("is a packet of `medsr compress` already", path=file, remedy="restore it, or send its original")
