import pathlib
from typing import Any

import numpy as np
import pydicom.data
import pytest
from pydicom.dataset import Dataset

from medsr_jax.data.windows import parse_window, through_window
from medsr_jax.errors import MedsrError
from medsr_jax.imaging import Image, read_image
from tests.data.pictures import ct, picture
from tests.imaging.dicom.objects import image_object, saved


def stored(pixels: np.ndarray, *, value_range: tuple[float, float] = (0, 4095), **fields: Any) -> Image:
    return Image(pixels=pixels[None], value_range=value_range, kind="dicom", **fields)


def test_eight_bits_stay_as_they_are_whatever_the_window() -> None:
    pixels = picture(0)
    for window in ("auto", "full", "voi", (10.0, 20.0)):
        result = through_window(stored(pixels, value_range=(0, 255)), window)
        np.testing.assert_array_equal(result.frames[0], pixels)
        assert result.frames.dtype == np.uint8
        assert result.window == "as it is"


def test_eight_bits_stored_in_sixteen_come_out_as_eight() -> None:
    result = through_window(stored(picture(0).astype(np.uint16), value_range=(0, 255)))
    np.testing.assert_array_equal(result.frames[0], picture(0))
    assert result.frames.dtype == np.uint8


def test_signed_eight_bits_and_fewer_bits_fill_the_range() -> None:
    signed = np.array([[-128, 0, 127]], np.int8)
    np.testing.assert_array_equal(through_window(stored(signed, value_range=(-128, 127))).frames[0], [[0, 128, 255]])
    four = np.array([[0, 1, 15]], np.uint8)
    np.testing.assert_array_equal(through_window(stored(four, value_range=(0, 15))).frames[0], [[0, 17, 255]])


def test_ct_spreads_a_thousand_hounsfield_units_to_either_side_of_water_over_sixteen_bits(
    tmp_path: pathlib.Path,
) -> None:
    hounsfield = np.array([[-1024, -1000, 0], [1, 1000, 3000]])
    result = through_window(read_image(ct(tmp_path / "ct", hounsfield)))
    np.testing.assert_array_equal(result.frames[0], [[0, 0, 32768], [32800, 65535, 65535]])
    assert result.window == "CT -1000..1000"


def test_ct_without_a_rescale_is_no_hounsfield(tmp_path: pathlib.Path) -> None:
    path = ct(tmp_path / "ct", picture(0).astype(np.int32) * 10)
    dataset = pydicom.dcmread(path)
    del dataset.RescaleSlope, dataset.RescaleIntercept
    assert through_window(read_image(saved(dataset, path))).window.startswith("percentiles")


def test_other_deep_images_span_their_percentiles_without_padding() -> None:
    pixels = np.arange(10_000, dtype=np.uint16).reshape(100, 100) + 100
    pixels[:50] = 0
    result = through_window(stored(pixels, value_range=(0, 65535), padding=(0, 0)))
    low, high = np.percentile(pixels[50:], (0.1, 99.9))
    expected = np.rint(np.clip((pixels - low) / (high - low), 0, 1) * 65535)
    assert np.abs(result.frames[0] - expected).max() <= 1
    assert (result.frames[0][:50] == 0).all()


def test_a_small_object_on_a_flat_ground_is_not_lost_to_the_percentiles() -> None:
    pixels = np.full((100, 100), 7, np.uint16)
    pixels[50, 50:53] = 900
    assert set(np.unique(through_window(stored(pixels)).frames)) == {0, 65535}


def test_inverted_images_are_turned_and_padding_stays_black() -> None:
    pixels = np.array([[0, 1000, 4095]], np.uint16)
    full = through_window(stored(pixels, inverted=True, padding=(0, 0)), "full").frames[0]
    np.testing.assert_array_equal(full, [[0, 65535 - 16004, 0]])
    eight = through_window(stored(np.array([[0, 100]], np.uint8), value_range=(0, 255), inverted=True)).frames[0]
    np.testing.assert_array_equal(eight, [[255, 155]])


