"""The map of the spread beside a restored image: its units, its marks, and whether it is written."""

from __future__ import annotations

import copy
import pathlib
from typing import Any

import numpy as np
import PIL.Image
import pydicom
import pytest
import tifffile

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import Image, read_image, write_dicom
from medsr_jax.restoration import Restored, uncertainty_path, write_restored
from medsr_jax.restoration.uncertainty import uncertainty_dataset
from medsr_jax.transmission.packet_io import read_packet, write_packet
from medsr_jax.transmission.sender import compress
from tests.imaging.dicom.objects import STORAGE, VALIDATOR, enhanced_mr, image_object, saved, validator_errors


def restored_from(pixels: Any) -> Any:
    """A result that has a spread of up to an eighth of its range, with a corner that has none."""
    top = float(pixels.max()) / 8
    spread = np.random.default_rng(0).uniform(0, top, pixels.shape).astype(np.float32)
    spread[:, :4, :4] = 0
    return Restored(pixels, 0.1, spread=spread)


def sent(path: Any, folder: Any) -> Any:
    """The packet of a DICOM file, as it arrives."""
    write_packet(folder / "sent.dcm", compress(read_image(path)))
    return read_packet(folder / "sent.dcm")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_map_gives_back_stored_values_by_what_it_says_of_itself(
    tmp_path: pathlib.Path, radiograph: np.ndarray, suffix: str
) -> None:
    packet = compress(Image(pixels=radiograph[None], value_range=(0, 255), kind="png", spacing=(0.2, 0.2)))
    restored = restored_from(radiograph[None])
    path = tmp_path / f"a{suffix}"
    write_restored(path, packet, restored, model="tiny", uncertainty=uncertainty_path(path))
    if suffix == ".png":
        with PIL.Image.open(tmp_path / "a-uncertainty.png") as file:
            codes, text = np.asarray(file), file.info["Description"]
        assert codes.dtype == np.uint16
        assert codes.max() == 65535
        values = codes * float(text.split()[0])
    else:
        with tifffile.TiffFile(tmp_path / "a-uncertainty.tif") as file:
            values, text = file.pages[0].asarray(), file.pages[0].description
        assert values.dtype == np.float32
    np.testing.assert_allclose(values, restored.spread[0], atol=restored.spread.max() / 1e5)
    assert "stored values" in text
    assert "Not an image for diagnosis" in text
    assert "tiny" in text
    assert read_image(tmp_path / f"a-uncertainty{suffix}").spacing == pytest.approx((0.2, 0.2), rel=1e-3)


def test_of_a_ct_slice_it_is_in_hounsfield_units_and_says_what_it_is(tmp_path: pathlib.Path) -> None:
    source = pydicom.dcmread(pydicom.data.get_testdata_file("CT_small.dcm"))
    packet = sent(pydicom.data.get_testdata_file("CT_small.dcm"), tmp_path)
    restored = restored_from(source.pixel_array[None])
    write_restored(tmp_path / "r.dcm", packet, restored, model="tiny", uncertainty=tmp_path / "u.dcm")
    image, made = pydicom.dcmread(tmp_path / "r.dcm"), pydicom.dcmread(tmp_path / "u.dcm")
    assert "RescaleType" not in source  # which for a CT image is Hounsfield units
    assert pydicom.dcmread(tmp_path / "sent.dcm").RescaleType == "HU"
    assert (float(made.RescaleIntercept), made.RescaleType) == (0, "HU")
    displayed = made.pixel_array * float(made.RescaleSlope)
    np.testing.assert_allclose(displayed, restored.spread[0] * float(source.RescaleSlope), atol=1e-2)
    assert float(made.WindowWidth) == pytest.approx(displayed.max())
    assert made.SOPClassUID == STORAGE + "7"
    assert list(made.ImageType) == ["DERIVED", "SECONDARY", "UNCERTAINTY"]
    assert made.LossyImageCompression == "01"
    assert made.StudyInstanceUID == image.StudyInstanceUID
    assert len({made.SeriesInstanceUID, image.SeriesInstanceUID, source.SeriesInstanceUID}) == 3
    assert len({made.SOPInstanceUID, image.SOPInstanceUID, packet.dataset.SOPInstanceUID}) == 3
    sources = [item.ReferencedSOPInstanceUID for item in made.SourceImageSequence]
    assert sources == [packet.sent.SOPInstanceUID, packet.dataset.SOPInstanceUID]
    assert made.ReferencedImageSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert made.SeriesDescription.startswith("Uncertainty of restored x4, not an image")
    assert "Not an image for diagnosis and no probability" in made.ImageComments
    if VALIDATOR:
        assert validator_errors(tmp_path / "u.dcm") <= validator_errors(pydicom.data.get_testdata_file("CT_small.dcm"))


