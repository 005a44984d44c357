"""Derived DICOM objects say what they are, where they came from, and nothing that is no longer true.

The validator is `dciodvfy` of dicom3tools; its checks are left out where it is missing.
"""

from __future__ import annotations

import copy
import pathlib
import warnings

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.uid import UID

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import derive_dataset, read_image, write_dicom
from medsr_jax.imaging.dicom.differences import RESTORED, differing
from tests.imaging.dicom.objects import (
    STORAGE,
    VALIDATOR,
    digital_x_ray,
    enhanced_mr,
    image_object,
    saved,
    validator_errors,
)

NATIVE = "1.2.840.10008.1.2.1"
BASELINE = "1.2.840.10008.1.2.4.50"


def packet(source: Dataset, pixels: np.ndarray, **options: object) -> Dataset:
    """An object with a quarter of the rows and columns in 8 bits, mapped from the values that occur."""
    low, high = float(pixels.min()), max(float(pixels.max()), float(pixels.min()) + 1)
    slope = (high - low) / 255
    small = np.round((pixels[:, ::4, ::4] - low) / slope).astype(np.uint8)
    arguments: dict[str, object] = {
        "frames": [imagecodecs.jpeg8_encode(frame, level=60) for frame in small],
        "rows": small.shape[1],
        "columns": small.shape[2],
        "transfer_syntax": BASELINE,
        "bits_stored": 8,
        "signed": False,
        "spacing_scale": (4.0, 4.0),
        "rescale": (slope, low),
        "ratio": 98.7654,
        "method": "ISO_10918_1",
        "description": "area averaging by 4, JPEG q 60",
        "series_description": "sent",
    }
    return derive_dataset(source, **(arguments | options))  # type: ignore[arg-type]


def restored(source: Dataset, pixels: np.ndarray, like: Dataset, **options: object) -> Dataset:
    """An object of the original size and values from a packet's data set."""
    low, high = float(pixels.min()), max(float(pixels.max()), float(pixels.min()) + 1)
    slope = (high - low) / 255
    arguments: dict[str, object] = {
        "frames": pixels,
        "transfer_syntax": NATIVE,
        "bits_stored": int(like.BitsStored) if like.get("SamplesPerPixel") == 1 else 8 * pixels.dtype.itemsize,
        "signed": bool(like.PixelRepresentation),
        "spacing_scale": (0.25, 0.25),
        "rescale": (1 / slope, -low / slope),
        "description": "restored; not for primary diagnosis",
        "series_description": "restored",
        "sop_class": like.get("SOPClassUID"),
    }
    return derive_dataset(source, **(arguments | options))  # type: ignore[arg-type]


def test_a_derived_object_has_its_own_identity_within_the_study() -> None:
    source = image_object(np.zeros((8, 8), np.uint8), SeriesDescription="chest")
    first, again = (packet(source, np.zeros((1, 8, 8)), identity="a") for _ in range(2))
    second = packet(source, np.zeros((1, 8, 8)), identity="b")
    assert first == again  # Sent twice, it is the same object, and not a second one.
    assert first.StudyInstanceUID == source.StudyInstanceUID
    assert first.SOPInstanceUID not in (source.SOPInstanceUID, second.SOPInstanceUID)
    assert first.SeriesInstanceUID != source.SeriesInstanceUID
    assert first.SeriesInstanceUID == second.SeriesInstanceUID  # Slices of one series stay together.
    assert first.SeriesDescription == "sent"
    assert first.file_meta.MediaStorageSOPInstanceUID == first.SOPInstanceUID
    assert first.file_meta.TransferSyntaxUID == BASELINE


