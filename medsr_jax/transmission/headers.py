"""``headers="minimal"``: the attributes that restoring, routing and a conforming object need, and no others.

Attributes are most of a small DICOM packet. What is kept is listed here by the modules of PS3.3 that it belongs to:
identification, geometry, the meaning of values, and what the modules of `CLASSES` require (types 1 and 2).
Private elements go first, at all levels; of the standard's own, protocols and free descriptions go. Objects of other
classes, whose modules are not listed, lose their private elements alone.
"""

from __future__ import annotations

import copy
import dataclasses

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.tag import BaseTag, Tag

from medsr_jax.imaging.dicom.derive import STALE, is_plane
from medsr_jax.transmission.original_form import FORM

CHOICES = ("all", "minimal")

MODULES: dict[str, tuple[str, ...]] = {
    "Patient (C.7.1.1) and Patient Study (C.7.2.2)": (
        "PatientName", "PatientID", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "TypeOfPatientID",
        "PatientBirthDate", "PatientSex", "PatientAge", "PatientSpeciesDescription", "ResponsiblePerson",
        "ResponsiblePersonRole", "PatientIdentityRemoved", "DeidentificationMethod",
        "DeidentificationMethodCodeSequence", "LongitudinalTemporalInformationModified", "QualityControlSubject",
    ),
    "General Study (C.7.2.1) and Clinical Trial (C.7.1.3)": (
        "StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber",
        "IssuerOfAccessionNumberSequence", "StudyDescription", "ClinicalTrialSponsorName", "ClinicalTrialProtocolID",
        "ClinicalTrialSubjectID",
    ),
    "General Series (C.7.3.1)": (
        "Modality", "SeriesInstanceUID", "SeriesNumber", "Laterality", "SeriesDate", "SeriesTime", "SeriesDescription",
        "BodyPartExamined", "PatientPosition", "AnatomicalOrientationType", "PresentationIntentType",
        "ReferencedPerformedProcedureStepSequence",
    ),
    "Frame of Reference (C.7.4.1) and Equipment (C.7.5.1)": (
        "FrameOfReferenceUID", "PositionReferenceIndicator", "SynchronizationFrameOfReferenceUID",
        "AcquisitionTimeSynchronized", "SynchronizationTrigger", "Manufacturer", "ManufacturerModelName",
        "DeviceSerialNumber", "SoftwareVersions", "InstitutionName", "StationName", "ContributingEquipmentSequence",
        "DateOfSecondaryCapture", "TimeOfSecondaryCapture", "SecondaryCaptureDeviceManufacturer", "ConversionType",
    ),
    "General Image (C.7.6.1), SOP Common (C.12.1)": (
        "SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "TimezoneOffsetFromUTC", "ImageType",
        "InstanceNumber", "AcquisitionNumber", "AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime",
        "ContentDate", "ContentTime", "PatientOrientation", "ImageLaterality", "BurnedInAnnotation",
        "RecognizableVisualFeatures", "LossyImageCompression", "LossyImageCompressionRatio",
        "LossyImageCompressionMethod", "DerivationDescription", "DerivationCodeSequence", "SourceImageSequence",
        "ImageComments", "QualityControlImage", "PresentationLUTShape", "AcquisitionContextSequence",
        "ReferencedImageSequence", "ImagesInAcquisition", "InstanceCreationDate", "InstanceCreationTime",
    ),
    "Image Plane (C.7.6.2) and pixel spacing (10.7)": (
        "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelSpacingCalibrationType",
        "PixelSpacingCalibrationDescription", "EstimatedRadiographicMagnificationFactor", "ImagePositionPatient",
        "ImageOrientationPatient", "SliceThickness", "SliceLocation", "SpacingBetweenSlices", "SliceVector",
        "DistanceSourceToDetector", "DistanceSourceToPatient",
    ),
    "Multi-frame (C.7.6.6), cine (C.7.6.5) and dimensions (C.7.6.17)": (
        "FrameTime", "FrameTimeVector", "FrameDelay", "CineRate", "RecommendedDisplayFrameRate", "StartTrim",
        "StopTrim", "ActualFrameDuration", "DimensionOrganizationType", "DimensionOrganizationSequence",
        "DimensionIndexSequence", "ConcatenationUID", "SOPInstanceUIDOfConcatenationSource", "InConcatenationNumber",
        "InConcatenationTotalNumber", "ConcatenationFrameOffsetNumber", "RepresentativeFrameNumber",
    ),
    "VOI LUT (C.11.2) and display shutters (C.7.6.11, C.7.6.15)": (
        "WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction", "ShutterLeftVerticalEdge",
        "ShutterRightVerticalEdge", "ShutterUpperHorizontalEdge", "ShutterLowerHorizontalEdge",
        "CenterOfCircularShutter", "RadiusOfCircularShutter", "VerticesOfThePolygonalShutter",
        "PixelIntensityRelationship", "PixelIntensityRelationshipSign", "SmallestImagePixelValue",
        "LargestImagePixelValue",
    ),
    "CT (C.8.2), MR (C.8.3) and their enhanced classes": (
        "KVP", "GantryDetectorTilt", "ScanningSequence", "SequenceVariant", "ScanOptions", "MRAcquisitionType",
        "RepetitionTime", "EchoTime", "EchoTrainLength", "InversionTime", "TriggerTime", "MagneticFieldStrength",
        "ResonantNucleus", "KSpaceFiltering", "ApplicableSafetyStandardAgency", "AcquisitionContrast",
        "PixelPresentation", "VolumetricProperties", "VolumeBasedCalculationTechnique", "ComplexImageComponent",
        "ContentQualification", "MultienergyCTAcquisition", "ContrastBolusAgent", "ContrastBolusAgentSequence",
    ),
    "CR, DX, mammography, intra-oral (C.8.1, C.8.11), X-ray angiography (C.8.7)": (
        "ViewPosition", "ViewCodeSequence", "AnatomicRegionSequence", "PrimaryAnatomicStructureSequence",
        "DetectorType", "DetectorID", "PositionerType", "OrganExposed", "PartialView", "BreastImplantPresent",
        "FilmOrientation", "KVP", "Exposure", "ExposureTime", "XRayTubeCurrent", "RadiationSetting",
        "RadiationMode", "PositionerMotion", "PositionerPrimaryAngle", "PositionerSecondaryAngle", "FieldOfViewShape",
        "FieldOfViewOrigin", "FieldOfViewRotation", "FieldOfViewHorizontalFlip", "CollimatorShape", "GridID",
        "RequestAttributesSequence", "CalibrationImage", "PartialViewDescription", "BodyPartThickness",
        "PositionerPrimaryAngleIncrement", "PositionerSecondaryAngleIncrement", "TableMotion", "TableAngle",
        "TableVerticalIncrement", "TableLateralIncrement", "TableLongitudinalIncrement", "ColumnAngulation",
        "MaskSubtractionSequence", "RecommendedViewingMode",
    ),
    "Ultrasound (C.8.5.6) and visible light": (
        "SequenceOfUltrasoundRegions", "UltrasoundColorDataPresent", "TransducerType", "EventTimerSequence",
        "StageName", "NumberOfStages", "StageNumber", "ViewName", "NumberOfViewsInStage", "ViewNumber",
    ),
    "Nuclear medicine and PET (C.8.4, C.8.9), whose vectors describe frames": (
        "CountsAccumulated", "CollimatorType", "CorrectedImage", "TableHeight", "TableTraverse", "WholeBodyTechnique",
        "RadiopharmaceuticalInformationSequence",
    ),
}  # fmt: skip

