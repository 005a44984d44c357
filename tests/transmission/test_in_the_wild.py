"""Objects as archives hold them, each odd in its own way: true on the way back, or refused in one line."""

from __future__ import annotations

import io
import pathlib
import struct
from collections.abc import Callable

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID, ImplicitVRLittleEndian, JPEGLSLossless

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import read_image
from medsr_jax.imaging.dicom.differences import CORRECTED
from medsr_jax.imaging.dicom.verbatim import VerbatimElement
from medsr_jax.transmission.packet_io import read_packet
from tests.imaging.dicom.objects import STORAGE, code, enhanced_mr, image_object, saved
from tests.transmission.test_true_to_the_object import there_and_back, undeclared

PIXELS = (np.add.outer(np.arange(64), np.arange(48)) * 17).astype(np.uint16)

Change = Callable[[Dataset], object]


def with_elements(**values: object) -> Change:
    return lambda ds: [setattr(ds, keyword, value) for keyword, value in values.items()]


def add(tag: int, vr: str, value: object) -> Change:
    """An element whose value pydicom would not write of itself, where it is bytes."""
    element = VerbatimElement(tag, vr, value) if isinstance(value, bytes) else DataElement(tag, vr, value)
    return lambda ds: ds.__setitem__(tag, element)


def inverse_slope(ds: Dataset) -> None:
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "-1", "4095", "US"


