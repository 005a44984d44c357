"""The description of one file: a packet, an image to be sent, or weights. Without JAX."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib
from typing import Any

from medsr_jax.errors import MedsrError, concerning
from medsr_jax.files import first_bytes, read_file
from medsr_jax.imaging.reading import decode_image
from medsr_jax.imaging.sniffing import kind_of
from medsr_jax.transmission.codecs import CODECS
from medsr_jax.transmission.containers import container_of
from medsr_jax.transmission.packet_io import holds_packet, parse_packet
from medsr_jax.transmission.thin.header import is_thin

# JPEG Baseline and Extended, PS3.5 8.2.1, which always lose something.
_LOSSY_SYNTAXES = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51")


@dataclasses.dataclass(frozen=True)
class Description:
    """The description of a file.

    Attributes:
        lines: labels and texts, for people.
        facts: the same for programs, as JSON has it.
    """

    lines: tuple[tuple[str, str], ...]
    facts: dict[str, Any]


def described(file: pathlib.Path, *, key: bytes | None = None) -> Description:
    """The description of a file, whose kind is detected from its content.

    Args:
        file: a packet, an image or weights.
        key: that packets must be signed with; None for none.

    Raises:
        MedsrError: it can't be read, is damaged, or is none of these.
    """
    kind = _kind(first_bytes(file), file)
    if kind == WEIGHTS:
        return _weights(file)
    data = read_file(file)
    with concerning(file):
        if kind == PACKET or holds_packet(data):
            return _packet(data, key)
    return _image(data, file)


WEIGHTS, PACKET, IMAGE = "weights", "packet", "image"


def _kind(start: bytes, file: pathlib.Path) -> str:
    """What a file may be by its first bytes: weights, an image, or what is a packet or nothing."""
    from medsr_jax.weights.file_kinds import kind_of as weights_kind_of

    if is_thin(start):
        return PACKET
    try:
        kind_of(start)
    except MedsrError:
        if file.suffix == ".safetensors" or weights_kind_of(file):
            return WEIGHTS
        if container_of(start) is None:
            raise MedsrError("is no packet, no image that can be sent and no weights file", path=file) from None
        return PACKET
    return IMAGE


def _image(data: bytes, file: pathlib.Path) -> Description:
    """An image that is no packet."""
    image = decode_image(data, name=str(file))
    frames, rows, columns = image.pixels.shape
    low, high = image.value_range
    size = len(data)
    whole = image.pixels.dtype.kind in "iu"
    bits = max(1, math.ceil(math.log2(high - low + 1))) if whole else 8 * image.pixels.dtype.itemsize
    facts: dict[str, Any] = {"kind": "image", "format": image.kind, "rows": rows, "columns": columns, "frames": frames}
    facts |= {"dtype": str(image.pixels.dtype), "bits": bits, "value_range": [_plain(low), _plain(high)]}
    facts["inverted"] = image.inverted
    facts |= {"bytes": size, "spacing": image.spacing, "lossy": None, "notes": list(image.notes)}
    many = f", {frames} frames" if frames > 1 else ""
    lines = [("image", f"{image.kind}, {rows} rows x {columns} columns{many}; no packet")]
    values = f"{bits} bits, {image.pixels.dtype} {low:g}..{high:g}{', low is white' if image.inverted else ''}"
    lines += [("values", values), ("bytes", f"{size}")]
    if image.spacing is not None:
        lines.append(("spacing", f"{image.spacing[0]:g} x {image.spacing[1]:g} mm"))
    if image.kind == "jpeg":
        facts["lossy"] = True
    elif image.dataset is not None:
        more, facts_of_dicom = _dicom(image.dataset, image.notes)
        lines += more
        facts |= facts_of_dicom
    said = {True: "yes, compressed before", False: "no, as stated", None: "not stated"}
    lines.append(("lossy", facts.pop("lossy_by", "") or said[facts["lossy"]]))
    lines += [("note", note) for note in image.notes]
    return Description(tuple(lines), facts)


def _plain(number: Any) -> float:
    """A number, NumPy's too, as JSON has it."""
    return int(number) if float(number).is_integer() else float(number)


def _dicom(dataset: Any, notes: tuple[str, ...]) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """What a DICOM image's attributes say beyond its pixels."""
    from pydicom.uid import UID

    meta = getattr(dataset, "file_meta", None)
    syntax = None if meta is None else meta.get("TransferSyntaxUID")
    modality = str(dataset.get("Modality", "") or "")
    sop_class = UID(str(dataset.get("SOPClassUID", "")))
    stated = str(dataset.get("LossyImageCompression", "") or "")
    lossy = {"01": True, "00": False}.get(stated)
    if syntax in _LOSSY_SYNTAXES or any("already lossy" in note for note in notes):
        lossy = True
    ratios, methods = (_several(dataset.get(f"LossyImageCompression{what}")) for what in ("Ratio", "Method"))
    steps = [*map("{}:1".format, ratios), *methods]
    facts = {
        "modality": modality,
        "sop_class": str(sop_class),
        "transfer_syntax": None if syntax is None else str(syntax),
        "lossy": lossy,
        "lossy_ratios": [float(ratio) for ratio in ratios],
        "lossy_methods": methods,
        "lossy_by": f"yes, compressed before ({', '.join(steps)})" if lossy and steps else "",
    }
    lines = [("modality", modality or "not stated"), ("SOP class", sop_class.name or "not stated")]
    lines += [] if syntax is None else [("stored as", syntax.name)]
    return lines, facts


