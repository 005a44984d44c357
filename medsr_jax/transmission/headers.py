"""``headers="minimal"``: the attributes that restoring, routing and a conforming object need, and no others.

Attributes are most of a small DICOM packet. What is kept is listed here by the modules of PS3.3 that it belongs to:
identification, geometry, the meaning of values, and what the modules of the usual classes require (types 1 and 2).
Private elements go first, at all levels; of the standard's own, protocols and free descriptions go.
"""

from __future__ import annotations

import copy
import io

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from medsr_jax.imaging.derived import is_plane
from medsr_jax.transmission.original_form import FORM

CHOICES = ("all", "minimal")

MODULES: dict[str, tuple[str, ...]] = {
    "Patient (C.7.1.1) and Patient Study (C.7.2.2)": (
        "PatientName", "PatientID", "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "TypeOfPatientID",
        "PatientBirthDate", "PatientSex", "PatientAge", "PatientSpeciesDescription", "ResponsiblePerson",
        "ResponsiblePersonRole", "PatientIdentityRemoved", "DeidentificationMethod",
        "DeidentificationMethodCodeSequence", "QualityControlSubject",
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

# All of group 0054: vectors of energy windows, detectors, phases and slots, and what PET's values are.
_NUCLEAR_GROUP = 0x0054
_KEPT = frozenset(Tag(keyword) for keywords in MODULES.values() for keyword in keywords) | FORM


def minimal(dataset: Dataset) -> tuple[Dataset, tuple[str, ...], tuple[str, ...]]:
    """The data set without what restoring and routing do not need.

    Args:
        dataset: of the original; left alone.

    Returns:
        The data set, a note of how much was left out, and the names of what was: keywords, and tags of private
        elements. All of it stays where that costs less than the note.
    """
    result = copy.deepcopy(dataset)  # a shallow copy shares its elements
    dropped = Dataset()
    for tag in list(dataset.keys()):
        if not _kept(tag):
            dropped[tag] = result.pop(tag)
    private = sum(tag.is_private for tag in dropped.keys())  # noqa: SIM118
    private += sum(_without_private(result, tag) for tag in list(result.keys()))
    if not dropped and not private:
        return dataset, (), ()
    names = tuple(keyword_for_tag(tag) or str(tag) for tag in sorted(dropped.keys()))
    size = _size(dropped)
    note = f"headers minimal: {len(dropped)} elements ({size:,} bytes) do not travel, {private} private ones among them"
    if not private and size < 2 * len(note):
        return dataset, (), ()  # the note, which travels twice, would cost more
    return result, (note,), names


def _kept(tag: BaseTag) -> bool:
    return tag in _KEPT or tag.group == _NUCLEAR_GROUP or is_plane(tag)


def _without_private(dataset: Dataset, tag: BaseTag) -> int:
    """Remove private elements inside a sequence; how many there were."""
    element = dataset[tag]
    return sum(_purged(item) for item in element.value) if element.VR == "SQ" else 0


def _purged(item: Dataset) -> int:
    gone = [tag for tag in item.keys() if tag.is_private]  # noqa: SIM118
    for tag in gone:
        del item[tag]
    inner = [element for element in item if element.VR == "SQ"]
    return len(gone) + sum(_purged(below) for element in inner for below in element.value)


def _size(dataset: Dataset) -> int:
    """Bytes that elements take in a file, about; 0 where they can't be written."""
    try:
        buffer = io.BytesIO()
        dataset.save_as(buffer, implicit_vr=False, little_endian=True)
        return len(buffer.getvalue())
    except Exception:  # elements that were kept as they were read are of any kind
        return 0
