"""Which SOP class a derived image can honestly keep."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from medsr_jax.errors import MedsrError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_STORAGE = "1.2.840.10008.5.1.4.1.1."
SECONDARY_CAPTURE = _STORAGE + "7"
MULTIFRAME_BYTE = _STORAGE + "7.2"
MULTIFRAME_WORD = _STORAGE + "7.3"

# Attributes of Type 1, or 2, of the DX modules (PS3.3 A.26, C.8.11) that images of other origin often lack.
_DX_ATTRIBUTES = (
    "PresentationIntentType",
    "PixelIntensityRelationship",
    "PixelIntensityRelationshipSign",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "PresentationLUTShape",
    "PatientOrientation",
    "BurnedInAnnotation",
    "ImageLaterality",
    "AnatomicRegionSequence",
    "ImagerPixelSpacing",
    "DetectorType",
    "AcquisitionContextSequence",
)
_MG_ATTRIBUTES = ("PositionerType", "OrganExposed", "BreastImplantPresent", "ViewCodeSequence")


@dataclasses.dataclass(frozen=True)
class _Storage:
    """What an image IOD (PS3.3 Annex A) allows of the pixels.

    Attributes:
        allocated: bits allocated that are allowed.
        stored: lowest and highest number of bits stored.
        signed: signed pixels are allowed.
        frames: several frames are allowed.
        slope, intercept: a rescale slope other than 1, an intercept other than 0 are allowed.
        needs: attributes without which the object would not conform.
    """

    allocated: tuple[int, ...] = (8, 16)
    stored: tuple[int, int] = (1, 16)
    signed: bool = False
    frames: bool = False
    slope: bool = True
    intercept: bool = True
    needs: tuple[str, ...] = ()


_DX = _Storage(stored=(6, 16), slope=False, intercept=False, needs=_DX_ATTRIBUTES)
_MG = dataclasses.replace(_DX, needs=_DX_ATTRIBUTES + _MG_ATTRIBUTES)
_FLUOROSCOPY = _Storage(stored=(8, 16), frames=True)
_ENHANCED = _Storage(stored=(8, 16), signed=True, frames=True)

_CLASSES = {
    "1": _Storage(signed=True),  # Computed Radiography
    "1.1": _DX,
    "1.1.1": _DX,
    "1.2": _MG,
    "1.2.1": _MG,
    "1.3": _DX,
    "1.3.1": _DX,
    "2": _Storage(allocated=(16,), stored=(12, 16), signed=True),  # CT
    "2.1": dataclasses.replace(_ENHANCED, allocated=(16,), stored=(12, 16)),
    "3.1": _Storage(allocated=(8,), stored=(8, 8), frames=True, slope=False, intercept=False),  # Ultrasound
    "4": _Storage(allocated=(16,), signed=True),  # MR
    "4.1": _ENHANCED,
    "6.1": _Storage(allocated=(8,), stored=(8, 8), slope=False, intercept=False),
    "7": _Storage(allocated=(8, 16, 32), stored=(1, 32), signed=True),
    "7.2": _Storage(allocated=(8,), stored=(8, 8), frames=True, slope=False, intercept=False),
    "7.3": _Storage(allocated=(16,), stored=(9, 16), frames=True),
    "12.1": _FLUOROSCOPY,
    "12.1.1": dataclasses.replace(_ENHANCED, signed=False),
    "12.2": _FLUOROSCOPY,
    "12.2.1": dataclasses.replace(_ENHANCED, signed=False),
    "13.1.1": dataclasses.replace(_ENHANCED, signed=False),  # X-ray 3D
    "13.1.2": dataclasses.replace(_ENHANCED, signed=False),
    "13.1.3": dataclasses.replace(_ENHANCED, allocated=(16,), signed=False),  # Breast Tomosynthesis
    "20": _Storage(stored=(8, 16), signed=True, frames=True, slope=False, intercept=False),  # Nuclear Medicine
    "128": _Storage(allocated=(16,), stored=(16, 16), signed=True, intercept=False),  # PET
    "130": dataclasses.replace(_ENHANCED, allocated=(16,)),
    "481.1": _Storage(frames=True),  # RT Image
}
_NOT_IMAGES = {
    "481.2": "radiation doses",
    "66.4": "a segmentation",
    "66.7": "a segmentation",
    "30": "measured values (a parametric map)",
}


def check_derivable(dataset: Dataset) -> None:
    """Refuses objects whose pixels are no picture, so that lossy compression would falsify them.

    Raises:
        MedsrError: dose grids, segmentations and parametric maps. The message names no file.
    """
    what = _NOT_IMAGES.get(str(dataset.get("SOPClassUID", "")).removeprefix(_STORAGE))
    if what:
        raise MedsrError(f"holds {what}, which lossy compression would falsify", remedy="send it by other means")


def choose_sop_class(
    dataset: Dataset,
    *,
    preferred: str,
    frames: int,
    signed: bool,
    slope: float,
    intercept: float,
) -> str:
    """The preferred class when it allows such pixels, else Secondary Capture, which asks little.

    Args:
        dataset: the derived data set, complete but for its class, with the new Bits Allocated and Bits Stored.
        preferred: SOP Class UID to keep.
        frames, signed: the pixels as they will be stored.
        slope, intercept: the rescale of the data set.

    Raises:
        MedsrError: no class holds such pixels.
    """
    allocated, stored = int(dataset.BitsAllocated), int(dataset.BitsStored)
    groups = dataset.get("PerFrameFunctionalGroupsSequence")
    storage = _CLASSES.get(preferred.removeprefix(_STORAGE))
    fits = (
        storage is not None
        and allocated in storage.allocated
        and storage.stored[0] <= stored <= storage.stored[1]
        and (storage.signed or not signed)
        and (storage.frames or frames == 1)
        and (storage.slope or slope == 1)
        and (storage.intercept or intercept == 0)
        and all(keyword in dataset for keyword in storage.needs)
        and (groups is None or len(groups) == frames)
    )
    if fits:
        return preferred
    if frames == 1:
        return SECONDARY_CAPTURE
    if stored == 8 and not signed:
        return MULTIFRAME_BYTE
    if 8 < stored <= 16:
        return MULTIFRAME_WORD
    raise MedsrError(f"has {frames} frames of {stored} bits, which no DICOM class for derived images holds")
