"""Make the dictionary with which attributes of DICOM are deflated in thin packets.

    python scripts/release/attribute_dictionary.py [--check]

It holds the elements of `transmission.headers.MODULES` as they are written in explicit VR little endian, by tag, with
the coded values that the standard defines or that pydicom's test files have more than once; no names and no text of
persons or places. Packets name their dictionary by its number, so that a file of it never changes once packets
exist: later dictionaries get later numbers. With --check nothing is written, and the exit status is 1 where the file is
not what pydicom's data make of it now.
"""

from __future__ import annotations

import argparse
import collections
import pathlib
import struct
import sys
import warnings

import pydicom.data
from pydicom.datadict import dictionary_has_tag, dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import read_image
from medsr_jax.transmission import headers
from medsr_jax.transmission.thin.attributes import DICTIONARY, PRIVATE, dictionary_file

NUMBER = DICTIONARY
LARGEST_FILE, LEAST_FILES = 3_000_000, 2
# Bytes of a value: longer numbers are of one image, and not of a kind of images.
LONGEST_NUMBER, LONGEST_CODE = 8, 64
# VRs whose values are codes and numbers, never names.
CODED = {"CS", "DS", "IS", "US", "SS", "UL", "SL", "FD", "FL", "AS", "AT"}
STANDARD_UIDS = b"1.2.840.10008."
# Values that the standard defines, or that most objects of a kind have.
DEFINED = {
    "SpecificCharacterSet": ("ISO_IR 192", "ISO_IR 100"),
    "ImageType": ("ORIGINAL\\PRIMARY\\AXIAL", "DERIVED\\PRIMARY", "ORIGINAL\\PRIMARY\\", "ORIGINAL\\PRIMARY"),
    "Modality": ("MR", "MG", "CT", "DX", "CR"),
    "PresentationIntentType": ("FOR PROCESSING", "FOR PRESENTATION"),
    "ConversionType": ("WSD", "DI"),
    "PatientSex": ("O", "F", "M"),
    "BodyPartExamined": ("BREAST", "HEAD", "ABDOMEN", "CHEST"),
    "ViewPosition": ("LL", "LATERAL", "AP", "PA"),
    "Laterality": ("R", "L"),
    "PatientOrientation": ("L\\P", "P\\F", "A\\F", "L\\F"),
    "ImageLaterality": ("R", "L", "U"),
    "PatientPosition": ("FFS", "HFS"),
    "PositionerType": ("COLUMN", "NONE"),
    "DetectorType": ("STORAGE", "DIRECT", "SCINTILLATOR"),
    "FieldOfViewShape": ("RECTANGLE",),
    "PixelIntensityRelationship": ("LIN", "LOG"),
    "PhotometricInterpretation": ("MONOCHROME1", "MONOCHROME2"),
    "PixelSpacingCalibrationType": ("FIDUCIAL", "GEOMETRY"),
    "BurnedInAnnotation": ("YES", "NO"),
    "LossyImageCompression": ("01", "00"),
    "PresentationLUTShape": ("INVERSE", "IDENTITY"),
    "RescaleType": ("HU", "US"),
    "ImageOrientationPatient": ("1.0\\0.0\\0.0\\0.0\\1.0\\0.0", "1\\0\\0\\0\\1\\0"),
    "RescaleSlope": ("1",),
    "RescaleIntercept": ("-1024", "0"),
    "VOILUTFunction": ("SIGMOID", "LINEAR"),
    "PatientIdentityRemoved": ("NO", "YES"),
    "AnatomicalOrientationType": ("BIPED",),
    "RecognizableVisualFeatures": ("NO",),
    "SOPClassUID": tuple(sorted(headers.CLASSES)),
}
# Roots under which most UIDs of instances are: Siemens, GE, Philips, Fuji, Agfa, Canon, pydicom, dcmtk, UUIDs.
ROOTS = (
    "1.3.12.2.1107.5.",
    "1.2.840.113619.2.",
    "1.3.46.670589.",
    "1.2.392.200036.9",
    "1.3.51.0.7.",
    "1.2.826.0.1.3680043.8.498.",
    "1.2.276.0.7230010.3.",
    "2.25.",
)
# Notes that senders often make, and texts of this package in objects that are sent again.
NOTES = (
    "padding is known to squares of 4 pixels",
    "padding is too scattered to travel: its pixels are restored as the nearest other value",
    "colour converted to grey: the Y of YBR is BT.601 luma",
    "bits above the 12 stored were cleared",
    "PixelSpacing is not positive and was ignored",
    "IconImageSequence does not travel: it is of the original's pixels",
    "headers minimal: 10 private elements (1,000 bytes) and 10 others (100 bytes) do not travel",
    "headers minimal: 10 elements (100 bytes) do not travel",
)
# Code sequences, by value, scheme and meaning (PS3.16).
CODES = {
    "DerivationCodeSequence": ("113040", "DCM", "Lossy Compression"),
    "PurposeOfReferenceCodeSequence": ("121320", "DCM", "Uncompressed predecessor"),
    "AnatomicRegionSequence": ("43799004", "SCT", "Chest"),
    "ViewCodeSequence": ("272479007", "SCT", "Postero-anterior"),
    "ProcedureCodeSequence": ("", "", ""),
}
INSTANCES = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")


