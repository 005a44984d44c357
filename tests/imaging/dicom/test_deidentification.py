"""De-identification leaves nothing of the patient, and an object that is as valid and as coherent as before."""

from __future__ import annotations

import io
import pathlib
import zlib

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import Image, read_image
from medsr_jax.imaging.dicom.deidentification import NOTE, deidentify
from medsr_jax.restoration import Restored
from medsr_jax.restoration.output import write_restored
from medsr_jax.transmission.packet_io import packet_bytes, read_packet
from medsr_jax.transmission.sender import compress
from tests.imaging.dicom.objects import STORAGE, VALIDATOR, code, enhanced_mr, image_object, saved, validator_errors
from tests.transmission.images import bundled

SECRET = b"0123456789abcdef"
PIXELS = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
UIDS = [f"1.2.276.0.7230010.3.{number}" for number in range(10, 17)]
# Each stands in an element of its own, and in no other.
TEXTS = [
    "Doe^Jane", "MRN-4711", "Clinic of Nowhere", "Nowhere Street 5", "19610512", "20240229", "143512.5", "CR7-SERIAL",
    "Smith^Operator", "Seen by Doe", "ACC-99", "Knee of Jane", "Ward 12", "PRIVATE-NOTE", "nested Doe", "1961 overlay",
    "Nowhere ICD", "Unlisted^Reviewer", "D\xf6e in raw bytes", "deep private", "unknown tag",
]  # fmt: skip


def identified() -> Dataset:
    """An object with the patient's identity in every kind of place."""
    source = image_object(PIXELS, bits_stored=12, PatientName="Doe^Jane", PatientID="MRN-4711")
    study, series, instance, frame, referred, concatenation, event = map(UID, UIDS)
    source.StudyInstanceUID, source.SeriesInstanceUID, source.SOPInstanceUID = study, series, instance
    source.file_meta.MediaStorageSOPInstanceUID, source.FrameOfReferenceUID = instance, frame
    source.SOPInstanceUIDOfConcatenationSource = concatenation  # the table does not list it
    source.IrradiationEventUID = [event, event]
    source.PatientBirthDate = "19610512"
    source.InstitutionName, source.InstitutionAddress = "Clinic of Nowhere", "Nowhere Street 5"
    source.StudyDate = source.SeriesDate = source.ContentDate = source.AcquisitionDate = "20240229"
    source.StudyTime = source.ContentTime = source.AcquisitionTime = "143512.5"
    source.DeviceSerialNumber, source.OperatorsName, source.AccessionNumber = "CR7-SERIAL", "Smith^Operator", "ACC-99"
    source.ImageComments, source.SeriesDescription = "Seen by Doe", "Knee of Jane"
    source.DerivationDescription = "Ward 12"
    source.SecondaryReviewerName = "Unlisted^Reviewer"
    source.add_new(0x00209999, "LO", "unknown tag")
    source.private_block(0x0009, "VENDOR", create=True).add_new(1, "LO", "PRIVATE-NOTE")
    region = code("X1", "99LOCAL", "chest")
    region.private_block(0x0009, "VENDOR", create=True).add_new(1, "LO", "deep private")
    region.InstitutionName = "nested Doe"
    source.AnatomicRegionSequence = [region]  # stays, as the table does not list it
    image = Dataset()
    image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = UID(STORAGE + "1"), referred
    source.ReferencedImageSequence = [image]
    source.InstitutionCodeSequence = [code("N1", "99NOWHERE", "Nowhere ICD")]
    for element, vr, value in (
        (0x0010, "US", 64),
        (0x0011, "US", 64),
        (0x0040, "CS", "G"),
        (0x0050, "SS", [1, 1]),
        (0x0100, "US", 1),
        (0x0102, "US", 0),
        (0x3000, "OW", b"\1" * 512),
        (0x4000, "LT", "1961 overlay"),
    ):
        source.add_new((0x6000, element), vr, value)
    return source


def read(source: Dataset, folder: pathlib.Path) -> Image:
    """The image, with a text in it that its character set can't decode: its bytes travel as they are elsewhere."""
    source.SpecificCharacterSet = "ISO_IR 192"
    source.StudyDescription = "Dxe in raw bytes"
    path = saved(source, folder / "original.dcm")
    path.write_bytes(path.read_bytes().replace(b"Dxe in raw bytes", b"D\xf6e in raw bytes"))
    return read_image(path)


def restored(data: bytes, image: Image, folder: pathlib.Path) -> pydicom.FileDataset:
    (folder / "sent.dcm").write_bytes(data)
    packet = read_packet(folder / "sent.dcm")
    result = Restored(image.pixels, None, notes=packet.header.notes, model="test", identity="test")
    write_restored(folder / "back.dcm", packet, result)
    return pydicom.dcmread(folder / "back.dcm")


def inflated(data: bytes) -> bytes:
    """The original's elements that travel deflated in the private block."""
    (form,) = (
        element.value
        for element in pydicom.dcmread(io.BytesIO(data))
        if element.tag.group == 0x6D73 and element.tag.element & 0xFF == 3
    )
    return zlib.decompressobj(-15).decompress(form)