def test_a_derived_object_says_where_it_came_from() -> None:
    source = image_object(np.zeros((8, 8), np.uint8), DerivationDescription="cropped", SoftwareVersions="device 1")
    result = packet(source, np.zeros((1, 8, 8)), comments="not for primary diagnosis")
    assert list(result.ImageType) == ["DERIVED", "PRIMARY"]
    assert result.DerivationDescription == "cropped; area averaging by 4, JPEG q 60"
    assert result.ImageComments == "not for primary diagnosis"
    assert [item.CodeValue for item in result.DerivationCodeSequence] == ["113040", "113085"]
    (reference,) = result.SourceImageSequence
    assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
    (equipment,) = result.ContributingEquipmentSequence
    assert equipment.Manufacturer == "medsr_jax"
    assert equipment.SoftwareVersions
    assert result.SoftwareVersions == "device 1"  # The device that took the image stays named.


def test_lossy_is_never_reset_and_every_step_is_appended() -> None:
    source = image_object(
        np.zeros((8, 8), np.uint8),
        LossyImageCompression="01",
        LossyImageCompressionRatio="10",
        LossyImageCompressionMethod="ISO_15444_1",
    )
    sent = packet(source, np.zeros((1, 8, 8)))
    assert list(sent.LossyImageCompressionRatio) == [10, 98.77]
    assert list(sent.LossyImageCompressionMethod) == ["ISO_15444_1", "ISO_10918_1"]
    back = restored(sent, np.zeros((1, 8, 8), np.uint8), source)
    assert back.LossyImageCompression == "01"
    assert list(back.LossyImageCompressionRatio) == [10, 98.77]
    assert [item.ReferencedSOPInstanceUID for item in back.SourceImageSequence] == [
        sent.SOPInstanceUID,
        source.SOPInstanceUID,
    ]


def test_the_source_is_left_alone() -> None:
    source = image_object(np.zeros((8, 8), np.uint16), PixelSpacing=["0.1", "0.1"])
    before = copy.deepcopy(source)
    packet(source, np.zeros((1, 8, 8)))
    assert source == before


def test_windows_stay_true_because_the_modality_output_does() -> None:
    stored = np.array([[[0, 1000, 4095]]], np.uint16)
    source = image_object(stored[0], bits_stored=12, WindowCenter="40", RescaleSlope="2", RescaleIntercept="-1024")
    result = packet(source, stored)
    small = np.round(stored / 4095 * 255)
    output = small * float(result.RescaleSlope) + float(result.RescaleIntercept)
    assert np.abs(output - (stored * 2.0 - 1024)).max() <= 2 * 4095 / 255 / 2
    assert result.WindowCenter == 40


def test_a_modality_lut_is_sampled_over_the_new_values() -> None:
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType = [4096, 0, 16], "US"
    item.LUTData = (np.arange(4096, dtype="<u2") * 16).tobytes()
    item["LUTData"].VR = "OW"
    source = image_object(np.zeros((4, 4), np.uint16), bits_stored=12, ModalityLUTSequence=[item])
    result = packet(source, np.array([[[0, 4095]]]))
    (lut,) = result.ModalityLUTSequence
    assert list(lut.LUTDescriptor) == [256, 0, 16]
    expected = np.round(np.arange(256) * 4095 / 255 * 16)
    assert np.abs(np.frombuffer(lut.LUTData, "<u2") - expected).max() <= 1
    assert "RescaleSlope" not in result


def test_an_unreadable_element_keeps_no_image_from_travelling(tmp_path: pathlib.Path) -> None:
    whole = saved(image_object(np.zeros((4, 4), np.uint8), AcquisitionNumber=7777), tmp_path / "image.dcm")
    whole.write_bytes(whole.read_bytes().replace(b"7777", b"7A77"))
    source = read_image(whole).dataset
    assert source is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_dicom(tmp_path / "packet.dcm", packet(source, np.zeros((1, 4, 4))))
    assert read_image(tmp_path / "packet.dcm").pixels.shape == (1, 1, 1)


