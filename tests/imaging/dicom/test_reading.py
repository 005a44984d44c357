"""DICOM files come in as stored values, whatever their transfer syntax, or are refused with a true reason."""

from __future__ import annotations

import os
import pathlib
import warnings

import imagecodecs
import numpy as np
import pydicom
import pydicom.data
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import read_image
from tests.imaging.dicom.objects import image_object, saved

DATA = pathlib.Path(os.environ.get("MEDSR_DATA", pathlib.Path(__file__).parents[3] / "shared" / "data"))
TEST_FILES = pathlib.Path(pydicom.data.__file__).parent / "test_files"
BUNDLED = sorted(path for path in TEST_FILES.rglob("*") if path.is_file())
SHARED = sorted((DATA / "dicom").iterdir()) if (DATA / "dicom").is_dir() else []

# Why each bundled file that is no readable image is refused. Files of one kind share a reason.
REASONS = {
    "rtstruct.dcm": "without pixel data (RT Structure Set Storage)",
    "rtplan.dcm": "without pixel data (RT Plan Storage)",
    "rtplan_truncated.dcm": "without pixel data (RT Plan Storage)",
    "reportsi.dcm": "without pixel data (Basic Text SR Storage)",
    "reportsi_with_empty_number_tags.dcm": "without pixel data (Basic Text SR Storage)",
    "test-SR.dcm": "without pixel data (Comprehensive SR Storage)",
    "waveform_ecg.dcm": "without pixel data (12-lead ECG Waveform Storage)",
    "UN_sequence.dcm": "without pixel data (CT Image Storage)",
    "priv_SQ.dcm": "without pixel data (MR Image Storage)",
    "no_meta_group_length.dcm": "without pixel data (RT Image Storage)",
    "ExplVR_LitEndNoMeta.dcm": "without pixel data (RT Ion Plan Storage)",
    "ExplVR_BigEndNoMeta.dcm": "without pixel data (RT Ion Plan Storage)",
    "empty_charset_LEI.dcm": "without pixel data",
    # Three elements long: the pixel data are there, what describes them is not.
    "meta_missing_tsyntax.dcm": "no BitsAllocated",
    "nested_priv_SQ.dcm": "no BitsAllocated",
    # Number of Frames is the text "1A".
    "badVR.dcm": "damaged DICOM file: invalid literal for int",
    # 62 bytes short.
    "MR_truncated.dcm": "less than expected (8130 vs 8192 bytes)",
    # The image height in the code stream is overwritten with a delimiter's bytes.
    "JPEG2000-embedded-sequence-delimiter.dcm": "says 1024 x 256 pixels but its code stream holds 1024 x",
    # Starts with a stray byte, so that no element begins where one should.
    "no_meta.dcm": "no PNG, JPEG, TIFF or DICOM file",
    "crayons.icc": "no PNG, JPEG, TIFF or DICOM file",
    "zipMR.gz": "a gzip archive",
}
# Their pixels disagree with pydicom's own reading, which Pillow limits; see the notes of each.
WITHOUT_PEER = {"GDCMJ2K_TextGBR.dcm", "examples_palette.dcm"}


# JPEG of 12 bits, lossless JPEG and JPEG-LS: pydicom decodes them with plugins that this package does without.
NOT_DECODED_BY_PYDICOM = {f"1.2.840.10008.1.2.4.{number}" for number in (51, 53, 57, 70, 80, 81)}

# A compressed file, the same image uncompressed, and how far apart their values may be.
TWINS = [
    ("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm", 0),
    ("MR_small_jp2klossless.dcm", "MR_small.dcm", 0),
    ("MR_small_RLE.dcm", "MR_small.dcm", 0),
    ("CT1_JPLL", "CT1_UNC", 0),
    ("CT1_JLSL", "CT1_UNC", 0),
    ("MR1_J2KR", "MR1_UNC", 0),
    ("NM1_J2KR", "NM1_UNC", 0),
    ("MR1_JLSN", "MR1_UNC", 10),
    ("NM1_JLSN", "NM1_UNC", 10),
    ("MR1_JPLY", "MR1_UNC", 250),
    ("NM1_JPLY", "NM1_UNC", 250),
]