@pytest.mark.parametrize("headers", ["all", "minimal"])
def test_no_byte_of_packet_and_restored_object_is_of_the_patient(headers: str, tmp_path: pathlib.Path) -> None:
    image = read(identified(), tmp_path)
    sought = [text.encode("latin-1") for text in TEXTS] + [uid.encode() for uid in UIDS]
    plain = packet_bytes(compress(image, scale=4, quality=60))
    there = plain + inflated(plain)
    assert [text for text in sought if text not in there] == []  # so that the search can fail
    data = packet_bytes(compress(deidentify(image, secret=SECRET), scale=4, quality=60, headers=headers))
    back = restored(data, image, tmp_path)
    for where in (data, inflated(data), (tmp_path / "back.dcm").read_bytes()):
        assert [text for text in sought if text in where] == []
    assert (back.pixel_array == image.pixels[0]).all()
    assert not any(element.tag.is_private for element in back.iterall())


def test_the_object_states_what_was_done_and_no_more(tmp_path: pathlib.Path) -> None:
    image = deidentify(read(identified(), tmp_path))
    dataset = image.dataset
    assert dataset.PatientIdentityRemoved == "YES"
    assert dataset.LongitudinalTemporalInformationModified == "REMOVED"
    (item,) = dataset.DeidentificationMethodCodeSequence
    assert (item.CodeValue, item.CodingSchemeDesignator) == ("113100", "DCM")
    assert "Basic Profile" in dataset.DeidentificationMethod
    assert "BurnedInAnnotation" not in dataset
    assert image.notes[-1] == NOTE
    assert not any("travel as they are" in note for note in image.notes)


def test_what_belongs_together_still_does_and_a_repetition_gives_the_same(tmp_path: pathlib.Path) -> None:
    image = read(identified(), tmp_path)
    once, again = (deidentify(image, secret=SECRET).dataset for _ in range(2))
    assert once == again
    for uid in (once.StudyInstanceUID, once.SOPInstanceUID, once.FrameOfReferenceUID):
        assert uid.startswith("2.25.")
        assert UID(uid).is_valid
    assert once.IrradiationEventUID[0] == once.IrradiationEventUID[1]
    assert once.ReferencedImageSequence[0].ReferencedSOPClassUID == STORAGE + "1"
    other = identified()
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    sibling = deidentify(read(other, tmp_path), secret=SECRET).dataset
    assert sibling.StudyInstanceUID == once.StudyInstanceUID
    assert sibling.PatientID == once.PatientID == once.PatientName
    assert sibling.SOPInstanceUID != once.SOPInstanceUID
    stranger = deidentify(image, secret=SECRET[::-1]).dataset
    assert stranger.StudyInstanceUID != once.StudyInstanceUID
    assert stranger.PatientID != once.PatientID
    assert deidentify(image).dataset.StudyInstanceUID != deidentify(image).dataset.StudyInstanceUID


def test_geometry_values_and_models_of_equipment_stay() -> None:
    image = bundled("CT_small.dcm")
    dataset = deidentify(image, secret=SECRET).dataset
    for keyword in (
        "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "RescaleIntercept", "KVP",
        "Manufacturer", "ManufacturerModelName", "Modality", "SOPClassUID", "InstanceNumber", "ImageType",
    ):  # fmt: skip
        assert dataset[keyword] == image.dataset[keyword]
    assert "PatientWeight" in image.dataset
    assert "PatientWeight" not in dataset
    assert dataset.StudyDate == ""


@pytest.mark.skipif(VALIDATOR is None, reason="dciodvfy not found")
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "enhanced"])
def test_the_object_is_as_valid_as_before(name: str, tmp_path: pathlib.Path) -> None:
    if name == "enhanced":
        frames = np.arange(2 * 32 * 32, dtype=np.uint16).reshape(2, 32, 32)
        image = read_image(saved(enhanced_mr(frames), tmp_path / "mr.dcm"))
    else:
        image = bundled(name)
    errors = []
    for source in (image, deidentify(image, secret=SECRET)):
        restored(packet_bytes(compress(source, scale=2, quality=60, codec="jpeg2000")), image, tmp_path)
        errors.append(validator_errors(tmp_path / "sent.dcm") | validator_errors(tmp_path / "back.dcm"))
    assert errors[1] - errors[0] == set()


def test_animals_keep_a_valid_patient_module() -> None:
    image = bundled("CT_small.dcm")
    image.dataset.PatientSpeciesDescription = "Canine"
    image.dataset.ResponsiblePerson, image.dataset.ResponsiblePersonRole = "Doe^Jane", "OWNER"
    dataset = deidentify(image).dataset
    assert dataset.ResponsiblePerson == ""
    assert "ResponsiblePersonRole" not in dataset


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"BurnedInAnnotation": "YES"}, "states burned-in text"),
        ({"Modality": "US"}, "Modality US"),
        ({"SOPClassUID": STORAGE + "7"}, "Secondary Capture Image Storage"),
        ({"ConversionType": "DF"}, "ConversionType DF"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "a screen"),
    ],
)
def test_images_that_may_show_the_name_are_refused(attributes: dict[str, object], reason: str) -> None:
    image = bundled("CT_small.dcm")
    for keyword, value in attributes.items():
        setattr(image.dataset, keyword, value)
    with pytest.raises(MedsrError, match=reason) as refusal:
        deidentify(image)
    assert "CT_small.dcm" in str(refusal.value)
    if "BurnedInAnnotation" not in attributes:
        image.dataset.BurnedInAnnotation = "NO"
        assert deidentify(image).dataset.BurnedInAnnotation == "NO"


def test_images_without_attributes_stay_as_they_are() -> None:
    image = Image.from_array(np.zeros((8, 8), np.uint8))
    assert deidentify(image) is image