def _several(value: Any) -> list[str]:
    """The values of an element of any multiplicity."""
    if value is None or value == "":
        return []
    return [str(one) for one in value] if isinstance(value, list | tuple) or hasattr(value, "append") else [str(value)]


def _packet(data: bytes, key: bytes | None) -> Description:
    from medsr_jax.transmission.ceilings import ratio_label

    packet = parse_packet(data, key=key)
    header, size, ratio = packet.header, len(data), packet.ratio()
    rows, columns = header.small_shape
    levels = CODECS[header.codec].levels(header.levels)
    frames = f", {header.frames} frames" if header.frames > 1 else ""
    before = header.preprocess or "none"
    original = f"{header.kind}, {header.rows} rows x {header.columns} columns{frames}, {header.bits} bits"
    lines = [
        ("packet", f"{packet.container}, format {header.version}, {header.codec} quality {header.quality}"),
        ("original", f"{original}, {header.dtype}"),
        ("values", f"{header.value_range[0]:g}..{header.value_range[1]:g}, sent {header.low:g}..{header.high:g}"),
        ("sent", f"{rows} x {columns}, 1/{header.scale} by {header.kernel}, {levels} levels"),
        ("pre-processing", before),
        *(("note", note) for note in header.notes),
        ("size", packet.size_text(size)),
        ("ratio", ratio_label(ratio)),
        ("", f"pixels of the original at {header.bits} bits each to bytes of pixels here; not for primary diagnosis"),
    ]
    facts = {
        "kind": "packet",
        "container": packet.container,
        "version": header.version,
        "codec": header.codec,
        "quality": header.quality,
        "scale": header.scale,
        "kernel": header.kernel,
        "levels": levels,
        "sent_rows": rows,
        "sent_columns": columns,
        "format": header.kind,
        "rows": header.rows,
        "columns": header.columns,
        "frames": header.frames,
        "dtype": header.dtype,
        "bits": header.bits,
        "value_range": list(header.value_range),
        "window": [header.low, header.high],
        "spacing": header.spacing,
        "inverted": header.inverted,
        "preprocess": header.preprocess,
        "bytes": size,
        "pixel_bytes": packet.coded_bytes,
        "ratio": round(ratio, 2),
        "notes": list(header.notes),
    }
    return Description(tuple(lines), facts)


def _weights(file: pathlib.Path) -> Description:
    """The metadata in a safetensors header; no tensor is loaded."""
    from medsr_jax.weights.file_kinds import SAFETENSORS
    from medsr_jax.weights.file_kinds import kind_of as weights_kind_of
    from medsr_jax.weights.safetensors_file import read_header

    kind = weights_kind_of(file)
    if kind != SAFETENSORS and file.suffix != ".safetensors":
        what = f"{kind}, of another package; `medsr import` brings them in"
        return Description((("weights", what),), {"kind": "weights", "format": kind})
    metadata, shapes = read_header(file)
    if not metadata.get("format", "").startswith("medsr-weights"):
        what = f"{len(shapes)} tensors, of another package; `medsr import` brings them in"
        facts = {"kind": "weights", "format": "safetensors", "tensors": len(shapes), "metadata": metadata}
        return Description((("weights", what), *metadata.items()), facts)
    try:
        model, fields, card = metadata["model"], json.loads(metadata["fields"]), json.loads(metadata["card"])
    except KeyError as error:
        raise MedsrError(
            f"the weights file is damaged (its {error.args[0]} is missing)", path=file, remedy="fetch it again"
        ) from error
    except (ValueError, RecursionError) as error:
        raise MedsrError(
            "the weights file is damaged (its card is no JSON)", path=file, remedy="fetch it again"
        ) from error
    if not isinstance(card, dict):
        raise MedsrError("the weights file is damaged (its card is no JSON object)", path=file, remedy="fetch it again")
    parameters = sum(math.prod(shape) for shape in shapes.values())
    cards = [(str(label), str(value)) for label, value in card.items()]
    lines = [("weights", f"{model}, {parameters:,} parameters"), *cards, ("fields", metadata["fields"])]
    facts = {"kind": "weights", "model": model, "parameters": parameters, "fields": fields, "card": card}
    return Description(tuple(lines), facts)