def main() -> None:
    """Write or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--tiny", action="store_true", help="as --check, in nightly runs")
    options = parser.parse_args()
    made, file = dictionary(), dictionary_file(NUMBER)
    if options.check or options.tiny:
        same = file.read_bytes() == made
        print(f"{file.name}: {'as' if same else 'not as'} it is made now, {len(made)} bytes")
        sys.exit(not same)
    file.write_bytes(made)
    print(f"{file}: {len(made)} bytes")


def dictionary() -> bytes:
    """The dictionary's bytes: elements by tag; of each its rarest values first, for near ones take fewer bits."""
    counted = _values_of_test_files()
    values: dict[int, list[bytes]] = {
        int(tag_for_keyword(word) or 0): [] for words in headers.MODULES.values() for word in words
    }
    for tag in counted:
        values.setdefault(tag, [])
    for tag, found in values.items():
        often = [
            value
            for value, count in sorted(counted[tag].items(), key=lambda pair: (pair[1], pair[0]))
            if count >= LEAST_FILES
        ]
        found += often
    for keyword, texts in DEFINED.items():
        values.setdefault(int(tag_for_keyword(keyword) or 0), []).extend(_even(text, keyword) for text in texts)
    for keyword in INSTANCES:
        values[int(tag_for_keyword(keyword) or 0)] += [root.encode() for root in ROOTS]
    parts = [_sequences(), "\n".join(NOTES).encode()]
    for tag in sorted(values):
        vr = _vr(tag)
        parts += [_element(tag, vr, value) for value in dict.fromkeys(values[tag])] or [_element(tag, vr, b"")]
    return b"".join([*parts, *(_element(tag, vr, value) for tag, vr, value in PRIVATE)])


def _sequences() -> bytes:
    """Sequences that many objects have, with items of undefined length as pydicom writes them."""
    dataset, target = Dataset(), DicomBytesIO()
    for keyword, (value, scheme, meaning) in CODES.items():
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
        setattr(dataset, keyword, [code])
    source, step = Dataset(), Dataset()
    source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", ""
    source.PurposeOfReferenceCodeSequence = dataset.PurposeOfReferenceCodeSequence
    del dataset.PurposeOfReferenceCodeSequence
    step.ReferencedSOPClassUID, step.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.3", ""
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledProcedureStepID = "", ""
    request.RequestedProcedureDescription = request.ScheduledProcedureStepDescription = ""
    dataset.SourceImageSequence, dataset.RequestAttributesSequence = [source], [request]
    dataset.ReferencedPerformedProcedureStepSequence = [step]
    target.is_implicit_VR, target.is_little_endian = False, True
    write_dataset(target, dataset)
    return target.getvalue()


def _even(text: str, keyword: str) -> bytes:
    padding = b"\0" if dictionary_VR(keyword) == "UI" else b" "
    return text.encode() + padding * (len(text) % 2)


def _vr(tag: int) -> str:
    return dictionary_VR(tag).split(" ")[0]


def _element(tag: int, vr: str, value: bytes) -> bytes:
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    return (
        head
        + (b"\0\0" + struct.pack("<I", len(value)) if vr in EXPLICIT_VR_LENGTH_32 else struct.pack("<H", len(value)))
        + value
    )


def _values_of_test_files() -> dict[int, collections.Counter[bytes]]:
    """How many of pydicom's test files have a coded value, by tag."""
    counted: dict[int, collections.Counter[bytes]] = collections.defaultdict(collections.Counter)
    folder = pathlib.Path(pydicom.data.__file__).parent / "test_files"
    for path in sorted(folder.rglob("*.dcm")):
        if path.stat().st_size > LARGEST_FILE:
            continue
        try:
            image = read_image(path)
        except MedsrError:
            continue
        if image.dataset is not None:
            for tag, value in _coded(headers.minimal(image.dataset)[0]):
                counted[tag][value] += 1
    return counted


def _coded(dataset: Dataset) -> list[tuple[int, bytes]]:
    """Tags and values of coded elements as they are written."""
    found = []
    for tag in dataset.keys():  # noqa: SIM118 (iterating a data set gives elements)
        if tag.is_private or not dictionary_has_tag(tag):
            continue
        item, target = Dataset(), DicomBytesIO()
        target.is_implicit_VR, target.is_little_endian = True, True
        try:
            item[tag] = dataset[tag]
            write_dataset(target, item)
        except Exception:  # values that pydicom can't write
            continue
        value, vr = target.getvalue()[8:], item[tag].VR
        named = vr in CODED or (vr == "UI" and value.startswith(STANDARD_UIDS))
        if named and vr == _vr(tag) and len(value) <= (LONGEST_CODE if vr in ("CS", "UI") else LONGEST_NUMBER):
            found.append((int(tag), value))
    return found


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