_STORAGE = "1.2.840.10008.5.1.4.1.1."
CLASSES = frozenset(
    _STORAGE + end
    for end in (
        "1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1",  # CR, DX, mammography, intra-oral
        "2", "2.1", "4", "4.1",  # CT, MR and their enhanced classes
        "3", "3.1", "6", "6.1",  # ultrasound
        "7", "7.1", "7.2", "7.3", "7.4",  # Secondary Capture
        "12.1", "12.2", "5", "20", "128",  # angiography, fluoroscopy, nuclear medicine, PET
    )
)  # fmt: skip
"""SOP classes whose modules `MODULES` lists."""

# All of group 0054: vectors of energy windows, detectors, phases and slots, and what PET's values are.
_NUCLEAR_GROUP = 0x0054
_KEPT = frozenset(Tag(keyword) for keywords in MODULES.values() for keyword in keywords) | FORM
_NEVER = frozenset(Tag(keyword) for keyword in STALE)
_AROUND_NOTE = 16
"""Bytes besides the note itself, which travels twice: in the private block and in DerivationDescription."""


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """What does not travel.

    Attributes:
        private, standard: names: keywords, tags of private elements, with those of the sequences that they are in.
        private_bytes, standard_bytes: what they take in a file.
    """

    private: tuple[str, ...] = ()
    standard: tuple[str, ...] = ()
    private_bytes: int = 0
    standard_bytes: int = 0

    @property
    def note(self) -> str:
        """A line of how many and how large they are; empty where there are none."""
        private = f"{len(self.private)} private elements ({self.private_bytes:,} bytes)" if self.private else ""
        standard = f"{len(self.standard)} {'others' if private else 'elements'}" if self.standard else ""
        standard += f" ({self.standard_bytes:,} bytes)" if standard else ""
        parts = " and ".join(part for part in (private, standard) if part)
        return f"headers minimal: {parts} do not travel" if parts else ""


