"""Packets as DICOM: an encapsulated JPEG or JPEG 2000, honest lossy attributes, and a private block for the receiver.

The object is complete without the private block: a viewer shows the small image with its true spacing and values. The
block (group 6D73, creator MEDSR_JAX) adds what a receiver needs to give the original's form back:

| element | VR | content |
|-|-|-|
| (6D73,xx01) | LT | the header, as in all packets, with the checksum |
| (6D73,xx02) | UT | notes of the sender, one a line |
| (6D73,xx03) | SQ | one item: the attributes of the original that the small image needed otherwise |
| (6D73,xx04) | AT | attributes that the original didn't have |
"""

from __future__ import annotations

import copy
import io
import warnings

import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

from medsr_jax.errors import MedsrError
from medsr_jax.transmission.codecs import CODECS
from medsr_jax.transmission.packet import Packet

GROUP, CREATOR = 0x6D73, "MEDSR_JAX"

# What depends on the number of pixels or on the meaning of a stored value. The receiver puts these back, so that the
# packet's data set describes the original's pixels; all else (UIDs, lossy marks, derivation) stays as it travelled.
_FORM = tuple(
    Tag(name)
    for name in (
        "SOPClassUID",
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "PhotometricInterpretation",
        "SamplesPerPixel",
        "PixelSpacing",
        "ImagerPixelSpacing",
        "NominalScannedPixelSpacing",
        "PixelAspectRatio",
        "SmallestImagePixelValue",
        "LargestImagePixelValue",
        "PixelPaddingValue",
        "PixelPaddingRangeLimit",
        "RescaleSlope",
        "RescaleIntercept",
        "RescaleType",
        "ModalityLUTSequence",
        "WindowCenter",
        "WindowWidth",
        "WindowCenterWidthExplanation",
        "VOILUTFunction",
        "VOILUTSequence",
        "PresentationLUTShape",
        "SharedFunctionalGroupsSequence",
        "PerFrameFunctionalGroupsSequence",
        "ImagePositionPatient",
    )
)


def dicom_bytes(packet: Packet, text: str) -> bytes:
    """The DICOM file of a packet.

    Args:
        packet: with the data set of the original.
        text: the sealed header.

    Raises:
        MedsrError: for a codec without a transfer syntax.
    """
    from medsr_jax.imaging.derived import derive_dataset

    header, source = packet.header, packet.dataset
    codec = CODECS[header.codec]
    if codec.transfer_syntax is None or source is None:
        raise MedsrError(f"can't be sent as {codec.name}: {codec.refusal}; choose jpeg or jpeg2000")
    ratio = packet.ratio()
    before = f"{header.preprocess}, then " if header.preprocess else ""
    slope = (header.high - header.low) / header.levels or 1.0
    derived = derive_dataset(
        source,
        frames=packet.codes,
        transfer_syntax=codec.transfer_syntax,
        bits_stored=8 if header.levels == 255 else 16,
        signed=False,
        rows=header.small_shape[0],
        columns=header.small_shape[1],
        spacing_scale=(float(header.scale), float(header.scale)),
        ratio=ratio,
        method=codec.method,
        description=(
            f"{before}downscaled by {header.scale} ({header.kernel}) and {codec.name} coded at quality "
            f"{header.quality}: {ratio:.1f}:1 of {header.bits} bits a pixel. Lossy, not for primary diagnosis"
        ),
        rescale=(slope, header.low),
        series_description="Lossy, for transmission, not for primary diagnosis",
    )
    block = derived.private_block(GROUP, CREATOR, create=True)
    block.add_new(0x01, "LT", text)
    if header.notes:
        block.add_new(0x02, "UT", "\n".join(header.notes))
    block.add_new(0x03, "SQ", [_original_form(source, derived)])
    absent = [tag for tag in _FORM if tag in derived and tag not in source]
    if absent:
        block.add_new(0x04, "AT", absent)
    return _written(derived)


def _written(dataset: Dataset) -> bytes:
    target = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about values that the original had and pydicom finds odd
        try:
            pydicom.dcmwrite(target, dataset, enforce_file_format=True)
        except Exception as error:  # values that pydicom could read and can't write
            raise MedsrError(f"can't be written as DICOM ({error})") from error
    return target.getvalue()


def _original_form(source: Dataset, derived: Dataset) -> Dataset:
    item = Dataset()
    for tag in _FORM:
        if tag in source and (tag not in derived or source[tag].value != derived[tag].value):
            item[tag] = copy.deepcopy(source[tag])
    return item


def _open(data: bytes) -> Dataset:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pydicom.dcmread(io.BytesIO(data))
    except Exception as error:  # pydicom raises many types on damaged files
        raise MedsrError(f"the DICOM object can't be read ({error})") from error


def _block_text(dataset: Dataset) -> str | None:
    try:
        return str(dataset.private_block(GROUP, CREATOR)[0x01].value)
    except KeyError:
        return None


def sealed_text_of(data: bytes) -> str | None:
    """The packet's header in a DICOM file, or None."""
    return _block_text(_open(data))


def read_dicom_packet(data: bytes) -> Packet:
    """The packet in a DICOM file.

    Raises:
        MedsrError: where it's no packet, or damaged.
    """
    from medsr_jax.transmission.packet_io import open_sealed

    dataset = _open(data)
    text = _block_text(dataset)
    if text is None:
        raise MedsrError("is a DICOM object but no packet of `medsr compress`")
    codec = _codec_of(UID(dataset.file_meta.get("TransferSyntaxUID", "")))
    try:
        codes = tuple(
            _unpadded(frame)
            for frame in generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1))
        )
        block = dataset.private_block(GROUP, CREATOR)
        notes = tuple(str(block[0x02].value).splitlines()) if 0x02 in block else ()
        original = block[0x03].value[0]
        absent = block[0x04].value if 0x04 in block else []
    except Exception as error:  # damaged lengths and sequences end in many ways
        raise MedsrError(f"the packet's DICOM object is damaged ({error})") from error
    header = open_sealed(text, codes, codec=codec, notes=notes)
    del dataset.PixelData
    for tag in [absent] if isinstance(absent, BaseTag | int) else absent:
        dataset.pop(Tag(tag), None)
    for element in original:
        dataset[element.tag] = element
    _drop_block(dataset)
    return Packet(codes=codes, header=header, dataset=dataset)


def _codec_of(transfer_syntax: UID) -> str:
    for codec in CODECS.values():
        if codec.transfer_syntax == transfer_syntax:
            return codec.name
    raise MedsrError(
        f"the packet was transcoded to {transfer_syntax.name} on its way, so that its code stream isn't the one "
        "that was sent; have it stored as it is"
    )


def _unpadded(frame: bytes) -> bytes:
    """A frame without the zero byte that makes fragments even."""
    return frame[:-1] if frame.endswith(b"\xff\xd9\x00") else frame


def _drop_block(dataset: Dataset) -> None:
    ours = dataset.private_block(GROUP, CREATOR)
    for offset in range(1, 5):
        if offset in ours:
            del ours[offset]
    del dataset[Tag(GROUP, ours.block_start >> 8)]
