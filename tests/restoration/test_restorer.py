from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import jax.numpy as jnp
import numpy as np
import pydicom
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import read_image
from medsr_jax.restoration import Restorer, restored_suffix, write_restored
from medsr_jax.restoration.assembly import Assembly
from medsr_jax.restoration.function import Inputs
from medsr_jax.restoration.program import network_program
from medsr_jax.transmission.downscaling import downscale
from medsr_jax.transmission.packet_io import read_packet, write_packet
from medsr_jax.transmission.sender import compress
from medsr_jax.weights import model_file
from tests.imaging.dicom.objects import enhanced_mr, saved
from tests.restoration.pictures import picture


@pytest.fixture(scope="module")
def restorer(tiny_weights: Any) -> Any:
    return Restorer(tiny_weights)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 5), (64, 64), (101, 67), (127, 128)])
def test_the_original_size_comes_back(restorer: Any, radiograph: np.ndarray, rows: int, columns: int) -> None:
    restored = restorer(compress(picture(radiograph[:rows, :columns]), quality=60))
    assert restored.pixels.shape == (1, rows, columns)
    assert restored.pixels.dtype == np.uint8


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [(np.uint16, 0, 4095), (np.int16, -1024, 3071), (np.uint16, 0, 65535), (np.int8, -128, 127)],
)
def test_type_and_range_of_values_come_back(
    restorer: Any, radiograph: np.ndarray, dtype: Any, low: int, high: int
) -> None:
    values = (low + radiograph.astype(np.float64) / 255 * (high - low)).astype(dtype)
    restored = restorer(compress(picture(values, (low, high)), quality=90)).pixels[0]
    assert restored.dtype == dtype
    assert restored.min() >= low
    assert restored.max() <= high
    assert np.abs(restored.astype(float) - values).mean() < 0.1 * (high - low)


def test_tiles_and_the_whole_agree_to_a_level(tiny_weights: Any, radiograph: np.ndarray) -> None:
    large = np.tile(radiograph, (3, 2))[:480, :400]
    packet = compress(picture(large), quality=60)
    whole = Restorer(tiny_weights, tile=None)(packet).pixels.astype(int)
    tiled = Restorer(tiny_weights, tile=32)(packet).pixels.astype(int)
    assert np.abs(whole - tiled).max() <= 1


def test_frames_are_restored_each_and_batches_change_nothing(tiny_weights: Any, radiograph: np.ndarray) -> None:
    frames = np.stack([radiograph[:96, :96], radiograph[40:136, 50:146], radiograph[60:156, 100:196]])
    one_by_one = [Restorer(tiny_weights)(compress(picture(f), quality=60)).pixels[0] for f in frames]
    packets = [compress(picture(f), quality=60) for f in frames]
    together = Restorer(tiny_weights, batch=2).restore(packets)
    for alone, shared in zip(one_by_one, together, strict=True):
        assert np.abs(alone.astype(int) - shared.pixels[0]).max() <= 1


def test_an_inverted_image_is_restored_as_its_positive(tiny_weights: Any, radiograph: np.ndarray) -> None:
    plain = Restorer(tiny_weights, refine=False)
    positive = plain(compress(picture(radiograph), quality=95)).pixels.astype(int)
    negative = plain(compress(picture(255 - radiograph, inverted=True), quality=95)).pixels.astype(int)
    assert np.abs(positive - (255 - negative)).mean() < 1.0


def test_nothing_in_the_result_contradicts_what_was_sent(tiny_weights: Any, radiograph: np.ndarray) -> None:
    packet = compress(picture(radiograph[:157, :171]), quality=60)
    assert Restorer(tiny_weights, refine=False)(packet).violation > 0.5
    assert Restorer(tiny_weights)(packet).violation < 0.4


@pytest.mark.parametrize("tile", [16, None])
def test_how_far_it_contradicted_before_is_what_the_unfitted_result_does(
    tiny_weights: Any, radiograph: np.ndarray, tile: int | None
) -> None:
    packet = compress(picture(radiograph[:157, :171]), quality=60)
    unfitted = Restorer(tiny_weights, tile=tile, refine=False)(packet)
    fitted = Restorer(tiny_weights, tile=tile)(packet)
    assert unfitted.violation_before is None
    # But for the rounding of the unfitted result to whole levels.
    assert fitted.violation_before == pytest.approx(unfitted.violation, abs=0.1)
    assert fitted.violation < fitted.violation_before