def minimal(dataset: Dataset) -> tuple[Dataset, LeftOut]:
    """The data set without what restoring and routing do not need.

    Args:
        dataset: of the original; left alone.

    Returns:
        The data set and what it lacks: nothing where there is no private element and a note of the others would take
        more bytes than they do.
    """
    listed = str(dataset.get("SOPClassUID", "")) in CLASSES
    result = copy.deepcopy(dataset)  # a shallow copy shares its elements
    private = _taken(result, where="")
    standard = {
        keyword_for_tag(tag) or str(tag): _taken_one(result, tag)
        for tag in list(result.keys())
        if listed and not _kept(tag)
    }
    left_out = LeftOut(
        tuple(private), tuple(standard), sum(map(_size, private.values())), sum(map(_size, standard.values()))
    )
    if not private and left_out.standard_bytes <= 2 * len(left_out.note) + _AROUND_NOTE:
        return dataset, LeftOut()
    return result, left_out


def _kept(tag: BaseTag) -> bool:
    """Whether a standard element stays; what never travels is none of this choice's doing."""
    return tag in _KEPT or tag in _NEVER or not tag.element or tag.group == _NUCLEAR_GROUP or is_plane(tag)


def _taken(dataset: Dataset, *, where: str) -> dict[str, DataElement]:
    """Remove private elements at all levels; them by name."""
    gone = {f"{where}{tag}": _taken_one(dataset, tag) for tag in list(dataset.keys()) if tag.is_private}
    for element in [element for element in dataset if element.VR == "SQ"]:
        for number, item in enumerate(element.value or [], 1):
            gone |= _taken(item, where=f"{where}{element.keyword or element.tag}[{number}].")
    return gone


def _taken_one(dataset: Dataset, tag: BaseTag) -> DataElement:
    element = dataset[tag]
    del dataset[tag]
    return element


def _size(element: DataElement) -> int:
    """Bytes that an element takes in a file."""
    item, target = Dataset(), DicomBytesIO()
    target.is_implicit_VR, target.is_little_endian = False, True
    item[element.tag] = element
    try:
        write_dataset(target, item)
    except Exception:  # elements that were kept as they were read are of any kind
        return len(element.value) if isinstance(element.value, bytes) else 0
    return len(target.getvalue())
