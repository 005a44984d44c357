"""DICOM objects derived from others by lossy means.

PS3.3 C.7.6.1 (General Image), C.7.6.1.1.5 (lossy compression), C.7.5.2 (Enhanced and contributing equipment),
C.12.1 (SOP Common); the restored image of a lossy one stays a lossy one for ever.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from medsr_jax.errors import MedsrError, named
from medsr_jax.imaging.files import atomic_write

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# Elements that describe the old pixels, encoding or storage and nothing else.
_STALE = (
    "PixelData",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "SmallestImagePixelValueInPlane",
    "LargestImagePixelValueInPlane",
    "IconImageSequence",
    "PixelDataProviderURL",
    "DigitalSignaturesSequence",
    "MACParametersSequence",
    "DataSetTrailingPadding",
    "AvailableTransferSyntaxUID",
    "StorageMediaFileSetID",
    "StorageMediaFileSetUID",
    "RetrieveAETitle",
    "InstanceAvailability",
)
_COLOUR = (
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
# Elements that must be there, empty if unknown (Type 2), in any image of the classes written here.
_TYPE_2 = (
    "AccessionNumber",
    "InstanceNumber",
    "PatientBirthDate",
    "PatientID",
    "PatientName",
    "PatientSex",
    "ReferringPhysicianName",
    "SeriesNumber",
    "StudyDate",
    "StudyID",
    "StudyTime",
)


def derive_dataset(
    source: Dataset,
    *,
    frames: np.ndarray[Any, Any] | Sequence[bytes],
    transfer_syntax: str,
    bits_stored: int,
    signed: bool,
    description: str,
    series_description: str,
    rows: int | None = None,
    columns: int | None = None,
    spacing_scale: tuple[float, float] = (1.0, 1.0),
    rescale: tuple[float, float] | None = None,
    ratio: float | None = None,
    method: str | None = None,
    comments: str | None = None,
    padding: tuple[float, float] | None = None,
    sop_class: str | None = None,
) -> Dataset:
    """A new object that says honestly how it came from `source`.

    It has a new SOP Instance UID; a Series UID that is the same for all objects derived with the same series
    description from one series; and the Study, Patient and Frame of Reference of its source, whose private
    elements it keeps. Elements that can't be parsed are left out. It keeps the SOP class where that allows
    the new pixels, else it is a Secondary Capture object: CT in 8 bits, for one, or DX without its modules.

    Args:
      source: data set of the source; left alone. It needs no pixel data.
      frames: (frames, rows, columns) integers, stored as they are; or encoded frames.
      transfer_syntax: UID of the transfer syntax, native (little endian) for an array.
      bits_stored: bits that hold a value; 8 bits are allocated for up to 8, else 16 or 32.
      signed: stored values are two's complement.
      description: what was done, added to Derivation Description.
      series_description: at most 64 characters.
      rows, columns: size of encoded frames; an array knows its own.
      spacing_scale: new pixel size over old, of rows and of columns.
      rescale: slope and intercept from the new stored values to those of `source`, when they differ.
      ratio, method: one more entry of Lossy Image Compression Ratio and Method, such as ISO_10918_1.
      comments: added to Image Comments.
      padding: inclusive range of padding values among the new stored values, if any still marks padding.
      sop_class: SOP class to use in place of the source's, where it allows the pixels.

    Returns:
      A data set with file meta information, for `write_dicom`.

    Raises:
      MedsrError: the source is no picture (doses, segmentations) or its elements are damaged.
    """
    from medsr_jax.imaging import derivation, geometry, stored_values
    from medsr_jax.imaging import sop_class as classes

    if isinstance(frames, np.ndarray):
        rows, columns = frames.shape[1:]
    if rows is None or columns is None:
        raise ValueError("encoded frames need rows and columns")
    with damage_named():
        classes.check_derivable(source)
        result = _copy(source)
        same_size = (result.get("Rows"), result.get("Columns")) == (rows, columns) and spacing_scale == (1, 1)
        _drop_stale(result, keep_overlays=same_size)
        stored_values.name_unit(result)
        if not same_size:
            geometry.rescale_geometry(result, scale=spacing_scale, rows=rows, columns=columns)
        slope, intercept = stored_values.rescale_values(
            result, rescale=rescale or (1.0, 0.0), bits_stored=bits_stored, signed=signed
        )
        stored_values.set_padding(result, padding=padding, signed=signed)
        _set_pixels(result, frames, rows, columns, transfer_syntax, bits_stored, signed)
        chosen = classes.choose_sop_class(
            result,
            preferred=sop_class or str(source.get("SOPClassUID", "")),
            frames=len(frames),
            signed=signed,
            slope=slope,
            intercept=intercept,
        )
        derivation.set_class(result, chosen, frames=len(frames))
        derivation.set_identity(result, source, series_description=series_description)
        derivation.set_history(
            result, source, description=description, comments=comments, resampled=spacing_scale != (1, 1)
        )
        derivation.set_lossy(result, ratio=ratio, method=method)
        for keyword in _TYPE_2:
            if keyword not in result:
                setattr(result, keyword, None)
        result.file_meta = derivation.file_meta(result, transfer_syntax)
    return result


@contextlib.contextmanager
def damage_named() -> Iterator[None]:
    """Makes what pydicom raises over damaged elements the user's error, and keeps it from warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except MedsrError:
            raise
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise MedsrError(f"has DICOM elements that can't be carried over: {reason}") from error


