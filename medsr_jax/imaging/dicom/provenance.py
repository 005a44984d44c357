"""Who a derived DICOM object is, where it came from and what was done to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medsr_jax import __version__
from medsr_jax.imaging.dicom.sop_class import MULTIFRAME_BYTE, MULTIFRAME_WORD, SECONDARY_CAPTURE
from medsr_jax.imaging.dicom.uids import IMPLEMENTATION_CLASS_UID, derived_uid
from medsr_jax.imaging.numbers import decimal

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileMetaDataset

_SOFTWARE = "medsr_jax"
_LOSSY_COMPRESSION = ("113040", "Lossy Compression")
_SPATIAL_RESAMPLING = ("113085", "Spatial resampling")
_PROCESSED_SOURCE = ("121322", "Source image for image processing operation")
_PROCESSING_EQUIPMENT = ("109102", "Processing Equipment")


def set_class(dataset: Dataset, sop_class: str, *, frames: int) -> None:
    """Gives the data set its SOP class, and what Secondary Capture needs (PS3.3 C.8.6)."""
    from pydicom.uid import UID

    dataset.SOPClassUID = UID(sop_class)
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1" and dataset.get("PresentationLUTShape") == "IDENTITY":
        dataset.PresentationLUTShape = "INVERSE"  # what MONOCHROME1 means (PS3.3 C.7.6.3.1.2), whatever the source says
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
    # Burned In Annotation is of Type 1 here, and is left out where the source lacks it: only a person could know.
    inverted = dataset.get("PhotometricInterpretation") == "MONOCHROME1"
    dataset.PresentationLUTShape = "INVERSE" if inverted else "IDENTITY"
    if "ModalityLUTSequence" not in dataset and not _frames_are_transformed(dataset):
        for keyword, value in (("RescaleSlope", "1"), ("RescaleIntercept", "0"), ("RescaleType", "US")):
            if keyword not in dataset:
                setattr(dataset, keyword, value)


def _frames_are_transformed(dataset: Dataset) -> bool:
    """Whether functional groups rescale the frames, so that a rescale beside them would contradict."""
    return any(
        "PixelValueTransformationSequence" in group
        for keyword in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
        for group in dataset.get(keyword) or []
    )


def set_identity(
    dataset: Dataset,
    source: Dataset,
    *,
    series_description: str,
    series_offset: int,
    series_identity: str,
    identity: str,
) -> None:
    """An instance of its own, in the series that belongs to its source's series and the description.

    UIDs are computed (`uids.derived_uid`), so that the same work done twice makes the same object. For that nothing
    states the time either: Instance Creation Date and the time of contribution are of Type 3.
    """
    from pydicom.uid import UID

    instance = str(source.get("SOPInstanceUID", "") or "")
    series = str(source.get("SeriesInstanceUID", "") or "") or instance or identity
    if not dataset.get("StudyInstanceUID"):
        dataset.StudyInstanceUID = UID(derived_uid("study", series))
    dataset.SeriesInstanceUID = UID(derived_uid("series", series, series_description, series_identity))
    dataset.SOPInstanceUID = UID(derived_uid("instance", instance, series_description, identity))
    dataset.SeriesDescription = series_description[:64]
    dataset.SeriesNumber = _series_number(source.get("SeriesNumber"), series_offset)
    for keyword in ("ConcatenationUID", "SOPInstanceUIDOfConcatenationSource"):
        if dataset.get(keyword):
            setattr(
                dataset, keyword, UID(derived_uid("concatenation", str(dataset[keyword].value), series_description))
            )


def _series_number(number: Any, offset: int) -> int | None:
    """A hundred times the source's number and an offset; None where an Integer String could not hold it."""
    try:
        derived = 100 * int(number or 0) + offset
    except (TypeError, ValueError):
        return offset
    return derived if abs(derived) < 2**31 else None