@pytest.fixture(scope="module")
def mapping(tiny_weights: Any) -> Any:
    return Restorer(tiny_weights, tile=32, uncertainty=True)


def test_the_spread_is_in_stored_values(mapping: Any, radiograph: np.ndarray) -> None:
    pixels = radiograph[:96, :120]
    eight = mapping(compress(picture(pixels), window=(0, 255), quality=60))
    sixteen = mapping(compress(picture(pixels.astype(np.uint16) * 16), window=(0, 255 * 16), quality=60))
    assert eight.spread.shape == eight.pixels.shape
    assert eight.spread.dtype == np.float32
    assert (eight.spread > 0).all()
    np.testing.assert_allclose(sixteen.spread, 16 * eight.spread, rtol=1e-4)


def test_each_frame_has_its_own_spread(mapping: Any, tmp_path: pathlib.Path, radiograph: np.ndarray) -> None:
    frames = np.stack([radiograph[:96, :120], radiograph[40:136, 50:170]]).astype(np.uint16) * 16
    packet = compress(read_image(saved(enhanced_mr(frames), tmp_path / "a.dcm")), quality=60, codec="jpeg")
    together = mapping(packet).spread
    window = packet.header.low, packet.header.high
    for frame, spread in zip(frames, together, strict=True):
        alone = mapping(compress(picture(frame), window=window, quality=60)).spread[0]
        np.testing.assert_allclose(spread, alone, rtol=1e-3)


def test_the_spreads_of_tiles_join_to_that_of_the_whole(
    mapping: Any, tiny_weights: Any, radiograph: np.ndarray
) -> None:
    packet = compress(picture(np.tile(radiograph, (2, 2))[:88, :400]), quality=60)
    whole = Restorer(tiny_weights, tile=None, uncertainty=True)(packet)
    tiled = mapping(packet)
    assert np.abs(whole.pixels.astype(int) - tiled.pixels).max() <= 1
    np.testing.assert_allclose(tiled.spread, whole.spread, atol=0.02)


def test_an_ensemble_changes_the_image_and_only_uncertainty_gives_its_spread(
    mapping: Any, tiny_weights: Any, radiograph: np.ndarray
) -> None:
    packet = compress(picture(radiograph[:96, :120]), quality=60)
    single, averaged = Restorer(tiny_weights)(packet), Restorer(tiny_weights, ensemble=True)(packet)
    assert single.spread is averaged.spread is None
    assert not np.array_equal(single.pixels, averaged.pixels)
    # The map is of all eight views; the image beside it stays the mean of the pair.
    assert np.abs(mapping(packet).pixels.astype(int) - averaged.pixels).max() <= 1
    assert averaged.violation < 0.4


def test_a_result_is_labelled_with_what_made_it(tiny_weights: Any) -> None:
    assert Restorer(tiny_weights).label == "tiny"
    assert Restorer(tiny_weights, views=8).label == "tiny"
    assert Restorer(tiny_weights, uncertainty=True).label == "tiny, x2 self-ensemble"
    assert (
        Restorer(tiny_weights, ensemble=True, views=8, dtype=jnp.bfloat16).label == "tiny, x8 self-ensemble, bfloat16"
    )


def test_a_packet_without_intervals_says_how_far_the_result_is_from_what_was_decoded(
    restorer: Any, radiograph: np.ndarray
) -> None:
    assert restorer(compress(picture(radiograph), quality=60)).departure is None
    for codec in ("jpeg2000", "vvc"):
        packet = compress(picture(radiograph), codec=codec, quality=60)
        restored = restorer(packet)
        assert restored.violation is None
        again = downscale(restored.pixels[0], scale=4, kernel="area")
        difference = again - packet.decode()[0] * (255 / packet.header.levels)
        assert restored.departure == pytest.approx(np.sqrt(np.mean(difference**2)), rel=1e-4)
    whole = Restorer("bicubic")(compress(picture(radiograph), codec="avif", scale=1, quality=60))
    assert whole.departure == 0


def test_a_packet_of_another_scale_is_refused_with_a_remedy(restorer: Any, radiograph: np.ndarray) -> None:
    with pytest.raises(MedsrError, match=r"shrunk by 2 .* the model 'auto' .* a scale of 4"):
        restorer(compress(picture(radiograph), scale=2))


