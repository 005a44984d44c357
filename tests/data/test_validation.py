"""Training, validation, prepared sets and the receiver see one image alike."""

import pathlib
from typing import Any

import numpy as np
import pydicom
import pydicom.data
import pytest
import tifffile
from PIL import Image as Pillow

from medsr_jax.data.collection import PrepareSettings
from medsr_jax.data.prepare import prepare
from medsr_jax.data.sources import folder_images, load_images
from medsr_jax.data.validation import validation_images
from medsr_jax.data.windows import through_window
from medsr_jax.errors import MedsrError
from medsr_jax.imaging import read_image
from medsr_jax.restoration.assembly import Assembly
from medsr_jax.restoration.function import positive
from medsr_jax.transmission.sender import compress
from tests.data.pictures import ct, picture
from tests.imaging.dicom.objects import image_object, saved

SIDE = 64


def _shape(rows: int = 96, columns: int = 80) -> np.ndarray:
    """(rows, columns) of 0..1, smooth, with an edge."""
    y, x = np.mgrid[0:rows, 0:columns] / max(rows, columns)
    return np.clip(0.5 + 0.3 * np.sin(5 * x + 2 * y) + 0.2 * (x > 0.4 + 0.2 * y), 0, 1)


def _inverted_tiff(path: pathlib.Path) -> None:
    tifffile.imwrite(path.with_suffix(".tif"), np.rint(255 - 200 * _shape()).astype(np.uint8), photometric="miniswhite")


def _eight_bits(path: pathlib.Path) -> None:
    Pillow.fromarray(np.rint(200 * _shape() + 20).astype(np.uint8)).save(path.with_suffix(".png"))


def _sixteen_bits(path: pathlib.Path) -> None:
    Pillow.fromarray(np.rint(30000 * _shape() + 700).astype(np.uint16)).save(path.with_suffix(".png"))


def _twelve_bits(path: pathlib.Path, **attributes: object) -> None:
    dataset = image_object(np.rint(3000 * _shape() + 500).astype(np.uint16), bits_stored=12)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    saved(dataset, path.with_suffix(".dcm"))


def _inverted_twelve_bits(path: pathlib.Path) -> None:
    _twelve_bits(path, PhotometricInterpretation="MONOCHROME1")


def _padded(path: pathlib.Path) -> None:
    values = np.rint(3000 * _shape() + 500).astype(np.uint16)
    values[:20] = 0
    dataset = image_object(values, bits_stored=12)
    dataset.PixelPaddingValue = 0
    saved(dataset, path.with_suffix(".dcm"))


def _hounsfield(path: pathlib.Path) -> None:
    ct(path.with_suffix(".dcm"), np.rint(1800 * _shape() - 900).astype(int))


KINDS = [_eight_bits, _inverted_tiff, _twelve_bits, _inverted_twelve_bits, _sixteen_bits, _padded, _hounsfield]


def _network_sees(file: pathlib.Path, window: tuple[float, float]) -> np.ndarray:
    """What the receiver shows the network of a packet at full size, (rows, columns) in [0, 1]."""
    packet = compress(read_image(file), scale=1, codec="jpeg2000", quality=100, window=window, preprocess=False)
    assembly = Assembly(packet, refine=False)
    (job,) = assembly.jobs(0, tile=None, halo=0)
    rows, columns = read_image(file).pixels.shape[1:]
    return positive(assembly.inputs(job))[0, :rows, :columns, 0]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_training_validation_prepared_sets_and_the_receiver_agree(kind: Any, tmp_path: pathlib.Path) -> None:
    folder, out = tmp_path / "images", tmp_path / "set"
    folder.mkdir()
    kind(folder / "a")
    (file,) = folder.iterdir()
    image = read_image(file)
    seen = through_window(image).frames[0]
    for read in (load_images(folder), folder_images(folder, smallest=8)):
        np.testing.assert_array_equal(read[0], seen)
    prepare([folder], out, settings=PrepareSettings(validation=0.0, min_side=16))
    np.testing.assert_array_equal(load_images(out, split="train")[0], seen)

    top, left = ((extent - SIDE) // 2 for extent in seen.shape)
    expected = seen[top : top + SIDE, left : left + SIDE] / np.iinfo(seen.dtype).max
    for where, split in ((folder, ""), (out, "train")):
        (crop,) = validation_images(where, side=SIDE, split=split)
        assert crop.dtype == np.uint8
        np.testing.assert_allclose(crop / 255, expected, atol=0.502 / 255)

    # The sender's window is of stored values; 8 bits travel as they are.
    low, high = _stored_window(file)
    received = _network_sees(file, (low, high))
    inside = slice(None) if image.padding is None else image.pixels[0] > image.padding[1]
    np.testing.assert_allclose(received[inside], seen[inside] / np.iinfo(seen.dtype).max, atol=0.02)


def _stored_window(file: pathlib.Path) -> tuple[float, float]:
    image = read_image(file)
    if image.pixels.dtype.itemsize == 1:
        return image.value_range
    low, high = (float(end) for end in through_window(image).window.split(" ")[-1].split(".."))
    slope, intercept = (float(image.dataset.get(key, default)) if image.dataset is not None else default
                        for key, default in (("RescaleSlope", 1), ("RescaleIntercept", 0)))  # fmt: skip
    return (low - intercept) / slope, (high - intercept) / slope


def test_white_is_zero_is_turned_for_validation_too(tmp_path: pathlib.Path) -> None:
    _inverted_tiff(tmp_path / "a")
    (crop,) = validation_images(tmp_path, side=SIDE)
    (whole,) = folder_images(tmp_path, smallest=8)
    np.testing.assert_array_equal(whole, 255 - tifffile.imread(tmp_path / "a.tif"))
    top, left = ((extent - SIDE) // 2 for extent in whole.shape)
    np.testing.assert_array_equal(crop, whole[top : top + SIDE, left : left + SIDE])


def test_a_split_of_a_prepared_set_is_validated_on(tmp_path: pathlib.Path) -> None:
    folder, out = tmp_path / "images", tmp_path / "set"
    folder.mkdir()
    for number in range(12):
        Pillow.fromarray(picture(number)).save(folder / f"{number}.png")
    report = prepare([folder], out, settings=PrepareSettings(validation=0.4, min_side=16))
    side = min(picture(0).shape)
    crops = list(validation_images(out, side=side))
    assert len(crops) == report.images["validation"] > 0
    trained = {image.tobytes() for image in load_images(out, split="train")}
    assert not any(picture(n).tobytes() in trained for n in range(12) if any(
        np.array_equal(_central(picture(n), side), crop) for crop in crops))  # fmt: skip
    assert len(list(validation_images(out, side=side, count=1))) == 1
    with pytest.raises(MedsrError, match="image 0 of validation: has .* lower config.validation.side"):
        list(validation_images(out, side=side + 1))


def _central(image: np.ndarray, side: int) -> np.ndarray:
    top, left = ((extent - side) // 2 for extent in image.shape)
    return image[top : top + side, left : left + side]


def test_a_window_of_the_object_is_used_where_it_is_asked_for(tmp_path: pathlib.Path) -> None:
    dataset = pydicom.dcmread(str(pydicom.data.get_testdata_file("CT_small.dcm")))
    dataset.WindowCenter, dataset.WindowWidth = 40, 400
    image = read_image(saved(dataset, tmp_path / "ct.dcm"))
    voi, given = (through_window(image, window).frames for window in ("voi", (-160.0, 239.0)))
    np.testing.assert_array_equal(voi, given)