def test_what_is_said_of_an_images_values_is_not_said_of_their_differences(tmp_path: pathlib.Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 4096, (32, 40)).astype(np.uint16)
    source = image_object(
        pixels,
        bits_stored=12,
        PhotometricInterpretation="MONOCHROME1",
        PresentationLUTShape="INVERSE",
        RescaleSlope="-2",
        RescaleIntercept="4095",
        WindowCenter="2000",
        WindowWidth="4000",
        PixelPaddingValue=0,
    )
    packet = sent(saved(source, tmp_path / "a.dcm"), tmp_path)
    restored = restored_from(pixels[None])
    made = uncertainty_dataset(packet, restored, model="tiny")
    assert made.PhotometricInterpretation == "MONOCHROME2"
    assert made.PresentationLUTShape == "IDENTITY"
    assert "PixelPaddingValue" not in made
    assert float(made.RescaleIntercept) == 0
    assert float(made.RescaleSlope) * 65535 == pytest.approx(2 * restored.spread.max(), rel=1e-4)
    assert float(made.WindowWidth) == pytest.approx(2 * restored.spread.max(), rel=1e-4)


def test_frames_with_slopes_of_their_own_are_mapped_in_one_unit(tmp_path: pathlib.Path) -> None:
    frames = np.random.default_rng(0).integers(0, 4096, (3, 16, 16)).astype(np.uint16)
    source = enhanced_mr(frames)
    shared = source.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence
    del source.SharedFunctionalGroupsSequence[0].PixelValueTransformationSequence
    for slope, group in zip((1, 2, 4), source.PerFrameFunctionalGroupsSequence, strict=True):
        group.PixelValueTransformationSequence = copy.deepcopy(shared)
        group.PixelValueTransformationSequence[0].RescaleSlope = str(slope)
    packet, restored = sent(saved(source, tmp_path / "a.dcm"), tmp_path), restored_from(frames)
    write_dicom(tmp_path / "u.dcm", uncertainty_dataset(packet, restored, model="tiny"))
    made = pydicom.dcmread(tmp_path / "u.dcm")
    displayed = made.pixel_array * float(made.RescaleSlope)
    np.testing.assert_allclose(displayed, restored.spread * [[[1]], [[2]], [[4]]], atol=0.1)
    assert float(made.RescaleIntercept) == 0
    groups = [*made.PerFrameFunctionalGroupsSequence, *made.SharedFunctionalGroupsSequence]
    assert not any("PixelValueTransformationSequence" in group for group in groups)


def test_an_image_without_spread_makes_a_map_of_nothing(tmp_path: pathlib.Path, radiograph: np.ndarray) -> None:
    packet = compress(Image(pixels=radiograph[None], value_range=(0, 255), kind="png"))
    flat = Restored(radiograph[None], 0.1, spread=np.zeros((1, *radiograph.shape), np.float32))
    write_restored(tmp_path / "a.png", packet, flat, model="tiny", uncertainty=tmp_path / "b.png")
    assert not read_image(tmp_path / "b.png").pixels.any()


def test_a_map_that_was_not_computed_or_cannot_be_written_is_named(
    tmp_path: pathlib.Path, radiograph: np.ndarray
) -> None:
    packet = compress(Image(pixels=radiograph[None], value_range=(0, 255), kind="png"))
    (tmp_path / "u.png").mkdir()
    with pytest.raises(
        MedsrError,
        match=r"u\.png: is a folder; name a file to write \(the image beside it is written, without its map\)$",
    ):
        write_restored(
            tmp_path / "a.png", packet, restored_from(radiograph[None]), model="tiny", uncertainty=tmp_path / "u.png"
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "u.png"]
    with pytest.raises(MedsrError, match="without uncertainty"):
        write_restored(
            tmp_path / "a.png", packet, Restored(radiograph[None], 0.1), model="tiny", uncertainty=tmp_path / "v.png"
        )
