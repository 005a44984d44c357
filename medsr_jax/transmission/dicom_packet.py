"""Packets as DICOM: an encapsulated JPEG or JPEG 2000, honest lossy attributes, and a private block for the receiver.

The object is complete without the private block: a viewer shows the small image with its true spacing and values. The
block (group 6D73, creator MEDSR_JAX) adds what a receiver needs to give the original's form back:

| element | VR | content |
|-|-|-|
| (6D73,xx01) | UT | the header, as in all packets, with the checksum |
| (6D73,xx02) | UT | notes of the sender, one a line |
| (6D73,xx03) | OB | the original's elements where the small image needed others (`original_form`) |
| (6D73,xx05) | OB | seals of the elements that an archive may coerce (`dicom_seal`) |
| (6D73,xx06) | OB | the seal of all other elements |
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator

import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.tag import Tag
from pydicom.uid import JPEG2000, UID

from medsr_jax.errors import MedsrError, first_line
from medsr_jax.imaging.dicom.parsing import is_deflated
from medsr_jax.imaging.dicom.verbatim import parse_elements
from medsr_jax.transmission import dicom_seal
from medsr_jax.transmission.codecs import CODECS
from medsr_jax.transmission.original_form import original_form, rebuilt
from medsr_jax.transmission.packet import Packet, check_version
from medsr_jax.transmission.sealing import open_sealed

GROUP, CREATOR = 0x6D73, "MEDSR_JAX"
SERIES_OFFSET = 91
MOST_NOTES, LONGEST_NOTE = 32, 300
_HEADER, _NOTES, _FORM, _MARKS, _SEAL = 0x01, 0x02, 0x03, 0x05, 0x06

# What the restored object's history begins with.
_HISTORY = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "DerivationDescription",
    "DerivationCodeSequence",
    "SourceImageSequence",
    "SourceImageEvidenceSequence",
    "ContributingEquipmentSequence",
    "ImageComments",
    "LossyImageCompression",
    "LossyImageCompressionRatio",
    "LossyImageCompressionMethod",
)


def sent_dataset(packet: Packet) -> Dataset:
    """The data set of a packet's DICOM object, without the private block."""
    return _derived(packet)[1]


def history(dataset: Dataset) -> Dataset:
    """The elements of a packet's data set that the restored object's history begins with."""
    sent = Dataset()
    for keyword in _HISTORY:
        if keyword in dataset:
            sent[keyword] = dataset[keyword]
    return sent


def _derived(packet: Packet) -> tuple[Dataset, Dataset]:
    """The original's data set, parsed, and the packet's: without a transfer syntax of its codec, as it would be."""
    from medsr_jax.imaging.dicom.derive import damage_named, derive_dataset, parsed_copy

    header, codec = packet.header, CODECS[packet.header.codec]
    assert packet.dataset is not None
    # Several frames of 8 bits may have no class that allows their rescale; AV1 is in no object that needs one.
    wide = header.levels > 255 or (codec.transfer_syntax is None and header.frames > 1)
    with damage_named():
        source = parsed_copy(packet.dataset)
    ratio = packet.ratio()
    before = f"{header.preprocess}, then " if header.preprocess else ""
    losses = "".join(f"; {note}" for note in header.notes if "not travel" in note or "padding is" in note)
    slope = (header.high - header.low) / header.levels or 1.0
    derived = derive_dataset(
        source,
        frames=packet.streams,
        transfer_syntax=codec.transfer_syntax or JPEG2000,
        bits_stored=16 if wide else 8,
        signed=False,
        rows=header.small_shape[0],
        columns=header.small_shape[1],
        spacing_scale=(float(header.scale), float(header.scale)),
        ratio=ratio,
        method=codec.method,
        description=(
            f"{before}downscaled by {header.scale} ({header.kernel}) and {codec.name} coded at quality "
            f"{header.quality}: {ratio:.1f}:1 of {header.bits} bits a pixel. Lossy, not for primary diagnosis{losses}"
        ),
        rescale=(slope, header.low),
        series_description="Lossy, for transmission, not for primary diagnosis",
        series_offset=SERIES_OFFSET,
        identity=packet.sha256,
    )
    return source, derived


def dicom_bytes(packet: Packet, text: str, *, key: bytes | None = None) -> bytes:
    """The DICOM file of a packet.

    Args:
        packet: with the data set of the original.
        text: the sealed header.
        key: to sign with (`dicom_seal`).

    Raises:
        MedsrError: for a codec without a transfer syntax.
    """
    CODECS[packet.header.codec].check_dicom()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about values that the original had and pydicom finds odd
        return _sealed(*_derived(packet), packet, text, key=key)


def _sealed(source: Dataset, derived: Dataset, packet: Packet, text: str, *, key: bytes | None) -> bytes:
    _drop_block(derived)  # of a packet that is sent again
    block = derived.private_block(GROUP, CREATOR, create=True)
    marks, seal = (block.get_tag(offset) for offset in (_MARKS, _SEAL))
    block.add_new(_HEADER, "UT", text)
    if packet.header.notes:
        block.add_new(_NOTES, "UT", "\n".join(packet.header.notes).encode("ascii", "replace").decode())
    block.add_new(_FORM, "OB", _even(original_form(source, derived)))
    # Seals are of what a reader finds in the file, so it is written and read once without them.
    parsed = _open(_written(derived))
    parsed[marks] = derived[marks] = DataElement(marks, "OB", _even(dicom_seal.marks(parsed)))
    derived[seal] = DataElement(seal, "OB", _even(dicom_seal.seal(parsed, but=seal, key=key)))
    return _written(derived)


