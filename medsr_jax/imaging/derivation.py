"""Who a derived DICOM object is, where it came from and what was done to it."""

from __future__ import annotations

import datetime
import functools
import importlib.metadata
from typing import TYPE_CHECKING, Any

from medsr_jax.imaging.numbers import decimal
from medsr_jax.imaging.sop_class import MULTIFRAME_BYTE, MULTIFRAME_WORD, SECONDARY_CAPTURE

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileMetaDataset

_SOFTWARE = "medsr_jax"
_LOSSY_COMPRESSION = ("113040", "Lossy Compression")
_SPATIAL_RESAMPLING = ("113085", "Spatial resampling")
_PROCESSED_SOURCE = ("121322", "Source image for image processing operation")
_PROCESSING_EQUIPMENT = ("109102", "Processing Equipment")


@functools.cache
def software_version() -> str:
    """The installed version of this package, or "unknown" where it runs from a checkout."""
    try:
        return importlib.metadata.version(_SOFTWARE)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def set_class(dataset: Dataset, sop_class: str, *, frames: int) -> None:
    """Gives the data set its SOP class, and what Secondary Capture needs (PS3.3 C.8.6)."""
    from pydicom.uid import UID

    dataset.SOPClassUID = UID(sop_class)
    if sop_class not in (SECONDARY_CAPTURE, MULTIFRAME_BYTE, MULTIFRAME_WORD):
        return
    dataset.ConversionType = dataset.get("ConversionType") or "WSD"
    if not dataset.get("Modality"):
        dataset.Modality = "OT"
    if "PatientOrientation" not in dataset:
        dataset.PatientOrientation = ""
    if sop_class == SECONDARY_CAPTURE:
        if "NumberOfFrames" in dataset:
            del dataset.NumberOfFrames
        return
    if "FrameIncrementPointer" not in dataset:
        from pydicom.tag import Tag

        # PS3.3 C.8.6.3: frames that are ordered by nothing else are numbered as pages.
        dataset.PageNumberVector = list(range(1, frames + 1))
        dataset.FrameIncrementPointer = Tag("PageNumberVector")
    if "BurnedInAnnotation" not in dataset:
        dataset.BurnedInAnnotation = "NO"
    dataset.PresentationLUTShape = "IDENTITY"
    if "ModalityLUTSequence" not in dataset:
        for keyword, value in (("RescaleSlope", "1"), ("RescaleIntercept", "0"), ("RescaleType", "US")):
            if keyword not in dataset:
                setattr(dataset, keyword, value)


def set_identity(dataset: Dataset, source: Dataset, *, series_description: str) -> None:
    """A new instance, in the series that belongs to its source's series and the description."""
    from pydicom.uid import generate_uid

    now = datetime.datetime.now()
    if not dataset.get("StudyInstanceUID"):
        dataset.StudyInstanceUID = generate_uid()
    series = str(source.get("SeriesInstanceUID", "") or source.get("SOPInstanceUID", "") or generate_uid())
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[series, _SOFTWARE, series_description])
    dataset.SOPInstanceUID = generate_uid()
    dataset.SeriesDescription = series_description[:64]
    dataset.InstanceCreationDate = now.strftime("%Y%m%d")
    dataset.InstanceCreationTime = now.strftime("%H%M%S.%f")


def set_history(dataset: Dataset, source: Dataset, *, description: str, comments: str | None, resampled: bool) -> None:
    """Image Type, what was done, from which image and by what software."""
    kinds = list(source.get("ImageType") or [])
    if isinstance(source.get("ImageType"), str):
        kinds = [source.ImageType]
    dataset.ImageType = ["DERIVED", *([str(kind) for kind in kinds[1:]] or ["SECONDARY"])]
    dataset.DerivationDescription = _joined(source.get("DerivationDescription"), description, limit=1024)
    if comments:
        dataset.ImageComments = _joined(source.get("ImageComments"), comments, limit=10240)
    equipment = dataset.get("ContributingEquipmentSequence") or []
    codes = list(dataset.get("DerivationCodeSequence") or [])
    for code in (_LOSSY_COMPRESSION, *([_SPATIAL_RESAMPLING] if resampled else [])):
        if not any(str(item.get("CodeValue", "")) == code[0] for item in codes):
            codes.append(_code(code))
    dataset.DerivationCodeSequence = codes
    reference = _reference(source)
    if reference is not None:
        # The nearest ancestor first; those that it came from itself stay known.
        dataset.SourceImageSequence = [reference, *(source.get("SourceImageSequence") or [])]
    _set_frame_history(dataset, source, description=description)
    dataset.ContributingEquipmentSequence = [*equipment, _equipment()]