def set_history(dataset: Dataset, source: Dataset, *, description: str, comments: str | None, resampled: bool) -> None:
    """Image Type, what was done, from which image and by what software.

    Args:
        dataset: changed in place; it has the Image Type of what it shows.
        source: the object that it was made from, with the history until then.
        description, comments: added to the source's.
        resampled: its pixels have another size.
    """
    kinds = _values(dataset.get("ImageType"))
    dataset.ImageType = ["DERIVED", *([str(kind) for kind in kinds[1:]] or ["SECONDARY"])]
    dataset.DerivationDescription = _joined(source.get("DerivationDescription"), description, limit=1024)
    if comments:
        dataset.ImageComments = _joined(source.get("ImageComments"), comments, limit=10240)
    equipment = source.get("ContributingEquipmentSequence") or []
    codes = list(source.get("DerivationCodeSequence") or [])
    for code in (_LOSSY_COMPRESSION, *([_SPATIAL_RESAMPLING] if resampled else [])):
        if not any(str(item.get("CodeValue", "")) == code[0] for item in codes):
            codes.append(_code(code))
    dataset.DerivationCodeSequence = codes
    reference = _reference(source)
    if reference is not None:
        # The nearest ancestor first; its own ancestors stay known.
        dataset.SourceImageSequence = [reference, *(source.get("SourceImageSequence") or [])]
    _set_frame_history(dataset, source, description=description)
    if reference is not None and dataset.get("PerFrameFunctionalGroupsSequence"):
        evidence = source.get("SourceImageEvidenceSequence") or []
        dataset.SourceImageEvidenceSequence = [_evidence(source), *evidence]
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


def set_lossy(dataset: Dataset, source: Dataset, *, ratio: float | None, method: str | None) -> None:
    """Marked lossy, with the source's entries of ratio and method and one more (PS3.3 C.7.6.1.1.5)."""
    dataset.LossyImageCompression = "01"
    entries = {"LossyImageCompressionRatio": None if ratio is None else decimal(round(ratio, 2))}
    entries["LossyImageCompressionMethod"] = method
    for keyword, entry in entries.items():
        values = _values(source.get(keyword)) + ([] if entry is None else [entry])
        if values:
            setattr(dataset, keyword, values)


def file_meta(dataset: Dataset, transfer_syntax: str) -> FileMetaDataset:
    """Fresh file meta information: the source's may name its sender and hold private elements."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = UID(transfer_syntax)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    # At most 16 characters (PS3.10, 7.1), so that long development versions are cut.
    meta.ImplementationVersionName = f"MEDSR_{__version__}"[:16].strip()
    return meta


def _values(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    if isinstance(value, bytes):  # kept as they are, see `verbatim`
        value = value.decode("latin-1").split("\\")
    return [value] if isinstance(value, (str, int, float)) else list(value)


def _joined(earlier: Any, latest: str, *, limit: int) -> str:
    """Both texts where they fit, else the latest with the beginning of the earlier one."""
    latest = latest[:limit]
    earlier = "\\".join(map(str, _values(earlier))).strip()
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


def _evidence(source: Dataset) -> Dataset:
    """An item of Source Image Evidence Sequence, which multi-frame objects need for each source (PS3.3 C.8.15.2)."""
    from pydicom.dataset import Dataset

    instance, series, study = Dataset(), Dataset(), Dataset()
    instance.ReferencedSOPClassUID = source.SOPClassUID
    instance.ReferencedSOPInstanceUID = source.SOPInstanceUID
    series.SeriesInstanceUID = source.get("SeriesInstanceUID")
    series.ReferencedSOPSequence = [instance]
    study.StudyInstanceUID = source.get("StudyInstanceUID")
    study.ReferencedSeriesSequence = [series]
    return study


def _equipment() -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.PurposeOfReferenceCodeSequence = [_code(_PROCESSING_EQUIPMENT)]
    item.Manufacturer = _SOFTWARE
    item.ManufacturerModelName = _SOFTWARE
    item.SoftwareVersions = __version__
    item.ContributionDescription = "lossy compression for transmission, or restoration after it"
    return item
