"""The original's form: what a DICOM packet carries so that the receiver can rebuild the original's data set.

The packet's own data set describes the small image. Where it differs from the original's, the original's elements
travel beside it, deflated, with a list of those that the original lacked. Only elements of `FORM` may, so that no
packet can show one patient and restore as another.
"""

from __future__ import annotations

import copy
import io
import zlib
from collections.abc import Callable

import numpy as np
import pydicom
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.tag import BaseTag, Tag

from medsr_jax.errors import MedsrError
from medsr_jax.imaging.dicom.derive import STALE, is_plane
from medsr_jax.imaging.dicom.differences import ADDED_EMPTY, COLOUR_ELEMENTS, RESTORED
from medsr_jax.imaging.dicom.geometry import POSITIONED
from medsr_jax.imaging.dicom.verbatim import parse_elements

FORM = frozenset(
    Tag(keyword)
    for keyword in (
        *RESTORED,
        *COLOUR_ELEMENTS,
        *POSITIONED,
        "SOPClassUID",
        "Modality",
        "ConversionType",
        "PatientOrientation",
        "BurnedInAnnotation",
        "NumberOfFrames",
        "FrameIncrementPointer",
        "PageNumberVector",
        "Rows",
        "Columns",
        "BitsAllocated",
        "BitsStored",
        "HighBit",
        "PixelRepresentation",
        "PhotometricInterpretation",
        "SamplesPerPixel",
        "PixelAspectRatio",
        "PixelPaddingValue",
        "PixelPaddingRangeLimit",
        "RescaleSlope",
        "RescaleIntercept",
        "RescaleType",
        "ModalityLUTSequence",
        "PixelIntensityRelationshipLUTSequence",
        "RealWorldValueMappingSequence",
        "VOILUTSequence",
        "PresentationLUTShape",
        "SharedFunctionalGroupsSequence",
        "PerFrameFunctionalGroupsSequence",
        "ShutterShape",
        "ShutterOverlayGroup",
        "ShutterPresentationValue",
    )
) - {Tag(keyword) for keyword in STALE}
"""The elements that a packet's data set may have otherwise than the original's; overlays and curves besides."""

LARGEST_BULK = 4096
"""Bytes that an overlay, a curve or a look-up table may take, deflated, to travel. A ring drawn on 512x512 pixels takes
332, a sigmoid table of 4096 entries 976, a power function of 65536 entries 3,523; an overlay of 512x512 scattered dots
(2 %) takes 6,196, more than the image."""

_LARGEST_FORM = 1 << 26
_BULKY_SEQUENCES = ("ModalityLUTSequence", "PixelIntensityRelationshipLUTSequence", "RealWorldValueMappingSequence")
_ABSENT = Tag(0x6D73, 0x1004)


def in_form(tag: BaseTag) -> bool:
    """Whether a packet may carry an element of the original beside its own."""
    return tag in FORM or is_plane(tag)


def without_bulk(dataset: Dataset) -> tuple[Dataset, tuple[str, ...]]:
    """The data set without what can't travel cheaply, and a note for each such thing.

    Args:
        dataset: of the original; left alone.

    Returns:
        The data set itself where nothing was left out.
    """
    dropped: list[BaseTag] = []
    notes: list[str] = []
    for tag in sorted(dataset.keys()):
        name = keyword_for_tag(tag)
        if is_plane(tag) and tag & 0xFFFF == 0x3000:
            size = len(zlib.compress(_bytes_of(dataset[tag].value), 9))
            if size > LARGEST_BULK:
                dropped += [other for other in dataset.keys() if other >> 16 == tag >> 16]  # noqa: SIM118
                what = "overlay" if tag >> 16 >= 0x6000 else "curve"
                notes.append(f"{what} {tag >> 16:04X} does not travel: {size} bytes deflated")
        elif name in _BULKY_SEQUENCES:
            size = len(deflated(_only(dataset, tag)))
            if size > LARGEST_BULK:
                dropped.append(tag)
                notes.append(f"{name} does not travel: {size} bytes deflated")
        elif name in ("IconImageSequence", "DigitalSignaturesSequence"):
            notes.append(f"{name} does not travel: it is of the original's pixels")
    if not dropped:
        return dataset, tuple(notes)
    result = copy.deepcopy(dataset)  # a shallow copy shares its elements
    for tag in dropped:
        result.pop(tag, None)
    return result, tuple(notes)


def original_form(source: Dataset, derived: Dataset) -> bytes:
    """The elements in which a packet's data set differs from the original's, as the original has them, deflated.

    Args:
        source: the original's data set, parsed.
        derived: the packet's.
    """
    item = Dataset()
    for tag in source.keys():  # noqa: SIM118 (iterating a data set gives elements)
        if in_form(tag) and (tag not in derived or source[tag] != derived[tag]):
            item[tag] = copy.deepcopy(source[tag])
    absent = [tag for tag in derived.keys() if tag not in source and not tag.is_private]  # noqa: SIM118
    absent = [tag for tag in absent if in_form(tag) or keyword_for_tag(tag) in ADDED_EMPTY]
    if absent:
        item[_ABSENT] = DataElement(_ABSENT, "AT", absent)
    if "SpecificCharacterSet" in source:
        item.SpecificCharacterSet = source.SpecificCharacterSet
    return deflated(item)