def look_up_from_negative(ds: Dataset) -> None:
    item = Dataset()
    item["LUTDescriptor"] = DataElement("LUTDescriptor", "US", [0, 0, 16])  # 0 entries stand for 65536
    item.LUTData = (np.arange(65536) // 2).astype("<u2").tobytes()
    item["LUTData"].VR = "OW"
    ds.VOILUTSequence = [item]


def overlays_everywhere(ds: Dataset) -> None:
    for group in (0x6000, 0x6002, 0x601E):
        for element, vr, value in (
            (0x10, "US", 64),
            (0x11, "US", 48),
            (0x15, "IS", "1"),
            (0x40, "CS", "G"),
            (0x50, "SS", [1, 1]),
            (0x100, "US", 1),
            (0x102, "US", 0),
            (0x3000, "OW", bytes(384)),
        ):
            ds.add_new(group << 16 | element, vr, value)


def a_curve(ds: Dataset) -> None:
    ds.add_new(0x50000005, "US", 2)
    ds.add_new(0x50000010, "US", 2)
    ds.add_new(0x50003000, "OW", struct.pack("<4H", 1, 2, 30, 40))


def japanese(ds: Dataset) -> None:
    ds.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    ds.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"


def item_of_another_character_set(ds: Dataset) -> None:
    item = code("T-1", "99LOCAL", "Schädel")
    item.SpecificCharacterSet = "ISO_IR 192"
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ProcedureCodeSequence = [item]
    ds.InstitutionName = "Krankenhaus Süd"


@pytest.mark.parametrize(
    ("character_set", "text"),
    [
        ("ISO_IR 100", "Schädel"),
        ("ISO_IR 192", "Schädel 頭"),
        (["", "ISO 2022 IR 87"], "頭部"),
        ("GB18030", "头颅"),
        ("ISO_IR 144", "Череп"),
    ],
)
def test_text_that_the_packet_replaces_comes_back_in_its_script(
    character_set: object, text: str, tmp_path: pathlib.Path
) -> None:
    keywords = ("SeriesDescription", "ImageComments", "DerivationDescription", "StudyDescription", "PatientName")
    source = image_object(PIXELS, SpecificCharacterSet=character_set, **dict.fromkeys(keywords, text))
    restored = returns(saved(source, tmp_path / "original.dcm"), tmp_path)
    assert restored is not None
    assert str(restored.PatientName) == restored.StudyDescription == text
    assert restored.DerivationDescription.startswith(f"{text}; downscaled")
    original = read_packet(tmp_path / "sent.dcm").dataset
    assert original is not None
    assert [str(original[keyword].value) for keyword in keywords] == [text] * 5


def our_group_used_by_another(ds: Dataset) -> None:
    block = ds.private_block(0x6D73, "SOMEBODY ELSE", create=True)
    block.add_new(0x01, "LO", "theirs")
    block.add_new(0x03, "UN", b"\0\1\2\3")


def private_sequence(ds: Dataset) -> None:
    block = ds.private_block(0x2005, "Philips MR Imaging DD 005", create=True)
    inner = Dataset()
    inner.private_block(0x2005, "Philips MR Imaging DD 001", create=True).add_new(0x0E, "FL", 1.5)
    block.add_new(0x0F, "SQ", [inner, Dataset()])


def icon_and_signature(ds: Dataset) -> None:
    icon = image_object(np.zeros((8, 8), np.uint8))
    del icon.file_meta
    ds.IconImageSequence, ds.DigitalSignaturesSequence = [icon], [Dataset()]


def several_views(ds: Dataset) -> None:
    ds.WindowCenter, ds.WindowWidth = ["40", "-600", "300"], ["400", "1500"]  # one width too few
    ds.WindowCenterWidthExplanation = ["soft\\tissue", "lung"]


KINDS: dict[str, Change] = {
    "a comma for a decimal point": add(0x00180050, "DS", b"1,5 "),
    "an integer with a fraction": add(0x00200012, "IS", b"1.0 "),
    "numbers longer than 16 characters": add(0x00200032, "DS", b"-123.45678901234567\\1e-17\\0 "),
    "a date with dots": add(0x00080020, "DA", b"2024.01.02"),
    "a time with colons": add(0x00080030, "TM", b"12:34:56"),
    "an empty patient": with_elements(PatientName="", PatientID=""),
    "a UID with a space behind it": add(0x0020000E, "UI", b"1.2.3.4 "),
    "a UID with leading zeros": add(0x00200052, "UI", b"1.002.03"),
    "pixel spacing of zero": with_elements(PixelSpacing=["0", "0"]),
    "pixel spacing of one number": with_elements(PixelSpacing="0.3"),
    "negative pixel spacing": with_elements(ImagerPixelSpacing=["-0.2", "0.2"]),
    "windows that don't match": several_views,
    "a falling rescale": inverse_slope,
    "a rescale of nothing": with_elements(RescaleSlope="0", RescaleIntercept="0"),
    "a rescale that is no number": add(0x00281053, "DS", b"NaN "),
    "a table of 65536 entries": look_up_from_negative,
    "overlays in several groups": overlays_everywhere,
    "a curve": a_curve,
    "names in three scripts": japanese,
    "an item of another character set": item_of_another_character_set,
    "an unknown character set": with_elements(SpecificCharacterSet="LATIN-9", InstitutionName="Sud"),
    "our private group, used by another": our_group_used_by_another,
    "private sequences": private_sequence,
    "an icon and a signature": icon_and_signature,
    "text of 100 kB": with_elements(TextComments="x" * 100_000, ImageComments="y" * 10_000),
    "unknown standard elements": add(0x00189999, "LO", b"from a later edition"),
    "group lengths": add(0x00180000, "UL", 100),
    "a retired identifying group": add(0x40000010, "LT", b"arbitrary"),
    "a laterality of nothing": with_elements(Laterality="", ImageLaterality="B"),
    "a palette beside gray": with_elements(RedPaletteColorLookupTableDescriptor=[256, 0, 16]),
}


def returns(path: pathlib.Path, folder: pathlib.Path) -> Dataset | None:
    """The restored object, equal but for the declared elements; None where the file was refused in one line."""
    try:
        image = read_image(path)
        _, back = there_and_back(image, folder)
    except MedsrError as refusal:
        assert path.name in str(refusal) or "sent.dcm" in str(refusal)
        assert "\n" not in str(refusal)
        return None
    restored = pydicom.dcmread(back)
    assert undeclared(pydicom.dcmread(path, force=True), restored) == []
    return restored


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sop_class", ["1", "2"], ids=["CR", "CT"])
def test_an_odd_object_comes_back_true(kind: str, sop_class: str, tmp_path: pathlib.Path) -> None:
    source = image_object(PIXELS, sop_class=STORAGE + sop_class, bits_stored=12)
    KINDS[kind](source)
    restored = returns(saved(source, tmp_path / "original.dcm"), tmp_path)
    if kind == "a rescale that is no number":
        assert restored is None
    else:
        assert restored is not None


@pytest.mark.parametrize("frames", ["0", "", None])
def test_frames_that_are_counted_as_none_are_those_that_are_there(frames: str | None, tmp_path: pathlib.Path) -> None:
    source = image_object(PIXELS)
    source.add_new("NumberOfFrames", "IS", frames)
    image = read_image(saved(source, tmp_path / "original.dcm"))
    assert image.pixels.shape == (1, 64, 48)
    _, back = there_and_back(image, tmp_path)
    assert set(undeclared(source, pydicom.dcmread(back))) <= {"NumberOfFrames"} <= set(CORRECTED)


def without_meta(source: Dataset, *, implicit: bool) -> bytes:
    """A naked data set, as old archives store them."""
    target = DicomBytesIO()
    target.is_implicit_VR, target.is_little_endian = implicit, True
    write_dataset(target, source)
    return target.getvalue()


@pytest.mark.parametrize("implicit", [True, False])
def test_a_naked_data_set_comes_back_true(implicit: bool, tmp_path: pathlib.Path) -> None:
    (tmp_path / "original.dcm").write_bytes(without_meta(image_object(PIXELS, PixelPaddingValue=3), implicit=implicit))
    assert returns(tmp_path / "original.dcm", tmp_path) is not None


def test_meta_information_that_names_another_syntax_than_is_used(tmp_path: pathlib.Path) -> None:
    data = saved(image_object(PIXELS), tmp_path / "original.dcm").read_bytes()
    body = without_meta(image_object(PIXELS), implicit=True)
    (tmp_path / "original.dcm").write_bytes(data[: data.index(b"\x08\0\x08\0CS")] + body)
    assert returns(tmp_path / "original.dcm", tmp_path) is not None


def test_bytes_behind_the_pixels_are_no_pixels(tmp_path: pathlib.Path) -> None:
    source = image_object(PIXELS)
    source.DataSetTrailingPadding = bytes(1000)
    assert returns(saved(source, tmp_path / "original.dcm"), tmp_path) is not None


@pytest.mark.parametrize("extended", [True, False])
def test_encapsulated_frames_with_and_without_their_offsets(extended: bool, tmp_path: pathlib.Path) -> None:
    import imagecodecs

    frames = [imagecodecs.jpegls_encode(PIXELS + number) for number in range(3)]
    source = image_object(np.stack([PIXELS] * 3), sop_class=STORAGE + "2.1")
    source.file_meta.TransferSyntaxUID = JPEGLSLossless
    if extended:
        source.PixelData, source.ExtendedOffsetTable, source.ExtendedOffsetTableLengths = encapsulate_extended(frames)
    else:
        source.PixelData = encapsulate(frames, has_bot=False, fragments_per_frame=2)
    source["PixelData"].VR, source["PixelData"].is_undefined_length = "OB", True
    restored = returns(saved(source, tmp_path / "original.dcm"), tmp_path)
    assert restored is not None
    assert restored.NumberOfFrames == 3


def test_functional_groups_for_fewer_frames_than_there_are(tmp_path: pathlib.Path) -> None:
    source = enhanced_mr(np.stack([PIXELS] * 3))
    del source.PerFrameFunctionalGroupsSequence[2]
    returns(saved(source, tmp_path / "original.dcm"), tmp_path)


def test_an_object_without_identifiers_gets_those_that_it_needs(tmp_path: pathlib.Path) -> None:
    source = image_object(PIXELS)
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        del source[keyword]
    uids = []
    for _ in range(2):
        restored = returns(saved(source, tmp_path / "original.dcm"), tmp_path)
        assert restored is not None
        uids.append((restored.StudyInstanceUID, restored.SeriesInstanceUID, restored.SOPInstanceUID))
    assert uids[0] == uids[1]
    assert all(UID(uid).is_valid for uid in uids[0])


def test_a_restored_object_can_be_sent_again(tmp_path: pathlib.Path) -> None:
    source = saved(image_object(PIXELS, PatientID="7"), tmp_path / "original.dcm")
    _, back = there_and_back(read_image(source), tmp_path)
    first = pydicom.dcmread(back)
    (tmp_path / "again").mkdir()
    _, again = there_and_back(read_image(back), tmp_path / "again")
    second = pydicom.dcmread(again)
    assert len(second.LossyImageCompressionRatio) == 2
    assert [item.ReferencedSOPInstanceUID for item in second.SourceImageSequence][-2:] == [
        item.ReferencedSOPInstanceUID for item in first.SourceImageSequence
    ]
    assert second.SOPInstanceUID != first.SOPInstanceUID


def test_implicit_files_with_elements_of_unknown_vr(tmp_path: pathlib.Path) -> None:
    source = image_object(PIXELS)
    source.add_new(0x00091001, "UN", b"\1\2\3\4")
    source.add_new(0x00189999, "UN", b"text")
    source.file_meta = FileMetaDataset()
    source.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    source.file_meta.MediaStorageSOPClassUID, source.file_meta.MediaStorageSOPInstanceUID = (
        source.SOPClassUID,
        source.SOPInstanceUID,
    )
    target = io.BytesIO()
    pydicom.dcmwrite(target, source, implicit_vr=True, little_endian=True, enforce_file_format=True)
    (tmp_path / "original.dcm").write_bytes(target.getvalue())
    assert returns(tmp_path / "original.dcm", tmp_path) is not None