def _set_frame_history(dataset: Dataset, source: Dataset, *, description: str) -> None:
    """The same for each frame of an enhanced object: Frame Type, Derivation Image (PS3.3 C.7.6.16.2.6)."""
    from pydicom.dataset import Dataset

    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    for group in [*shared, *per_frame]:
        for element in group:
            for item in element.value if element.VR == "SQ" else ():
                kinds = item.get("FrameType")
                if kinds and not isinstance(kinds, str):
                    item.FrameType = ["DERIVED", *[str(kind) for kind in kinds[1:]]]
    for group in shared:
        if "DerivationImageSequence" in group:
            del group.DerivationImageSequence
    for number, group in enumerate(per_frame, 1):
        item = Dataset()
        item.DerivationDescription = description[:1024]
        item.DerivationCodeSequence = [_code(_LOSSY_COMPRESSION)]
        reference = _reference(source)
        if reference is not None:
            reference.ReferencedFrameNumber = number
            item.SourceImageSequence = [reference]
        else:
            item.SourceImageSequence = []
        group.DerivationImageSequence = [*(group.get("DerivationImageSequence") or []), item]


def set_lossy(dataset: Dataset, *, ratio: float | None, method: str | None) -> None:
    """Lossy for ever, with one more entry of ratio and method (PS3.3 C.7.6.1.1.5)."""
    dataset.LossyImageCompression = "01"
    if ratio is not None:
        dataset.LossyImageCompressionRatio = [
            *_values(dataset.get("LossyImageCompressionRatio")),
            decimal(round(ratio, 2)),
        ]
    if method is not None:
        dataset.LossyImageCompressionMethod = [*_values(dataset.get("LossyImageCompressionMethod")), method]


def file_meta(dataset: Dataset, transfer_syntax: str) -> FileMetaDataset:
    """Fresh file meta information: the source's may name its sender and hold private elements."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(transfer_syntax)
    return meta


def _values(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return [value] if isinstance(value, (str, int, float)) else list(value)


def _joined(earlier: Any, latest: str, *, limit: int) -> str:
    """Both texts where they fit, else the latest with the beginning of the earlier one."""
    latest = latest[:limit]
    earlier = str(earlier or "").strip()
    room = limit - len(latest) - len("; ")
    return f"{earlier[:room]}; {latest}" if earlier and room > 0 else latest


def _code(code: tuple[str, str]) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodeValue, item.CodeMeaning = code
    item.CodingSchemeDesignator = "DCM"
    return item


def _reference(source: Dataset) -> Dataset | None:
    from pydicom.dataset import Dataset

    if not source.get("SOPClassUID") or not source.get("SOPInstanceUID"):
        return None
    item = Dataset()
    item.ReferencedSOPClassUID = source.SOPClassUID
    item.ReferencedSOPInstanceUID = source.SOPInstanceUID
    item.PurposeOfReferenceCodeSequence = [_code(_PROCESSED_SOURCE)]
    return item


def _equipment() -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [_code(_PROCESSING_EQUIPMENT)]
    item.Manufacturer = _SOFTWARE
    item.ManufacturerModelName = _SOFTWARE
    item.SoftwareVersions = software_version()
    item.ContributionDateTime = datetime.datetime.now().strftime("%Y%m%d%H%M%S")
    item.ContributionDescription = "lossy compression for transmission, or restoration after it"
    return item