def test_what_described_the_old_pixels_is_gone() -> None:
    source = image_object(
        np.zeros((8, 8), np.int16),
        SmallestImagePixelValue=-5,
        PixelPaddingValue=-2000,
        IconImageSequence=[Dataset()],
    )
    source.add_new((0x6000, 0x3000), "OW", bytes(8))
    source.add_new((0x6000, 0x0010), "US", 8)
    result = packet(source, np.zeros((1, 8, 8)))
    assert not any(element.tag.group == 0x6000 for element in result)
    for keyword in ("SmallestImagePixelValue", "PixelPaddingValue", "IconImageSequence"):
        assert keyword not in result


def test_a_restored_object_differs_in_what_the_declared_list_names_alone() -> None:
    source = digital_x_ray(
        np.arange(64, dtype=np.uint16).reshape(8, 8),
        PixelPaddingValue=3,
        SmallestImagePixelValue=0,
        ShutterLeftVerticalEdge=5,
        ConversionType="WSD",
    )
    source.add_new((0x6000, 0x3000), "OW", bytes(8))
    sent = packet(source, np.zeros((1, 8, 8)))
    pixels = np.full((1, 8, 8), 7, np.uint16)
    back = restored(source, pixels, source, spacing_scale=(1, 1), rescale=None, history=sent)
    names = {keyword_for_tag(path[-1]) for path in differing(source, back)}
    assert names <= set(RESTORED)
    assert {"SOPInstanceUID", "SeriesInstanceUID", "PixelData", "LossyImageCompressionRatio"} <= names
    assert back.SmallestImagePixelValue == 7
    assert (0x6000, 0x3000) in back


def test_geometry_describes_the_larger_pixels() -> None:
    source = image_object(
        np.zeros((8, 8), np.uint8),
        PixelSpacing=["0.2", "0.1"],
        ImagerPixelSpacing=["0.3", "0.15"],
        ImagePositionPatient=["10", "20", "30"],
        ImageOrientationPatient=["1", "0", "0", "0", "0", "-1"],
        ShutterLeftVerticalEdge=5,
    )
    result = packet(source, np.zeros((1, 8, 8)))
    assert list(result.PixelSpacing) == [0.8, 0.4]
    assert list(result.ImagerPixelSpacing) == [1.2, 0.6]
    # The centre of the first of 4 x 4 averaged pixels lies 1.5 old pixels further along both axes.
    assert list(result.ImagePositionPatient) == pytest.approx([10.15, 20, 29.7])
    assert result.ShutterLeftVerticalEdge == 2


def test_ultrasound_regions_follow_the_pixels() -> None:
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMaxX1 = 0, 7
    region.RegionLocationMinY0, region.RegionLocationMaxY1 = 4, 7
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.01, 0.02
    source = image_object(np.zeros((8, 8), np.uint8), sop_class=STORAGE + "6.1", SequenceOfUltrasoundRegions=[region])
    (scaled,) = packet(source, np.zeros((1, 8, 8)), rescale=None).SequenceOfUltrasoundRegions
    assert (scaled.RegionLocationMinX0, scaled.RegionLocationMaxX1) == (0, 1)
    assert (scaled.RegionLocationMinY0, scaled.RegionLocationMaxY1) == (1, 1)
    assert (scaled.PhysicalDeltaX, scaled.PhysicalDeltaY) == (0.04, 0.08)


def test_the_class_is_kept_only_where_it_allows_the_pixels() -> None:
    pixels = np.zeros((8, 8), np.uint16)
    ct = image_object(pixels, sop_class=STORAGE + "2", bits_stored=12)
    assert packet(ct, pixels[np.newaxis]).SOPClassUID == STORAGE + "7"
    assert restored(ct, pixels[np.newaxis], ct).SOPClassUID == STORAGE + "2"
    complete, lacking = digital_x_ray(pixels), digital_x_ray(pixels)
    del lacking.PixelIntensityRelationship
    assert packet(complete, pixels[np.newaxis], rescale=None).SOPClassUID == STORAGE + "1.1"
    assert packet(complete, pixels[np.newaxis]).SOPClassUID == STORAGE + "7"
    assert packet(lacking, pixels[np.newaxis], rescale=None).SOPClassUID == STORAGE + "7"
    film = image_object(np.zeros((3, 8, 8), np.uint8), sop_class=STORAGE + "12.1")
    assert packet(film, np.zeros((3, 8, 8))).SOPClassUID == STORAGE + "12.1"


