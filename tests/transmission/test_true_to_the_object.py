"""A restored DICOM object is its original in every element but those of the declared list, for every file there is.

Pixels are the original's here, so that no network has to run: what is under test is every other element.
"""

from __future__ import annotations

import functools
import pathlib

import numpy as np
import pydicom
import pytest
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import Image, read_image
from medsr_jax.imaging.dicom.differences import RESTORED, RESTORED_FROM_COLOUR, differing, may_differ
from medsr_jax.restoration import Restored
from medsr_jax.restoration.output import write_restored
from medsr_jax.transmission.packet_io import packet_bytes, read_packet, write_packet
from medsr_jax.transmission.sender import compress
from tests.imaging.dicom.objects import STORAGE, VALIDATOR, enhanced_mr, image_object, saved, validator_errors
from tests.imaging.dicom.test_reading import BUNDLED, SHARED

# Multi-frame Secondary Capture asks whether text is burned in, which nobody knows whom the original does not tell; and
# as JPEG of 8 bits it allows no rescale, which deeper frames need. docs/dicom-conformance.md names both.
KNOWN = ("<BurnedInAnnotation>", "<Rescale ")


def there_and_back(image: Image, folder: pathlib.Path, **options: object) -> tuple[pathlib.Path, pathlib.Path]:
    """The packet and the restored object of an image."""
    sent, back = folder / "sent.dcm", folder / "back.dcm"
    write_packet(sent, compress(image, **options))  # type: ignore[arg-type]
    packet = read_packet(sent)
    padding = packet.header.padding
    pixels = image.pixels if padding is None else padding.applied(image.pixels)
    write_restored(back, packet, Restored(pixels, None, notes=packet.header.notes, model="test", identity="test"))
    return sent, back


def undeclared(original: Dataset, restored: Dataset) -> list[str]:
    """Paths of the elements that differ and may not."""
    colour = original.get("PhotometricInterpretation") not in ("MONOCHROME1", "MONOCHROME2")
    return [
        " > ".join(keyword_for_tag(tag) or str(tag) for tag in path)
        for path in differing(original, restored)
        if not any(may_differ(tag, colour=colour) for tag in path)
    ]


errors_of_original = functools.cache(validator_errors)


# All scales and both codecs meet every file, in turn: what an element becomes by one doesn't hang on the other.
@pytest.mark.parametrize(("codec", "scales"), [("jpeg", (1, 4)), ("jpeg2000", (2, 8))])
@pytest.mark.parametrize("path", BUNDLED + SHARED, ids=lambda path: path.name)
def test_all_elements_of_every_file(
    path: pathlib.Path, codec: str, scales: tuple[int, ...], tmp_path: pathlib.Path
) -> None:
    try:
        image = read_image(path)
        compress(image, scale=8, codec=codec, quality=60)
    except MedsrError as refusal:
        assert path.name in str(refusal)
        assert "\n" not in str(refusal)
        return
    for scale in scales:
        sent, back = there_and_back(image, tmp_path, scale=scale, codec=codec, quality=60)
        assert undeclared(pydicom.dcmread(path, force=True), pydicom.dcmread(back)) == []
    if VALIDATOR:
        before = errors_of_original(path)
        # Where the original's own values or encoding are invalid, its errors can't be told from ours.
        if not any(word in error for error in before for word in ("invalid", "read failed", "Illegal root")):
            added = (validator_errors(back) | validator_errors(sent)) - before
            assert {error for error in added if not any(known in error for known in KNOWN)} == set()


def test_the_list_is_shown_on_the_page_of_conformance() -> None:
    page = (pathlib.Path(__file__).parents[2] / "docs" / "dicom-conformance.md").read_text()
    for keyword, reason in {**RESTORED, **RESTORED_FROM_COLOUR}.items():
        assert f"| `{keyword}` | {reason} |" in page


PIXELS = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)


def restored_dataset(source: Dataset, folder: pathlib.Path, **options: object) -> Dataset:
    """What comes back of a data set, with all its elements but the declared ones held against it."""
    image = read_image(saved(source, folder / "original.dcm"))
    _, back = there_and_back(image, folder, **options)
    restored = pydicom.dcmread(back)
    assert undeclared(pydicom.dcmread(folder / "original.dcm"), restored) == []
    return restored