def reason(path: pathlib.Path) -> str | None:
    if path.suffix in (".txt", ".dump", ".json", ".md") or path.name == "README":
        return "text file"
    if path.name.startswith("DICOMDIR"):
        return "without pixel data (Media Storage Directory Storage)"
    if "TINY_ALPHA" in path.parts:
        return "without pixel data (CT Image Storage)"
    return REASONS.get(path.name)


def grey_of(stored: np.ndarray, photometric: str) -> np.ndarray:
    if stored.shape[-1] != 3 or not photometric.startswith(("RGB", "YBR")):
        return stored
    if photometric.startswith("YBR_FULL"):
        return stored[..., 0]
    return np.rint(stored @ np.array([0.299, 0.587, 0.114]))


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: str(path.relative_to(TEST_FILES)))
def test_every_bundled_file_is_read_or_refused_with_its_reason(path: pathlib.Path) -> None:
    expected = reason(path)
    if expected is not None:
        with pytest.raises(MedsrError) as caught:
            read_image(path)
        assert expected in str(caught.value)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)
        return
    _agrees_with_pydicom(path)


@pytest.mark.parametrize("path", SHARED, ids=lambda path: path.name)
def test_every_file_of_the_data_folder_is_read(path: pathlib.Path) -> None:
    _agrees_with_pydicom(path)