def test_frames_without_a_class_of_their_own_become_multiframe_secondary_capture() -> None:
    source = image_object(np.zeros((3, 8, 8), np.uint8), sop_class=STORAGE + "77.1.4")
    assert packet(source, np.zeros((3, 8, 8)), rescale=None).SOPClassUID == STORAGE + "7.2"
    word = restored(source, np.zeros((3, 8, 8), np.uint16), source, bits_stored=12, rescale=None)
    assert word.SOPClassUID == STORAGE + "7.3"
    assert word.NumberOfFrames == 3


def test_functional_groups_follow_the_frames() -> None:
    pixels = np.zeros((3, 8, 8), np.uint16)
    source = enhanced_mr(pixels)
    result = packet(source, pixels, rescale=(16.0, 8.0))
    assert result.SOPClassUID == source.SOPClassUID
    (shared,) = result.SharedFunctionalGroupsSequence
    assert list(shared.PixelMeasuresSequence[0].PixelSpacing) == [2, 2]
    transformation = shared.PixelValueTransformationSequence[0]
    assert (transformation.RescaleSlope, transformation.RescaleIntercept) == (32, -84)
    assert shared.MRImageFrameTypeSequence[0].FrameType[0] == "DERIVED"
    assert "RescaleSlope" not in result
    for number, group in enumerate(result.PerFrameFunctionalGroupsSequence):
        assert list(group.PlanePositionSequence[0].ImagePositionPatient) == [10.75, 20.75, number]
        (derivation,) = group.DerivationImageSequence
        assert derivation.SourceImageSequence[0].ReferencedFrameNumber == number + 1


@pytest.mark.skipif(VALIDATOR is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("make", [digital_x_ray, lambda p: image_object(p, bits_stored=12)], ids=["dx", "cr"])
def test_objects_of_x_ray_classes_stay_valid(make: object, tmp_path: pathlib.Path) -> None:
    pixels = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    source = make(pixels)  # type: ignore[operator]
    before = validator_errors(saved(source, tmp_path / "source.dcm"))
    sent = packet(source, pixels[np.newaxis])
    write_dicom(tmp_path / "packet.dcm", sent)
    assert validator_errors(tmp_path / "packet.dcm") <= before
    write_dicom(tmp_path / "restored.dcm", restored(sent, pixels[np.newaxis], source))
    assert validator_errors(tmp_path / "restored.dcm") <= before


def test_big_endian_tables_are_turned_around(tmp_path: pathlib.Path) -> None:
    source = image_object(np.zeros((4, 4), np.uint16))
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [2, 0, 16], np.array([1, 500], ">u2").tobytes()
    item["LUTData"].VR = "OW"
    source.VOILUTSequence = [item]
    source.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.2")
    image = read_image(saved(source, tmp_path / "big.dcm"))
    assert image.dataset is not None
    write_dicom(tmp_path / "little.dcm", packet(image.dataset, np.zeros((1, 4, 4))))
    (lut,) = pydicom.dcmread(tmp_path / "little.dcm").VOILUTSequence
    assert list(np.frombuffer(lut.LUTData, "<u2")) == [1, 500]


def test_a_dicom_file_is_written_whole_or_not_at_all(tmp_path: pathlib.Path) -> None:
    result = packet(image_object(np.zeros((8, 8), np.uint8)), np.zeros((1, 8, 8)))
    write_dicom(tmp_path / "image.dcm", result)
    assert pydicom.dcmread(tmp_path / "image.dcm").SOPInstanceUID == result.SOPInstanceUID
    result.file_meta.TransferSyntaxUID = UID("1.2.3")
    with pytest.raises(MedsrError, match="can't be written as DICOM"):
        write_dicom(tmp_path / "other.dcm", result)
    assert [path.name for path in tmp_path.iterdir()] == ["image.dcm"]
