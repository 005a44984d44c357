"""The spread of the self-ensemble as a file beside the restored image, with its units and with what it is not."""

from __future__ import annotations

import copy
import os
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import Image, derive_dataset, write_dicom, write_image
from medsr_jax.imaging.dicom.derive import damage_named
from medsr_jax.imaging.dicom.sop_class import SECONDARY_CAPTURE
from medsr_jax.imaging.dicom.stored_values import name_unit
from medsr_jax.imaging.numbers import decimal
from medsr_jax.restoration.assembly import Restored
from medsr_jax.transmission.packet import Packet

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

WARNING = (
    "Standard deviation of a neural network's answers to the eight flips and transposes of the image it was given. Not"
    " an image for diagnosis and no probability of error: what the sender lost, it does not show."
)
_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_SERIES_OFFSET = 93
_CODES = 65535
# Of the image's values and not of a difference between them, or of how they are to be shown.
_OF_VALUES = (
    "RescaleSlope",
    "RescaleIntercept",
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
    "ModalityLUTSequence",
    "RealWorldValueMappingSequence",
    "PixelIntensityRelationship",
    "PixelIntensityRelationshipSign",
    "VOILUTSequence",
    "WindowCenter",
    "WindowWidth",
    "WindowCenterWidthExplanation",
    "VOILUTFunction",
)


def uncertainty_path(path: str | os.PathLike[str]) -> pathlib.Path:
    """Where the map of a restored image goes: ``a.png`` has it in ``a-uncertainty.png``."""
    path = pathlib.Path(path)
    return path.with_name(f"{path.stem}-uncertainty{path.suffix}")


def write_uncertainty(
    path: str | os.PathLike[str], packet: Packet, restored: Restored, *, model: str, image: Dataset | None = None
) -> None:
    """Write the spread, as the kind of file that the restored image is.

    A PNG has 16 bits, of which all are used, so that any viewer shows something; what a step is worth stands in its
    text chunk ``Description``. A TIFF holds float32 in the units of the image. DICOM is a derived object whose
    displayed values are in the units of the image's.

    Args:
        path: of the file.
        packet, restored: as of `write_restored`; restored with uncertainty.
        model: that made it.
        image: data set of the restored image, for DICOM, to refer to.

    Raises:
        MedsrError: there is no spread, or the file can't be written.
    """
    if restored.spread is None:
        raise MedsrError("the image was restored without uncertainty", path=path, remedy="there is nothing to write")
    try:
        if packet.header.kind == "dicom":
            write_dicom(path, uncertainty_dataset(packet, restored, model=model, image=image))
            return
        if pathlib.Path(path).suffix.lower() in (".tif", ".tiff"):
            pixels, unit = restored.spread, "In stored values of the image."
        else:
            pixels, step = _as_codes(restored.spread)
            unit = f"{step:.6g} stored values of the image a step."
        write_image(
            path,
            Image(
                pixels=pixels,
                value_range=(0, _CODES) if pixels.dtype == np.uint16 else (0.0, float(pixels.max())),
                kind=packet.header.kind,
                spacing=packet.header.spacing,
            ),
            description=f"{unit} {WARNING} Model {model}.",
        )
    except MedsrError as error:
        error.remedy = f"{error.remedy or 'choose another folder'} (the image beside it is written, without its map)"
        raise


def uncertainty_dataset(packet: Packet, restored: Restored, *, model: str, image: Dataset | None = None) -> Dataset:
    """The map as a Secondary Capture object of the same study, in a series of its own (PS3.3 A.8).

    Its values are in the unit that the image's are rescaled to, without the intercept, since they are differences: of a
    CT slice, HU. Where the image has a modality look-up table in place of a rescale, the unit is a stored value.

    Raises:
        MedsrError: no DICOM object can hold it.
    """
    if packet.dataset is None or restored.spread is None:
        raise MedsrError("a map of uncertainty as DICOM needs a DICOM packet that was restored with uncertainty")
    from medsr_jax.transmission.dicom_packet import sent_dataset  # pydicom is slow to import

    with damage_named():
        source, slopes = _without_values(packet.dataset, frames=len(restored.spread))
    codes, step = _as_codes(restored.spread * slopes[:, None, None])
    dataset = derive_dataset(
        source,
        frames=codes,
        transfer_syntax=_EXPLICIT_VR_LITTLE_ENDIAN,
        bits_stored=16,
        signed=False,
        rescale=(step, 0.0),
        description=f"Spread of the answers of medsr_jax model {model} to eight flips and transposes of the image",
        series_description=f"Uncertainty of restored x{packet.header.scale}, not an image ({model})",
        comments=WARNING,
        series_offset=_SERIES_OFFSET,
        series_identity=restored.identity or model,
        identity=f"{packet.sha256} {restored.identity or model}",
        history=packet.sent if packet.sent is not None else sent_dataset(packet),
        sop_class=SECONDARY_CAPTURE,
    )
    dataset.ImageType = ["DERIVED", "SECONDARY", "UNCERTAINTY"]
    if codes.any():
        dataset.WindowCenter, dataset.WindowWidth = (decimal(part * step * _CODES) for part in (0.5, 1.0))
    if image is not None:
        dataset.ReferencedImageSequence = [_reference(image)]
    return dataset


def _as_codes(spread: np.ndarray) -> tuple[np.ndarray, float]:
    """uint16 codes that reach up to 65535, and what a step of them is worth."""
    # As DICOM will write it, so that values come back from what is written.
    step = float(decimal(float(spread.max()) / _CODES)) or 1.0
    return np.clip(np.rint(spread / np.float32(step)), 0, _CODES).astype(np.uint16), step


def _without_values(source: Dataset, *, frames: int) -> tuple[Dataset, np.ndarray]:
    """A copy without statements on the image's values except their unit and the slopes from stored values to it.

    Returns:
        The copy, and (frames,) float32, each positive.
    """
    result = copy.deepcopy(source)
    name_unit(result)
    shared = list(result.get("SharedFunctionalGroupsSequence") or [])
    each = list(result.get("PerFrameFunctionalGroupsSequence") or [])
    slopes = np.full(frames, _slope(result), np.float32)
    places: list[tuple[Any, Dataset]] = [*((slice(None), group) for group in shared), *enumerate(each[:frames])]
    for chosen, group in places:
        for item in group.get("PixelValueTransformationSequence") or []:
            slopes[chosen] = _slope(item)
            result.RescaleType = result.get("RescaleType") or item.get("RescaleType") or "US"
    for holder in [result, *shared, *each]:
        for keyword in _OF_VALUES:
            if keyword in holder:
                del holder[keyword]
    result.PhotometricInterpretation = "MONOCHROME2"
    if "PresentationLUTShape" in result:
        result.PresentationLUTShape = "IDENTITY"
    return result, slopes


def _slope(holder: Dataset) -> float:
    """Of a rescale, without its sign, which a deviation has not; 1 where there is none."""
    value = holder.get("RescaleSlope")
    return abs(float(value)) if value not in (None, "") and float(value) else 1.0


def _reference(image: Dataset) -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID = image.SOPClassUID
    item.ReferencedSOPInstanceUID = image.SOPInstanceUID
    return item
