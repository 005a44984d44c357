"""The declared list: every element in which a restored DICOM object may differ from its original, and why.

All other elements are equal, recursively. docs/dicom-conformance.md shows this list, and a test compares all elements
of all files that it finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pydicom.tag import BaseTag

_IDENTITY = "another object, in a series of its own"
_HISTORY = "says what was done"
_LOSSY = "marks of lossy compression, never reset (PS3.3 C.7.6.1.1.5)"
_PIXELS = "the restored pixels, uncompressed or coded without loss"
_STALE_REASON = "spoke of the original's pixels, storage or signature alone"
_COLOUR = "only where the original is in colour: grayscale is restored"

RESTORED: dict[str, str] = {
    "SOPInstanceUID": _IDENTITY,
    "SeriesInstanceUID": _IDENTITY,
    "SeriesNumber": _IDENTITY,
    "SeriesDescription": _IDENTITY,
    "ConcatenationUID": "computed from the original's, as the parts are new objects too",
    "SOPInstanceUIDOfConcatenationSource": "computed from the original's, as the parts are new objects too",
    "StudyInstanceUID": "computed, where the original has none",
    "InstanceCreationDate": "dropped: of the original; a repeated restore makes the same object",
    "InstanceCreationTime": "dropped: of the original; a repeated restore makes the same object",
    "InstanceCreatorUID": "dropped: of the original",
    "ImageType": "value 1 is DERIVED",
    "FrameType": "value 1 is DERIVED",
    "DerivationDescription": _HISTORY,
    "DerivationCodeSequence": _HISTORY,
    "DerivationImageSequence": _HISTORY,
    "SourceImageSequence": _HISTORY,
    "SourceImageEvidenceSequence": _HISTORY,
    "ContributingEquipmentSequence": _HISTORY,
    "ImageComments": _HISTORY,
    "LossyImageCompression": _LOSSY,
    "LossyImageCompressionRatio": _LOSSY,
    "LossyImageCompressionMethod": _LOSSY,
    "PixelData": _PIXELS,
    "ExtendedOffsetTable": _PIXELS,
    "ExtendedOffsetTableLengths": _PIXELS,
    "SmallestImagePixelValue": "of the restored pixels",
    "LargestImagePixelValue": "of the restored pixels",
    "SmallestPixelValueInSeries": _STALE_REASON,
    "LargestPixelValueInSeries": _STALE_REASON,
    "SmallestImagePixelValueInPlane": _STALE_REASON,
    "LargestImagePixelValueInPlane": _STALE_REASON,
    "IconImageSequence": _STALE_REASON,
    "PixelDataProviderURL": _STALE_REASON,
    "DigitalSignaturesSequence": _STALE_REASON,
    "MACParametersSequence": _STALE_REASON,
    "DataSetTrailingPadding": _STALE_REASON,
    "AvailableTransferSyntaxUID": _STALE_REASON,
    "StorageMediaFileSetID": _STALE_REASON,
    "StorageMediaFileSetUID": _STALE_REASON,
    "RetrieveAETitle": _STALE_REASON,
    "InstanceAvailability": _STALE_REASON,
}
"""Elements of any original, by keyword, top-level or nested, with the reason."""

COLOUR_ELEMENTS = (
    "PlanarConfiguration",
    "ICCProfile",
    "ColorSpace",
    "PaletteColorLookupTableUID",
    *(
        f"{colour}PaletteColorLookupTable{part}"
        for colour in ("Red", "Green", "Blue", "Alpha")
        for part in ("Descriptor", "Data")
    ),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue", "Alpha")),
)
"""What describes the colours of an original and has no meaning for gray pixels."""

_FORMAT = (
    "PhotometricInterpretation",
    "SamplesPerPixel",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)

RESTORED_FROM_COLOUR: dict[str, str] = {
    **dict.fromkeys((*_FORMAT, *COLOUR_ELEMENTS), _COLOUR),
    **dict.fromkeys(
        (
            "SOPClassUID",
            "ConversionType",
            "PatientOrientation",
            "FrameIncrementPointer",
            "PageNumberVector",
            "PresentationLUTShape",
            "RescaleSlope",
            "RescaleIntercept",
            "RescaleType",
        ),
        "only where a colour original's class does not allow the gray pixels: Secondary Capture",
    ),
}
"""Elements of originals whose pixels are not MONOCHROME1 or MONOCHROME2."""

CORRECTED = ("NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
"""Elements that differ, with a note, where the original's own code streams or pixel bytes contradict it."""

ADDED_EMPTY = (
    "AccessionNumber",
    "InstanceNumber",
    "PatientBirthDate",
    "PatientID",
    "PatientName",
    "PatientSex",
    "ReferringPhysicianName",
    "StudyDate",
    "StudyID",
    "StudyTime",
)
"""Type 2 elements that packets get, empty, where the original lacks them; restored objects lack them again."""


def may_differ(tag: BaseTag, *, colour: bool) -> bool:
    """Whether a restored object may differ from its original in an element.

    Args:
        tag: of the element, at any depth.
        colour: the original's pixels are not MONOCHROME1 or MONOCHROME2.
    """
    from pydicom.datadict import keyword_for_tag

    if tag.element == 0:  # group lengths, retired (PS3.5, 7.2)
        return True
    keyword = keyword_for_tag(tag)
    return keyword in RESTORED or (colour and keyword in RESTORED_FROM_COLOUR)


def differing(original: Dataset, restored: Dataset, *, path: tuple[BaseTag, ...] = ()) -> list[tuple[BaseTag, ...]]:
    """The paths of all elements in which two data sets differ, items and all.

    An element that only one of them has differs; so does a sequence of another number of items.
    """
    from pydicom.tag import Tag

    found: list[tuple[BaseTag, ...]] = []
    for tag in sorted(set(original.keys()) | set(restored.keys())):
        here = (*path, Tag(tag))
        if tag not in original or tag not in restored:
            found.append(here)
            continue
        before, after = original[tag], restored[tag]
        if before.VR == after.VR == "SQ":
            if len(before.value) != len(after.value):
                found.append(here)
            else:
                for one, other in zip(before.value, after.value, strict=True):
                    found += differing(one, other, path=here)
        elif _unpadded(before.value) != _unpadded(after.value):
            found.append(here)
    return found


def _unpadded(value: object) -> object:
    """Bytes without what makes an odd number of them even (PS3.5, 6.2)."""
    return value.removesuffix(b"\0") if isinstance(value, bytes) else value
