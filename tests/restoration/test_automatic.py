"""Which model restores a packet where nobody names one, and interpolation where there is none."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np
import pydicom
import pydicom.data
import pytest

from medsr_jax.evaluation.baselines import enlarge
from medsr_jax.imaging import read_image
from medsr_jax.restoration import Restorer, write_restored
from medsr_jax.restoration.restorer import AUTOMATIC
from medsr_jax.transmission.mapping import from_codes
from medsr_jax.transmission.packet_io import read_packet, write_packet
from medsr_jax.transmission.sender import compress
from medsr_jax.weights import model_file
from tests.restoration.pictures import picture


@pytest.fixture
def automatic(tiny_weights: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What nobody names, with a tiny model as the packaged one for scale 4."""
    monkeypatch.setitem(AUTOMATIC, 4, tiny_weights)
    return Restorer


def test_a_packet_gets_the_packaged_model_of_its_scale_else_bicubic_and_says_so(
    automatic: Any, tiny_weights: Any, radiograph: np.ndarray
) -> None:
    restorer = automatic()
    assert (restorer.name, restorer.label) == ("auto", "tiny or bicubic")
    packets = [compress(picture(radiograph), scale=scale, quality=60) for scale in (4, 3, 1)]
    restored = [restorer(packet) for packet in packets]
    assert [one.model for one in restored] == ["tiny", "bicubic", "bicubic"]
    assert [one.notes for one in restored] == [
        (),
        ("no packaged model enlarges by 3: enlarged by bicubic interpolation",),
        ("sent at full size: no model was applied",),
    ]
    np.testing.assert_array_equal(restored[0].pixels, Restorer(tiny_weights)(packets[0]).pixels)
    assert all(one.pixels.shape == (1, *radiograph.shape) for one in restored)


@pytest.mark.parametrize("codec", ["avif", "jpeg2000"])
def test_the_model_is_taken_whatever_the_codec(automatic: Any, radiograph: np.ndarray, codec: str) -> None:
    restored = automatic()(compress(picture(radiograph), scale=4, codec=codec, quality=60))
    assert (restored.model, restored.notes, restored.violation) == ("tiny", (), None)


@pytest.mark.parametrize(("codec", "model"), [("jpeg", "tiny"), ("jpeg2000", "bicubic")])
def test_nuclear_medicine_is_interpolated_unless_a_jpeg_binds_the_network(
    automatic: Any, codec: str, model: str
) -> None:
    image = read_image(pydicom.data.get_testdata_file("MR_small.dcm"))
    image.dataset.Modality = "NM"
    restored = automatic()(compress(image, scale=4, codec=codec, quality=60))
    assert restored.model == model
    assert any("nuclear medicine" in note for note in restored.notes) == (model == "bicubic")


def test_a_network_is_told_how_strongly_other_codecs_quantised(radiograph: np.ndarray, tiny_weights: Any) -> None:
    packets = [compress(picture(radiograph), scale=4, codec="jpeg2000", quality=60) for _ in range(2)]
    said = dataclasses.replace(packets[1], header=dataclasses.replace(packets[1].header, quality=30))
    first, second = (Restorer(tiny_weights)(packet).pixels for packet in (packets[0], said))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("card", "warning"),
    [
        ({"gain over bicubic": "-0.52 dB"}, "by its card 0.52 dB below bicubic interpolation"),
        ({"validation": "PSNR 30.10 dB, bicubic 31.00 dB at q 60"}, "by its card 0.90 dB below bicubic interpolation"),
        ({"note": "a tiny run"}, "a tiny run"),
        ({"gain over bicubic": "+0.96 dB"}, ""),
    ],
)  # fmt: skip
def test_a_model_that_is_below_bicubic_by_its_card_is_said_to_be(
    tiny_weights: Any, radiograph: np.ndarray, card: dict[str, Any], warning: str
) -> None:
    weights = model_file.load(tiny_weights)
    weights = dataclasses.replace(weights, card={"name": "tiny", **card})
    assert Restorer(weights)(compress(picture(radiograph), scale=4, quality=60)).notes == (
        (f"model tiny: {warning}",) if warning else ()
    )