@pytest.mark.parametrize("options", [{"tile": 12}, {"tile": -8}, {"batch": 0}, {"views": 3}])
def test_an_impossible_option_is_refused(tiny_weights: Any, options: dict[str, Any]) -> None:
    with pytest.raises(MedsrError, match="^(tile|batch|views): must be"):
        Restorer(tiny_weights, **options)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm"])
def test_dicom_comes_back_as_a_derived_object(restorer: Any, tmp_path: pathlib.Path, name: str) -> None:
    source = pydicom.dcmread(pydicom.data.get_testdata_file(name))
    image = read_image(pydicom.data.get_testdata_file(name))
    write_packet(tmp_path / "sent.dcm", compress(image))
    packet = read_packet(tmp_path / "sent.dcm")
    write_restored(tmp_path / "restored.dcm", packet, restorer(packet), model="tiny")
    restored = pydicom.dcmread(tmp_path / "restored.dcm")
    assert (restored.Rows, restored.Columns) == (source.Rows, source.Columns)
    assert restored.BitsStored == source.BitsStored
    assert restored.PixelRepresentation == source.PixelRepresentation
    assert restored.SOPClassUID == source.SOPClassUID
    assert restored.LossyImageCompression == "01"
    assert restored.LossyImageCompressionMethod == "ISO_10918_1"
    assert restored.ImageType[0] == "DERIVED"
    assert restored.StudyInstanceUID == source.StudyInstanceUID
    assert restored.SeriesInstanceUID != source.SeriesInstanceUID
    assert restored.SOPInstanceUID not in (source.SOPInstanceUID, packet.dataset.SOPInstanceUID)
    assert "tiny" in restored.DerivationDescription
    assert [float(v) for v in restored.PixelSpacing] == pytest.approx([float(v) for v in source.PixelSpacing])
    low, high = image.value_range
    error = np.abs(restored.pixel_array.astype(float) - source.pixel_array).mean()
    assert error < 0.1 * (float(source.pixel_array.max()) - float(source.pixel_array.min()))
    assert low <= restored.pixel_array.min()
    assert restored.pixel_array.max() <= high


def test_suffixes_are_those_of_the_original(radiograph: np.ndarray) -> None:
    packet = compress(picture(radiograph))
    assert restored_suffix(packet) == ".png"
    signed = dataclasses.replace(packet.header, dtype="int16", value_range=(-5, 5), low=-5, high=5)
    assert restored_suffix(dataclasses.replace(packet, header=signed)) == ".tif"


def test_precision_is_that_of_the_network(tiny_weights: Any, radiograph: np.ndarray) -> None:
    packet = compress(picture(radiograph[:64, :64]), quality=60)
    single, half = (Restorer(tiny_weights, refine=False, dtype=dtype) for dtype in (jnp.float32, jnp.bfloat16))
    assert half.label == "tiny, bfloat16"
    difference = np.abs(single(packet).pixels.astype(int) - half(packet).pixels)
    assert 0 < difference.max() <= 8


@pytest.mark.parametrize("tile", [16, 64])
def test_tiles_state_how_much_of_them_is_image(radiograph: np.ndarray, tile: int) -> None:
    packet = compress(picture(radiograph[:157, :171]), quality=60)
    assembly = Assembly(packet, refine=True)
    for job in assembly.jobs(0, tile=tile, halo=8):
        ends = (4 * (span.start + span.size) for span in (job.rows, job.columns))
        beyond = [max(end - side, 0) for end, side in zip(ends, (157, 171), strict=True)]
        sides = [4 * span.size for span in (job.rows, job.columns)]
        assert assembly.inputs(job).valid.tolist() == [[s - b for s, b in zip(sides, beyond, strict=True)]]


def test_results_are_within_the_range_of_codes(tiny_weights: Any) -> None:
    white = np.full((1, 64, 64, 1), 255, np.uint8)
    weights = model_file.load(tiny_weights)
    program = network_program(weights, halo=8)
    image = np.asarray(
        program.restore(Inputs(white, np.zeros(1, np.float32), np.zeros(1, bool), np.full((1, 2), 256))).image
    )
    assert 0.0 <= image.min() <= image.max() <= 1.0
    assert (image == 1.0).any()