@pytest.mark.parametrize(
    ("function", "ends"), [("LINEAR", (-160, 239)), ("LINEAR_EXACT", (-160, 240)), ("SIGMOID", (-160, 240))]
)
def test_voi_is_the_objects_own_window(tmp_path: pathlib.Path, function: str, ends: Any) -> None:
    attributes = {"WindowCenter": ["40", "9"], "WindowWidth": ["400", "9"], "VOILUTFunction": function}
    image = read_image(ct(tmp_path / "ct", np.array([[-200, *ends, 300]]), **attributes))
    result = through_window(image, "voi")
    np.testing.assert_array_equal(result.frames[0], [[0, 0, 65535, 65535]])
    assert result.window == f"VOI {ends[0]}..{ends[1]}"


def test_without_a_window_of_its_own_an_object_is_taken_as_auto(tmp_path: pathlib.Path) -> None:
    image = read_image(ct(tmp_path / "ct", np.array([[0, 1]]), WindowCenter="40", WindowWidth=""))
    assert through_window(image, "voi").window == "CT -1000..1000"


def test_a_given_window_is_in_hounsfield_units_where_there_are_some(tmp_path: pathlib.Path) -> None:
    image = read_image(ct(tmp_path / "ct", np.array([[-100, 0, 100]])))
    np.testing.assert_array_equal(through_window(image, (0.0, 100.0)).frames[0], [[0, 0, 65535]])


def test_every_frame_has_its_own_rescale() -> None:
    dataset = Dataset()
    dataset.Modality, dataset.PerFrameFunctionalGroupsSequence = "CT", []
    for slope in ("1", "2"):
        group, item = Dataset(), Dataset()
        item.RescaleSlope, item.RescaleIntercept = slope, "0"
        group.PixelValueTransformationSequence = [item]
        dataset.PerFrameFunctionalGroupsSequence.append(group)
    pixels = np.full((2, 1, 1), 500, np.uint16)
    result = through_window(Image(pixels=pixels, value_range=(0, 4095), kind="dicom", dataset=dataset), (0.0, 1000.0))
    np.testing.assert_array_equal(result.frames.ravel(), [32768, 65535])


def test_a_modality_table_is_looked_up() -> None:
    path = str(pydicom.data.get_testdata_file("mlut_18.dcm", download=False))
    dataset = pydicom.dcmread(path)
    expected = pydicom.pixels.apply_modality_lut(dataset.pixel_array, dataset)
    result = through_window(read_image(path), (float(expected.min()), float(expected.max())))
    span = float(expected.max()) - float(expected.min())
    np.testing.assert_allclose(result.frames[0] / 65535, (expected - float(expected.min())) / span, atol=1e-4)


def test_floats_span_their_percentiles() -> None:
    pixels = np.linspace(-3, 5, 10_000, dtype=np.float32).reshape(100, 100)
    result = through_window(stored(pixels, value_range=(-3, 5)))
    assert (result.frames.min(), result.frames.max()) == (0, 65535)
    assert result.window == "percentiles 0.1, 99.9 at -2.992..4.992"


def test_a_partners_window_gives_the_same_code_to_the_same_value() -> None:
    pixels = picture(0, dtype=np.uint16) // 16
    whole, part = stored(pixels), stored(pixels[:20, :20] // 2)
    codes = dict(zip(pixels.ravel(), through_window(whole).frames.ravel(), strict=True))
    seen = zip(part.pixels.ravel(), through_window(part, like=whole).frames.ravel(), strict=True)
    shared = [(codes[value], code) for value, code in seen if value in codes]
    assert len(shared) > 50
    assert all(a == b for a, b in shared)


@pytest.mark.parametrize("text", ["data", "5", "5:4", "nan:3", "1:2:3", ""])
def test_a_wrong_window_is_refused(text: str) -> None:
    with pytest.raises(MedsrError, match="^window: must be auto, full, voi or LOW:HIGH"):
        parse_window(text)


def test_windows_are_parsed() -> None:
    assert parse_window("-1000:400.5") == (-1000.0, 400.5)
    assert parse_window("voi") == "voi"


def test_monochrome1_of_a_real_object_shows_the_same_as_monochrome2(tmp_path: pathlib.Path) -> None:
    pixels = picture(3, dtype=np.uint16) // 16
    plain = read_image(saved(image_object(pixels, bits_stored=12), tmp_path / "a"))
    turned = image_object(4095 - pixels, bits_stored=12, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_allclose(
        through_window(read_image(saved(turned, tmp_path / "b"))).frames.astype(int),
        through_window(plain).frames.astype(int),
        atol=1,
    )