def _block(dataset: Dataset) -> int | None:
    """The tag of element 00 of our private block, of any VR; None where there is none."""
    for element in range(0x10, 0x100):
        creator = dataset.get_item(Tag(GROUP, element)) if Tag(GROUP, element) in dataset else None
        if creator is not None and _bytes(creator.value).rstrip(b" \0") == CREATOR.encode():
            return GROUP << 16 | element << 8
    return None


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value or "").encode("latin-1", "replace")


def _value(dataset: Dataset, tag: int) -> bytes | None:
    """The bytes of an element of our block; None where it is missing."""
    return _bytes(dataset.get_item(Tag(tag)).value) if Tag(tag) in dataset else None


def _drop_block(dataset: Dataset) -> None:
    start = _block(dataset)
    if start is not None:
        for tag in [tag for tag in dataset.keys() if tag & 0xFFFFFF00 == start]:  # noqa: SIM118
            del dataset[tag]
        del dataset[Tag(GROUP, start >> 8 & 0xFF)]


def _even(value: bytes) -> bytes:
    return value + b"\0" * (len(value) % 2)


def _written(dataset: Dataset) -> bytes:
    target = io.BytesIO()
    try:
        pydicom.dcmwrite(target, dataset, enforce_file_format=True)
    except Exception as error:  # values that pydicom could read and can't write
        raise MedsrError(f"can't be written as DICOM ({first_line(error)})") from error
    return target.getvalue()


def _open(data: bytes) -> Dataset:
    if is_deflated(data):
        raise MedsrError("is a deflated DICOM object, which no packet is")
    try:
        return pydicom.dcmread(io.BytesIO(data))
    except MemoryError:
        raise
    except Exception as error:  # pydicom raises many types on damaged files
        raise MedsrError(f"the DICOM object can't be read ({first_line(error)})") from error


def sealed_text_of(data: bytes) -> str | None:
    """The packet's header in a DICOM file, or None."""
    with damage_told():
        return _text(_open(data))


def _text(dataset: Dataset) -> str | None:
    start = _block(dataset)
    value = None if start is None else _value(dataset, start | _HEADER)
    return None if value is None else value.rstrip(b" \0").decode("latin-1")


@contextlib.contextmanager
def damage_told() -> Iterator[None]:
    """Makes whatever damaged attributes raise one line, and keeps pydicom from warning."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what is odd in the original too
            yield
    except (MedsrError, MemoryError):
        raise
    except Exception as error:  # damaged VRs, lengths and sequences end in many ways
        raise MedsrError(
            f"the packet's DICOM object is damaged ({first_line(error)})", remedy="have it sent again"
        ) from error


def read_dicom_packet(data: bytes, *, key: bytes | None = None) -> Packet:
    """The packet in a DICOM file.

    Raises:
        MedsrError: where it's no packet, damaged, changed beyond what an archive may, or not signed with the key.
    """
    with damage_told():
        dataset = _open(data)
        text = _text(dataset)
        if text is None:
            raise MedsrError("is a DICOM object but no packet of `medsr compress`")
        return _packet(dataset, text, key=key)


def _packet(dataset: Dataset, text: str, *, key: bytes | None) -> Packet:
    check_version(text)
    if text.startswith("medsr1 "):
        raise MedsrError(
            "the packet has format 1, whose attributes are not sealed", remedy="have a newer sender send it"
        )
    codec = _codec_of(dataset)
    start = _block(dataset) or 0
    marks, value, form = (_value(dataset, start | offset) for offset in (_MARKS, _SEAL, _FORM))
    if marks is None or value is None or form is None:
        raise MedsrError("the packet is damaged: a part of its private block is missing", remedy="have it sent again")
    # Before any element is parsed: seals are of the bytes.
    notes = dicom_seal.check_seal(dataset, value, marks, but=Tag(start | _SEAL), key=key)
    count = int(dataset.get("NumberOfFrames") or 1)
    streams = tuple(_unpadded(frame) for frame in generate_frames(dataset.PixelData, number_of_frames=count))
    header = open_sealed(text, streams, codec=codec, notes=(*_sender_notes(dataset, start), *notes), key=None)
    parse_elements(dataset)
    del dataset.PixelData
    for tag in [tag for tag in dataset.keys() if tag.element == 0]:  # noqa: SIM118
        del dataset[tag]  # group lengths, which some archives add
    _drop_block(dataset)
    sent = history(dataset)
    return Packet(streams=streams, header=header, dataset=rebuilt(dataset, form), sent=sent)


def _sender_notes(dataset: Dataset, start: int) -> list[str]:
    """What the sender noted, within bounds: whoever made the packet should not flood a terminal."""
    lines = (_value(dataset, start | _NOTES) or b"").rstrip(b" \0").decode("latin-1").splitlines()
    return [line[:LONGEST_NOTE] for line in lines[:MOST_NOTES]]


def is_dicom_packet(dataset: Dataset) -> bool:
    """Whether a data set has the private block of a packet."""
    return _block(dataset) is not None


def _codec_of(dataset: Dataset) -> str:
    syntax = dataset.file_meta.get("TransferSyntaxUID", "")
    if not isinstance(syntax, str):
        raise MedsrError("the packet's transfer syntax is damaged", remedy="have it sent again")
    for codec in CODECS.values():
        if codec.transfer_syntax == syntax:
            return codec.name
    raise MedsrError(
        f"the packet was transcoded to {UID(syntax).name} on its way, so that its code stream isn't the "
        "one that was sent",
        remedy="have it stored as it is",
    )


def _unpadded(frame: bytes) -> bytes:
    """A frame without the zero byte that makes fragments even."""
    return frame[:-1] if frame.endswith(b"\xff\xd9\x00") else frame