def test_packets_of_several_scales_codecs_and_types_are_restored_together(
    automatic: Any, radiograph: np.ndarray
) -> None:
    wide = radiograph.astype(np.uint16) * 257
    packets = [
        compress(picture(pixels), scale=scale, codec=codec, quality=70)
        for pixels, scale, codec in (
            (radiograph, 4, "jpeg"),
            (radiograph, 2, "avif"),
            (wide, 1, "jpeg2000"),
            (radiograph[:101, :67], 4, "avif"),
            (wide[:64], 2, "jpeg"),
            (radiograph, 2, "avif"),
        )
    ]
    together = automatic(batch=2).restore(packets)
    for packet, shared in zip(packets, together, strict=True):
        alone = automatic()(packet)
        assert (shared.model, shared.notes, shared.violation) == (alone.model, alone.notes, alone.violation)
        assert np.abs(alone.pixels.astype(int) - shared.pixels).max() <= (1 if alone.pixels.dtype == np.uint8 else 257)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 5), (101, 67), (160, 200)])
@pytest.mark.parametrize("scale", [1, 2, 3, 6])
def test_bicubic_by_name_is_for_any_scale_and_needs_no_reason(
    radiograph: np.ndarray, rows: int, columns: int, scale: int
) -> None:
    packet = compress(picture(radiograph[:rows, :columns]), scale=scale, codec="jpeg2000", quality=90)
    restored = Restorer("bicubic")(packet)
    assert (restored.model, restored.notes) == ("bicubic", ())
    inside = (0, slice(3 * scale, -3 * scale or None), slice(3 * scale, -3 * scale or None))
    difference = restored.pixels.astype(int) - enlarge(packet)  # whose filter is another one at the edge
    assert np.abs(difference[inside]).max(initial=0) <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_at_full_size_what_was_sent_is_what_comes_out(radiograph: np.ndarray, dtype: Any) -> None:
    values = radiograph.astype(dtype) * (257 if dtype == np.uint16 else 1)
    packet = compress(picture(values), scale=1, codec="jpeg2000", quality=80)
    h = packet.header
    sent = from_codes(packet.decode(), low=h.low, high=h.high, levels=h.levels)
    np.testing.assert_array_equal(Restorer("bicubic", tile=64)(packet).pixels, np.rint(sent))


@pytest.mark.parametrize("scale", [1, 2])
def test_bicubic_too_is_fitted_to_what_was_sent(radiograph: np.ndarray, scale: int) -> None:
    packet = compress(picture(radiograph[:157, :171]), scale=scale, quality=60)
    fitted = Restorer("bicubic")(packet)
    assert fitted.violation < 0.4
    assert fitted.violation <= fitted.violation_before + 0.1  # rounded to whole levels
    assert Restorer("bicubic", refine=False)(packet).violation_before is None


def test_tiles_of_bicubic_join_without_a_seam(radiograph: np.ndarray) -> None:
    packet = compress(picture(np.tile(radiograph, (2, 2))), scale=2, quality=60)
    whole, tiled = (Restorer("bicubic", tile=tile)(packet).pixels for tile in (None, 32))
    assert np.abs(whole.astype(int) - tiled).max() <= 1


def test_interpolation_has_no_spread_and_no_ensemble(automatic: Any, radiograph: np.ndarray) -> None:
    restorer = automatic(uncertainty=True, views=8)
    small, large = (restorer(compress(picture(radiograph), scale=scale, quality=60)) for scale in (4, 2))
    assert small.model == "tiny, x8 self-ensemble"
    assert small.spread.max() > 0
    assert large.model == "bicubic"
    assert large.spread.shape == large.pixels.shape
    assert not large.spread.any()
    assert large.notes[-1] == "interpolation has no spread"


def test_a_constant_image_of_16_bits_comes_back(automatic: Any) -> None:
    for budget in (400, 2000):
        packet = compress(picture(np.full((50, 70), 777, np.uint16), (0, 4095)), max_bytes=budget)
        assert (automatic()(packet).pixels == 777).all()


def test_what_a_budget_made_comes_back_in_dicom_with_the_reason(automatic: Any, tmp_path: pathlib.Path) -> None:
    image = read_image(pydicom.data.get_testdata_file("693_J2KI.dcm"))
    write_packet(tmp_path / "sent.dcm", compress(image, scale=2, max_bytes=6000))
    packet = read_packet(tmp_path / "sent.dcm")
    write_restored(tmp_path / "restored.dcm", packet, automatic()(packet))
    restored = pydicom.dcmread(tmp_path / "restored.dcm")
    assert (restored.Rows, restored.Columns) == (512, 512)
    assert "x2 by medsr_jax model bicubic; no packaged model enlarges by 2" in restored.DerivationDescription
    assert restored.SeriesDescription == "Restored x2 (bicubic)"
    assert "without a neural network. Not for primary diagnosis" in restored.ImageComments