def _agrees_with_pydicom(path: pathlib.Path) -> None:
    image = read_image(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = pydicom.dcmread(path, force=True)
        frames = int(source.get("NumberOfFrames", 1) or 1)
        assert image.pixels.shape == (frames, source.Rows, source.Columns)
        assert image.pixels.dtype.isnative
        assert image.value_range[0] <= image.pixels.min() <= image.pixels.max() <= image.value_range[1]
        assert image.dataset is not None and "PixelData" not in image.dataset
        if path.name in WITHOUT_PEER:
            return
        try:
            stored, meta = pydicom.pixels.pixel_array(source, raw=True), source.PhotometricInterpretation
        except (RuntimeError, NotImplementedError, AttributeError):
            # Held by test_a_compressed_file_has_the_pixels_of_its_uncompressed_twin and by the frames made below.
            assert str(source.file_meta.TransferSyntaxUID) in NOT_DECODED_BY_PYDICOM, path.name
            return
    grey = grey_of(stored, _photometric_after_decoding(source, meta)).reshape(image.pixels.shape)
    tolerance = 1 if image.notes else 0
    assert np.abs(grey.astype(np.int64) - image.pixels).max() <= tolerance


@pytest.mark.parametrize(("compressed", "uncompressed", "tolerance"), TWINS)
def test_a_compressed_file_has_the_pixels_of_its_uncompressed_twin(
    compressed: str, uncompressed: str, tolerance: int
) -> None:
    paths = {path.name: path for path in (*BUNDLED, *SHARED)}
    if compressed not in paths:
        pytest.skip(f"{compressed} is in the data folder only; name one with MEDSR_DATA")
    ours, truth = (read_image(paths[name]).pixels.astype(np.int64) for name in (compressed, uncompressed))
    assert ours.shape == truth.shape
    assert np.abs(ours - truth).max() <= tolerance


def _photometric_after_decoding(source: Dataset, photometric: str) -> str:
    return "RGB" if photometric in ("YBR_ICT", "YBR_RCT") else photometric


CODECS = {
    "1.2.840.10008.1.2.4.50": (np.uint8, 8, lambda a: imagecodecs.jpeg8_encode(a, level=95), 6),
    "1.2.840.10008.1.2.4.51": (
        np.uint16,
        12,
        lambda a: imagecodecs.jpeg8_encode(a, level=95, bitspersample=12),
        80,
    ),
    "1.2.840.10008.1.2.4.70": (np.uint16, 16, lambda a: imagecodecs.ljpeg_encode(a, bitspersample=16), 0),
    "1.2.840.10008.1.2.4.80": (np.uint16, 12, imagecodecs.jpegls_encode, 0),
    "1.2.840.10008.1.2.4.81": (np.uint16, 12, lambda a: imagecodecs.jpegls_encode(a, level=3), 3),
    "1.2.840.10008.1.2.4.90": (np.uint16, 12, lambda a: imagecodecs.jpeg2k_encode(a, codecformat="j2k"), 0),
    "1.2.840.10008.1.2.4.201": (np.uint16, 16, imagecodecs.htj2k_encode, 0),
    "1.2.840.10008.1.2.4.110": (np.uint16, 16, lambda a: imagecodecs.jpegxl_encode(a, lossless=True), 0),
}


@pytest.mark.parametrize("syntax", CODECS)
def test_encapsulated_frames_of_every_codec_are_read(tmp_path: pathlib.Path, syntax: str) -> None:
    dtype, bits, encode, tolerance = CODECS[syntax]
    rows, columns = np.mgrid[:24, :20]
    frames = np.stack([(rows * 3 + columns * 2 + shift) * (2**bits // 256) for shift in (0, 40)]).astype(dtype)
    dataset = image_object(frames, sop_class="1.2.840.10008.5.1.4.1.1.7.3", bits_stored=bits)
    dataset.PixelData = encapsulate([encode(frame) for frame in frames])
    dataset["PixelData"].is_undefined_length = True
    # pydicom writes no syntax that it does not know, such as JPEG XL: one of as many digits stands in.
    known = syntax if UID(syntax).is_transfer_syntax else "1.2.840.10008.1.2.4.201"
    dataset.file_meta.TransferSyntaxUID = UID(known)
    path = saved(dataset, tmp_path / "image.dcm")
    path.write_bytes(path.read_bytes().replace(known.encode(), syntax.encode()))
    image = read_image(path)
    assert image.pixels.dtype == dtype
    assert np.abs(image.pixels.astype(int) - frames).max() <= tolerance


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.70"])
def test_damaged_code_streams_are_refused(tmp_path: pathlib.Path, syntax: str) -> None:
    dtype, bits, encode, _ = CODECS[syntax]
    frame = np.random.default_rng(0).integers(0, 2**bits, (32, 32)).astype(dtype)
    dataset = image_object(frame, bits_stored=bits)
    stream = encode(frame)
    dataset.PixelData = encapsulate([stream[: len(stream) // 2 & ~1]])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    with pytest.raises(MedsrError, match="truncated"):
        read_image(saved(dataset, tmp_path / "image.dcm"))


def test_signed_values_of_fewer_bits_are_sign_extended(tmp_path: pathlib.Path) -> None:
    values = np.array([[-2048, -1, 0, 2047]], np.int16)
    stored = values & 0x0FFF  # The four bits above are clear, as some devices leave them.
    image = read_image(saved(image_object(stored, bits_stored=12), tmp_path / "image.dcm"))
    np.testing.assert_array_equal(image.pixels[0], values)
    assert image.value_range == (-2048, 2047)
    assert image.notes == ("bits above the 12 stored were cleared",)


def test_overlays_in_the_unused_bits_are_cleared(tmp_path: pathlib.Path) -> None:
    values = np.array([[0, 100, 4095]], np.uint16)
    image = read_image(saved(image_object(values | 0x8000, bits_stored=12), tmp_path / "image.dcm"))
    np.testing.assert_array_equal(image.pixels[0], values)
    assert image.value_range == (0, 4095)


def test_values_in_the_upper_bits_are_shifted_down(tmp_path: pathlib.Path) -> None:
    values = np.array([[0, 100, 4095]], np.uint16)
    dataset = image_object(values << 4, bits_stored=12, HighBit=15)
    image = read_image(saved(dataset, tmp_path / "image.dcm"))
    np.testing.assert_array_equal(image.pixels[0], values)
    assert "shifted down by 4" in image.notes[0]


def test_monochrome1_is_told_and_not_inverted(tmp_path: pathlib.Path) -> None:
    values = np.array([[0, 255]], np.uint8)
    dataset = image_object(values, PhotometricInterpretation="MONOCHROME1")
    image = read_image(saved(dataset, tmp_path / "image.dcm"))
    assert image.inverted
    np.testing.assert_array_equal(image.pixels[0], values)


def test_modality_and_voi_transforms_stay_in_the_data_set(tmp_path: pathlib.Path) -> None:
    values = np.array([[0, 4095]], np.uint16)
    dataset = image_object(values, bits_stored=12, RescaleSlope="2", RescaleIntercept="-1024", WindowCenter="40")
    image = read_image(saved(dataset, tmp_path / "image.dcm"))
    np.testing.assert_array_equal(image.pixels[0], values)
    assert image.dataset is not None
    assert (image.dataset.RescaleSlope, image.dataset.WindowCenter) == (2, 40)


def test_padding_is_a_range_of_stored_values(tmp_path: pathlib.Path) -> None:
    values = np.zeros((2, 2), np.int16)
    dataset = image_object(values, PixelPaddingValue=-2000)
    assert read_image(saved(dataset, tmp_path / "one.dcm")).padding == (-2000, -2000)
    dataset.PixelPaddingRangeLimit = -1900
    assert read_image(saved(dataset, tmp_path / "range.dcm")).padding == (-2000, -1900)


@pytest.mark.parametrize("keyword", ["PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"])
def test_spacing_is_found_under_each_of_its_names(tmp_path: pathlib.Path, keyword: str) -> None:
    dataset = image_object(np.zeros((2, 2), np.uint8), **{keyword: ["0.2", "0.1"]})
    assert read_image(saved(dataset, tmp_path / "image.dcm")).spacing == (0.2, 0.1)
    setattr(dataset, keyword, ["0", "0"])
    image = read_image(saved(dataset, tmp_path / "zero.dcm"))
    assert image.spacing is None
    assert image.notes == (f"{keyword} is not positive and was ignored",)


def test_a_file_without_preamble_is_read(tmp_path: pathlib.Path) -> None:
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    whole = saved(image_object(values), tmp_path / "image.dcm").read_bytes()
    (tmp_path / "bare.dcm").write_bytes(whole[132:])
    np.testing.assert_array_equal(read_image(tmp_path / "bare.dcm").pixels[0], values)


def test_an_unsupported_transfer_syntax_is_named(tmp_path: pathlib.Path) -> None:
    dataset = image_object(np.zeros((4, 4), np.uint8))
    dataset.PixelData = encapsulate([bytes(16)])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.102")
    with pytest.raises(MedsrError, match=r"MPEG-4 .*1\.2\.840\.10008\.1\.2\.4\.102\), which can't be decoded"):
        read_image(saved(dataset, tmp_path / "video.dcm"))


def test_impossible_pixels_are_refused(tmp_path: pathlib.Path) -> None:
    for changes, problem in (
        ({"Rows": 65500, "Columns": 65500}, "million"),
        ({"Rows": 0}, "no pixels"),
        ({"BitsAllocated": 12}, "12 allocated"),
        ({"BitsStored": 9}, "9 bits stored of 8"),
        ({"SamplesPerPixel": 4, "PhotometricInterpretation": "CMYK"}, "CMYK"),
        ({"NumberOfFrames": 3}, "less than expected"),
    ):
        dataset = image_object(np.zeros((4, 4), np.uint8), **changes)
        with pytest.raises(MedsrError, match=problem):
            read_image(saved(dataset, tmp_path / "image.dcm"))


def test_every_truncation_is_refused(tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = saved(image_object(np.ones((9, 9), np.uint16)), tmp_path / "image.dcm").read_bytes()
    for length in range(1, len(whole), 7):
        (tmp_path / "image.dcm").write_bytes(whole[:length])
        with pytest.raises(MedsrError) as caught:
            read_image(tmp_path / "image.dcm")
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_damaged_bytes_never_escape_as_another_exception(
    tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    random = np.random.default_rng(0)
    whole = saved(image_object(np.ones((9, 9), np.uint16)), tmp_path / "image.dcm").read_bytes()
    for _ in range(150):
        damaged = bytearray(whole)
        for at in random.integers(128, len(damaged), 5):
            damaged[at] = random.integers(0, 256)
        (tmp_path / "image.dcm").write_bytes(damaged)
        try:
            read_image(tmp_path / "image.dcm")
        except MedsrError as error:
            assert "\n" not in str(error)
    assert capfd.readouterr() == ("", "")