def _copy(source: Dataset) -> Dataset:
    """A deep copy whose elements are all parsed, in explicit little endian terms."""
    import copy

    from medsr_jax.imaging.stored_values import swap_bytes

    result = copy.deepcopy(source)
    _parse_all(result)
    _, little_endian = source.original_encoding
    if little_endian is False:
        swap_bytes(result)
    return result


def _parse_all(dataset: Dataset) -> None:
    """Parses every element, and drops those that can't be: one bad number should keep no image behind.

    This settles elements of ambiguous VR while the Pixel Representation that they were written for is there.
    """
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
        except Exception:
            del dataset[tag]
            continue
        if element.VR == "SQ":
            for item in element.value:
                _parse_all(item)


def _drop_stale(dataset: Dataset, *, keep_overlays: bool) -> None:
    for keyword in _STALE:
        if keyword in dataset:
            del dataset[keyword]
    if dataset.get("PhotometricInterpretation") not in ("MONOCHROME1", "MONOCHROME2"):
        for keyword in _COLOUR:
            if keyword in dataset:
                del dataset[keyword]
    overlays = False
    for element in list(dataset):
        group = element.tag.group
        # Overlays inside the pixels' unused bits go in any case; curves are retired.
        lost = 0x5000 <= group <= 0x50FF or element.tag.element == 0x0000
        if 0x6000 <= group <= 0x60FF and not (keep_overlays and (group, 0x3000) in dataset):
            lost = overlays = True
        if lost:
            del dataset[element.tag]
    if overlays and "ShutterOverlayGroup" in dataset:
        for keyword in ("ShutterOverlayGroup", "ShutterShape", "ShutterPresentationValue"):
            if keyword in dataset:
                del dataset[keyword]


def _set_pixels(
    dataset: Dataset,
    frames: np.ndarray[Any, Any] | Sequence[bytes],
    rows: int,
    columns: int,
    transfer_syntax: str,
    bits_stored: int,
    signed: bool,
) -> None:
    from pydicom.dataelem import DataElement
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    encapsulated = UID(transfer_syntax).is_encapsulated
    if encapsulated == isinstance(frames, np.ndarray):
        raise ValueError(f"{UID(transfer_syntax).name} takes {'encoded frames' if encapsulated else 'an array'}")
    allocated = 8 if bits_stored <= 8 else 16 if bits_stored <= 16 else 32
    if isinstance(frames, np.ndarray):
        value = frames.astype(f"<{'i' if signed else 'u'}{allocated // 8}", copy=False).tobytes()
        value += b"\0" * (len(value) % 2)
    else:
        value = encapsulate(list(frames))
    dataset.Rows, dataset.Columns = rows, columns
    dataset.SamplesPerPixel = 1
    if dataset.get("PhotometricInterpretation") != "MONOCHROME1":
        dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, bits_stored, bits_stored - 1
    dataset.PixelRepresentation = int(signed)
    if len(frames) > 1 or "NumberOfFrames" in dataset:
        dataset.NumberOfFrames = len(frames)
    vr = "OB" if encapsulated or allocated == 8 else "OW"
    dataset["PixelData"] = DataElement("PixelData", vr, value)
    dataset["PixelData"].is_undefined_length = encapsulated


def write_dicom(path: str | os.PathLike[str], dataset: Dataset) -> None:
    """Writes a DICOM file with its meta information, whole or not at all.

    Raises:
      MedsrError: the data set can't be encoded, or the file can't be written.
    """
    import io

    import pydicom

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # Not `save_as`, which refuses what was parsed from big-endian files.
            pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
        except Exception as error:  # Values of the source that were readable and can't be written.
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise named(path, f"can't be written as DICOM: {reason}") from error
    atomic_write(path, buffer.getvalue())