def test_shutters_collimators_and_regions_are_of_the_large_pixels_again(tmp_path: pathlib.Path) -> None:
    region = Dataset()
    region.RegionLocationMinX0, region.RegionLocationMaxX1, region.PhysicalDeltaX = 4, 60, 0.01
    source = image_object(
        PIXELS,
        bits_stored=12,
        ShutterShape="RECTANGULAR",
        ShutterLeftVerticalEdge=5,
        ShutterRightVerticalEdge=61,
        CollimatorShape="POLYGONAL",
        VerticesOfThePolygonalCollimator=[3, 3, 3, 61, 61, 61],
        CenterOfCircularShutter=[31, 33],
        RadiusOfCircularShutter=29,
        SequenceOfUltrasoundRegions=[region],
        PixelSpacing=["0.143", "0.143"],
    )
    restored = restored_dataset(source, tmp_path)
    assert (restored.ShutterLeftVerticalEdge, restored.ShutterRightVerticalEdge) == (5, 61)
    assert pydicom.dcmread(tmp_path / "sent.dcm").ShutterRightVerticalEdge == 16


def test_meanings_of_values_are_the_originals_again(tmp_path: pathlib.Path) -> None:
    mapping, lut = Dataset(), Dataset()
    mapping.LUTLabel, mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = "T2", 0.1, 5.0
    for keyword, value in (("RealWorldValueFirstValueMapped", 0), ("RealWorldValueLastValueMapped", 4095)):
        mapping[keyword] = DataElement(keyword, "US", value)
    lut.LUTDescriptor, lut.LUTData = [4096, 0, 16], (np.arange(4096, dtype="<u2") * 16).tobytes()
    lut["LUTData"].VR = "OW"
    source = image_object(
        PIXELS,
        bits_stored=12,
        RealWorldValueMappingSequence=[mapping],
        PixelIntensityRelationshipLUTSequence=[lut],
        RescaleSlope="2",
        RescaleIntercept="-1024",
        WindowCenter="40",
    )
    restored = restored_dataset(source, tmp_path)
    assert restored.RealWorldValueMappingSequence[0].RealWorldValueSlope == 0.1
    assert "PixelIntensityRelationshipLUTSequence" in restored


def overlaid(bits: np.ndarray) -> Dataset:
    source = image_object(PIXELS, bits_stored=12)
    for element, vr, value in (
        (0x0010, "US", 64),
        (0x0011, "US", 64),
        (0x0040, "CS", "G"),
        (0x0050, "SS", [1, 1]),
        (0x0100, "US", 1),
        (0x0102, "US", 0),
        (0x3000, "OW", bits.tobytes()),
    ):
        source.add_new((0x6000, element), vr, value)
    return source


def test_overlays_travel(tmp_path: pathlib.Path) -> None:
    ring = np.packbits(np.hypot(*np.mgrid[-32:32, -32:32]) < 20, bitorder="little")
    restored = restored_dataset(overlaid(ring), tmp_path)
    assert restored[0x6000, 0x3000].value == ring.tobytes()
    assert (0x6000, 0x3000) not in pydicom.dcmread(tmp_path / "sent.dcm")


def test_what_is_too_large_to_travel_is_said_by_both_ends(tmp_path: pathlib.Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 8192).astype(np.uint8)
    image = read_image(saved(overlaid(noise), tmp_path / "original.dcm"))
    _, back = there_and_back(image, tmp_path)
    packet, restored = read_packet(tmp_path / "sent.dcm"), pydicom.dcmread(back)
    (note,) = (note for note in packet.header.notes if "overlay 6000 does not travel" in note)
    for description in (pydicom.dcmread(tmp_path / "sent.dcm").DerivationDescription, restored.DerivationDescription):
        assert note in description
    assert not any(tag >> 16 == 0x6000 for tag in restored.keys())  # noqa: SIM118
    assert any(tag >> 16 == 0x6000 for tag in image.dataset.keys())  # noqa: SIM118  # the original is left alone


def test_padding_comes_back_with_value_and_attribute(tmp_path: pathlib.Path) -> None:
    outside = np.hypot(*np.mgrid[-32:32, -32:32]) > 30
    source = image_object(np.where(outside, 7, 1000 + PIXELS % 1000).astype(np.uint16), bits_stored=12)
    source["PixelPaddingValue"] = DataElement("PixelPaddingValue", "US", 7)
    restored = restored_dataset(source, tmp_path)
    np.testing.assert_array_equal(restored.pixel_array == 7, outside)
    assert restored.PixelPaddingValue == 7


