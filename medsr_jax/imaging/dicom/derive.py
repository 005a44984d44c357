"""DICOM objects derived from others by lossy means.

PS3.3 C.7.6.1 (General Image), C.7.6.1.1.5 (lossy compression), C.7.5.2 (Enhanced and contributing equipment),
C.12.1 (SOP Common); the restored image of a lossy one remains lossy.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from medsr_jax.errors import MedsrError, first_line
from medsr_jax.files import atomic_write
from medsr_jax.imaging.dicom.differences import ADDED_EMPTY, COLOUR_ELEMENTS

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# Elements that describe the old pixels, storage or signature and nothing else: never carried over.
STALE = (
    "PixelData",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
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
    "InstanceCreationDate",
    "InstanceCreationTime",
    "InstanceCreatorUID",
)


_FORM = ("SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "PixelRepresentation")


def derive_dataset(
    source: Dataset,
    *,
    frames: np.ndarray[Any, Any] | Sequence[bytes],
    transfer_syntax: str,
    bits_stored: int,
    signed: bool,
    description: str,
    series_description: str,
    series_offset: int = 0,
    series_identity: str = "",
    identity: str = "",
    rows: int | None = None,
    columns: int | None = None,
    spacing_scale: tuple[float, float] = (1.0, 1.0),
    rescale: tuple[float, float] | None = None,
    ratio: float | None = None,
    method: str | None = None,
    comments: str | None = None,
    sop_class: str | None = None,
    history: Dataset | None = None,
) -> Dataset:
    """A derived object with a truthful record of its derivation from `source`.

    It has a SOP Instance UID of its own, computed from the source's and `identity`; a Series UID that is the same for
    all objects derived with the same series description from one series; and the Study, Patient and Frame of Reference
    of its source, whose private elements it keeps. Elements that can't be parsed stay as they are.

    Where the pixels keep size and values, as restored ones do, every element stays but those of
    `differences.RESTORED`, and so does the SOP class. Otherwise (a packet) geometry, values and class follow the new
    pixels, overlays and curves are left out, and so is padding; the class is kept where it allows the new pixels, else
    the object is Secondary Capture: CT in 8 bits, for one, or DX without its modules.

    Args:
        source: data set of the source; left alone. It needs no pixel data.
        frames: (frames, rows, columns) integers, stored as they are; or encoded frames.
        transfer_syntax: UID of the transfer syntax, native (little endian) for an array.
        bits_stored: bits that hold a value; 8 bits are allocated for up to 8, else 16 or 32.
        signed: stored values are two's complement.
        description: what was done, added to Derivation Description.
        series_description: at most 64 characters.
        series_offset: added to a hundred times the source's Series Number.
        series_identity: what tells the series from others of the same source and description.
        identity: what tells the object from others that are derived from the same source with the same description.
        rows, columns: size of encoded frames; an array knows its own.
        spacing_scale: new pixel size over old, of rows and of columns.
        rescale: slope and intercept from the new stored values to those of `source`, when they differ.
        ratio, method: one more entry of Lossy Image Compression Ratio and Method, such as ISO_10918_1.
        comments: added to Image Comments.
        sop_class: SOP class to use in place of the source's, where it allows the pixels.
        history: data set of the object between `source` and this one, whose history this one's goes on from.

    Returns:
        A data set with file meta information, for `write_dicom`.

    Raises:
        MedsrError: the source is no picture (doses, segmentations) or its elements are damaged.
    """
    from medsr_jax.imaging.dicom import geometry, stored_values
    from medsr_jax.imaging.dicom import provenance as derivation
    from medsr_jax.imaging.dicom import sop_class as classes

    if isinstance(frames, np.ndarray):
        rows, columns = frames.shape[1:]
    if rows is None or columns is None:
        raise ValueError("encoded frames need rows and columns")
    with damage_named():
        classes.check_derivable(source)
        result = parsed_copy(source)
        same_size = (result.get("Rows"), result.get("Columns")) == (rows, columns) and spacing_scale == (1, 1)
        same = same_size and rescale in (None, (1.0, 0.0)) and history is not None
        _drop_stale(result)
        if not same:
            _drop_planes(result)
            stored_values.name_unit(result)
        if not same_size:
            geometry.rescale_geometry(result, scale=spacing_scale, rows=rows, columns=columns)
        slope, intercept = stored_values.rescale_values(
            result, rescale=rescale or (1.0, 0.0), bits_stored=bits_stored, signed=signed
        )
        if not same:
            stored_values.drop_padding(result)
        same_form = _set_pixels(result, frames, rows, columns, transfer_syntax, bits_stored, signed)
        preferred = sop_class or str(source.get("SOPClassUID", "") or "")
        if not (same and same_form and preferred):
            try:
                chosen = classes.choose_sop_class(
                    result,
                    preferred=preferred,
                    frames=len(frames),
                    signed=signed,
                    slope=slope,
                    intercept=intercept,
                )
            except MedsrError:
                if not (same and preferred):
                    raise
                chosen = preferred  # no class holds such frames; the source's is as good as another
            if not same or chosen != preferred:
                derivation.set_class(result, chosen, frames=len(frames))
        derivation.set_identity(
            result,
            source,
            series_description=series_description,
            series_offset=series_offset,
            series_identity=series_identity,
            identity=identity,
        )
        derivation.set_history(
            result,
            history if history is not None else source,
            description=description,
            comments=comments,
            resampled=spacing_scale != (1, 1),
        )
        derivation.set_lossy(result, history if history is not None else source, ratio=ratio, method=method)
        if not same:
            for keyword in ADDED_EMPTY:
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
            raise MedsrError(f"has DICOM elements that can't be carried over: {first_line(error)}") from error


def parsed_copy(source: Dataset) -> Dataset:
    """A deep copy whose elements are all parsed, in explicit little endian terms, with an empty preamble."""
    import copy

    from pydicom.dataset import Dataset

    from medsr_jax.imaging.dicom.stored_values import swap_bytes
    from medsr_jax.imaging.dicom.verbatim import parse_elements

    parsed = copy.deepcopy(source)
    parse_elements(parsed)
    _, little_endian = source.original_encoding
    if little_endian is False:
        swap_bytes(parsed)
    # Not the source's class, which may be of a file: its preamble may say that it is a TIFF too.
    result = Dataset()
    for tag in parsed.keys():  # noqa: SIM118 (iterating a data set would give elements)
        result[tag] = parsed[tag]
    return result


def _drop_stale(dataset: Dataset) -> None:
    for keyword in STALE:
        if keyword in dataset:
            del dataset[keyword]
    if dataset.get("PhotometricInterpretation") not in ("MONOCHROME1", "MONOCHROME2"):
        for keyword in COLOUR_ELEMENTS:
            if keyword in dataset:
                del dataset[keyword]
    for tag in list(dataset.keys()):
        if tag.element == 0x0000:  # group lengths, retired (PS3.5, 7.2)
            del dataset[tag]


def is_plane(tag: int) -> bool:
    """Whether an element belongs to an overlay or a curve (PS3.3 C.9.2; curves are retired)."""
    return 0x6000 <= tag >> 16 <= 0x60FF or 0x5000 <= tag >> 16 <= 0x50FF


def _drop_planes(dataset: Dataset) -> None:
    """Leaves out overlays and curves, which are drawn on the source's pixels, and a shutter made of one."""
    for tag in list(dataset.keys()):
        if is_plane(tag):
            del dataset[tag]
    if "ShutterOverlayGroup" in dataset:
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
) -> bool:
    """Sets Pixel Data and what describes it; whether the pixels have the form that the data set described."""
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
    described = [dataset.get(keyword) for keyword in _FORM]
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
    _set_extremes(dataset, frames, signed=signed)
    return described == [dataset.get(keyword) for keyword in _FORM]


def _set_extremes(dataset: Dataset, frames: np.ndarray[Any, Any] | Sequence[bytes], *, signed: bool) -> None:
    from pydicom.dataelem import DataElement

    vr = "SS" if signed else "US"
    for keyword, extreme in (("SmallestImagePixelValue", np.min), ("LargestImagePixelValue", np.max)):
        if keyword in dataset:
            del dataset[keyword]
            if isinstance(frames, np.ndarray) and frames.dtype.itemsize <= 2:
                dataset[keyword] = DataElement(keyword, vr, int(extreme(frames)))


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
            raise MedsrError(f"can't be written as DICOM: {first_line(error)}", path=path) from error
    atomic_write(path, buffer.getvalue())