def rebuilt(dataset: Dataset, form: bytes) -> Dataset:
    """The original's data set, without pixels.

    Args:
        dataset: the packet's, without its private block; changed in place.
        form: of `original_form`.

    Raises:
        MedsrError: for an element that no sender puts there, or a damaged form.
    """
    item = inflated(form)
    absent = item[_ABSENT].value if _ABSENT in item else []
    item.pop(_ABSENT, None)
    for value in [absent] if isinstance(absent, BaseTag | int) else absent or []:
        tag = Tag(value)
        if keyword_for_tag(tag) in ADDED_EMPTY:
            if tag in dataset and not dataset[tag].value:  # an archive may have filled it
                del dataset[tag]
        elif in_form(tag):
            dataset.pop(tag, None)
        else:
            raise _foreign(tag)
    item.pop(Tag("SpecificCharacterSet"), None)
    for tag in list(item.keys()):
        if not in_form(tag):
            raise _foreign(tag)
        dataset[tag] = item[tag]
    return dataset


def _foreign(tag: BaseTag) -> MedsrError:
    name = keyword_for_tag(tag) or str(tag)
    return MedsrError(f"the packet would change {name} on restoring, which no sender asks for", remedy="don't trust it")


def _only(dataset: Dataset, tag: BaseTag) -> Dataset:
    item = Dataset()
    item[tag] = copy.deepcopy(dataset[tag])
    return item


def _bytes_of(value: object) -> bytes:
    return value if isinstance(value, bytes) else b""


def deflated(item: Dataset, *, dictionary: bytes = b"") -> bytes:
    """A data set in explicit VR little endian, as a raw deflate stream; look-up tables as differences.

    Args:
        item: parsed; its look-up tables are changed in place.
        dictionary: that the stream begins after (RFC 1950, 2.2, FDICT); both ends have it.
    """
    _filter_tables(item, _differences)
    target = DicomBytesIO()
    target.is_implicit_VR, target.is_little_endian = False, True
    write_dataset(target, item)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, dictionary)
    return deflate.compress(target.getvalue()) + deflate.flush()


def inflated(form: bytes, *, dictionary: bytes = b"") -> Dataset:
    """The inverse of `deflated`.

    Raises:
        MedsrError: the stream is damaged, too large, or no data set.
    """
    try:
        stream = zlib.decompressobj(-15, dictionary)
        data = stream.decompress(form, _LARGEST_FORM + 1)
        if len(data) > _LARGEST_FORM:
            raise MedsrError(
                f"the packet's attributes take more than {_LARGEST_FORM >> 20} MB", remedy="don't trust it"
            )
        if not stream.eof:
            raise ValueError("the stream ends early")
        item = read_dataset(io.BytesIO(data), is_implicit_VR=False, is_little_endian=True, bytelength=len(data))
        character_set = item.get("SpecificCharacterSet") or pydicom.charset.default_encoding
        item.set_original_encoding(False, True, pydicom.charset.convert_encodings(character_set))
        parse_elements(item)  # while the character set is there
        _filter_tables(item, _sums)
    except (MedsrError, MemoryError):
        raise
    except Exception as error:  # pydicom raises whatever damaged lengths lead it to
        raise MedsrError("the packet's attributes are damaged", remedy="have it sent again") from error
    return item


def _filter_tables(item: Dataset, change: Callable[[bytes], bytes]) -> None:
    """Look-up tables as differences of their entries: smooth ones deflate to a tenth so."""
    for tag in list(item.keys()):
        if keyword_for_tag(tag) not in (*_BULKY_SEQUENCES, "VOILUTSequence"):
            continue
        for table in item[tag].value or []:
            if "LUTData" not in table:
                continue
            element = table["LUTData"]
            if isinstance(element.value, bytes):
                element.value = change(element.value)
            elif element.VR == "US" and element.VM > 1:
                entries = np.asarray(element.value, "<u2").tobytes()
                element.value = np.frombuffer(change(entries), "<u2").tolist()


def _differences(data: bytes) -> bytes:
    whole = len(data) // 2 * 2
    entries = np.frombuffer(data[:whole], "<u2")
    steps = np.diff(np.diff(entries, prepend=np.uint16(0)), prepend=np.uint16(0)).astype("<u2")
    return steps.view(np.uint8).reshape(-1, 2).T.tobytes() + data[whole:]


def _sums(data: bytes) -> bytes:
    whole = len(data) // 2 * 2
    steps = np.ascontiguousarray(np.frombuffer(data[:whole], np.uint8).reshape(2, -1).T).view("<u2")[:, 0]
    entries = np.cumsum(np.cumsum(steps, dtype=np.uint16), dtype=np.uint16).astype("<u2")
    return entries.tobytes() + data[whole:]