def test_parts_of_a_concatenation_stay_together_and_apart_from_the_originals(tmp_path: pathlib.Path) -> None:
    uids = []
    concatenation, whole = generate_uid(), generate_uid()
    for number in (1, 2):
        source = enhanced_mr(np.stack([PIXELS, PIXELS]))
        source.ConcatenationUID, source.SOPInstanceUIDOfConcatenationSource = concatenation, whole
        source.InConcatenationNumber, source.InConcatenationTotalNumber = number, 2
        restored = restored_dataset(source, tmp_path)
        sent = pydicom.dcmread(tmp_path / "sent.dcm")
        uids.append((sent.ConcatenationUID, restored.ConcatenationUID))
    assert uids[0] == uids[1]
    assert len({concatenation, *uids[0]}) == 3


def test_burned_in_text_is_not_denied_where_nothing_is_known(tmp_path: pathlib.Path) -> None:
    source = image_object(np.stack([PIXELS // 64] * 3).astype(np.uint8), sop_class=STORAGE + "77.1.4")
    restored = restored_dataset(source, tmp_path)
    assert "BurnedInAnnotation" not in pydicom.dcmread(tmp_path / "sent.dcm")
    assert "BurnedInAnnotation" not in restored


def test_text_in_another_character_set_than_is_declared_travels_as_it_was(tmp_path: pathlib.Path) -> None:
    name = "Müller^Jö".encode("latin-1")
    path = saved(
        image_object(PIXELS, SpecificCharacterSet="ISO_IR 192", PatientName="X" * 9), tmp_path / "original.dcm"
    )
    path.write_bytes(path.read_bytes().replace(b"X" * 9, name))
    sent, back = there_and_back(read_image(path), tmp_path)
    for file in (sent, back):
        assert name in file.read_bytes()
        assert "\N{REPLACEMENT CHARACTER}".encode() not in file.read_bytes()


def test_inverted_frames_of_secondary_capture_are_not_called_identity(tmp_path: pathlib.Path) -> None:
    frames = np.stack([PIXELS] * 3).astype(np.int16)
    source = image_object(frames, sop_class=STORAGE + "2.1", PhotometricInterpretation="MONOCHROME1")
    restored_dataset(source, tmp_path, codec="jpeg")
    sent = pydicom.dcmread(tmp_path / "sent.dcm")
    assert (sent.PhotometricInterpretation, sent.PresentationLUTShape) == ("MONOCHROME1", "INVERSE")


def test_a_contradiction_of_the_original_is_not_repeated_in_the_packet(tmp_path: pathlib.Path) -> None:
    source = image_object(PIXELS, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="IDENTITY")
    restored = restored_dataset(source, tmp_path)
    assert restored.PresentationLUTShape == "IDENTITY"  # true to the object
    assert pydicom.dcmread(tmp_path / "sent.dcm").PresentationLUTShape == "INVERSE"


def test_a_preamble_that_says_tiff_does_not_travel(tmp_path: pathlib.Path) -> None:
    path = saved(image_object(PIXELS), tmp_path / "original.dcm")
    path.write_bytes(b"II*\0" + path.read_bytes()[4:])
    for file in there_and_back(read_image(path), tmp_path):
        assert file.read_bytes()[:128] == bytes(128)


def test_sent_and_restored_twice_is_the_same_object(tmp_path: pathlib.Path) -> None:
    path = saved(image_object(PIXELS, SeriesNumber=4), tmp_path / "original.dcm")
    files = [[file.read_bytes() for file in there_and_back(read_image(path), tmp_path)] for _ in range(2)]
    assert files[0] == files[1]
    sent, back = (pydicom.dcmread(tmp_path / name) for name in ("sent.dcm", "back.dcm"))
    assert sent.file_meta.ImplementationVersionName.startswith("MEDSR_")
    assert (sent.SeriesNumber, back.SeriesNumber) == (491, 492)
    other = compress(read_image(saved(image_object(PIXELS), tmp_path / "other.dcm")))
    assert pydicom.dcmread(tmp_path / "sent.dcm").SOPInstanceUID != read_sent(packet_bytes(other)).SOPInstanceUID


def read_sent(data: bytes) -> Dataset:
    return pydicom.dcmread(pydicom.filebase.DicomBytesIO(data))
