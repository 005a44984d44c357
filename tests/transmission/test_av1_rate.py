from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from medsr_jax.errors import MedsrError, ParameterError
from medsr_jax.imaging.image import Image
from medsr_jax.transmission import expected_gain as gains
from medsr_jax.transmission.av1_rate import SETTINGS, pace_of
from medsr_jax.transmission.codecs import CODECS
from medsr_jax.transmission.expected_gain import expected_gain
from medsr_jax.transmission.mapping import from_codes, to_codes, widened
from medsr_jax.transmission.options import EFFORTS, SendingOptions
from medsr_jax.transmission.packet_io import packet_bytes, parse_packet
from medsr_jax.transmission.sender import compress
from tests.transmission.images import made
from tests.transmission.test_budget import photographed, squared_error


def test_each_quantiser_of_the_encoder_has_one_setting() -> None:
    image = made(48, 48).pixels[0]
    sizes = [len(CODECS["avif"].encode(image, setting, speed=9)) for setting in SETTINGS]
    assert len(SETTINGS) == 63
    assert sizes[-1] > sizes[len(sizes) // 2] > sizes[0]
    same = [CODECS["avif"].encode(image, setting, speed=9) for setting in (25, 26, 27)]
    assert same[0] == same[1] != same[2]
    assert {25, 26} & set(SETTINGS) == {25}


def test_budgets_are_used_to_the_last_percent() -> None:
    image = photographed("693_J2KI.dcm")
    budgets = (1400, 2500, 4000)
    shares = [len(packet_bytes(compress(image, scale=2, codec="avif", max_bytes=one))) / one for one in budgets]
    assert max(shares) <= 1
    assert np.mean(shares) >= 0.98


def test_more_effort_gives_less_error_at_equal_bytes() -> None:
    image = photographed("693_J2KI.dcm")
    errors = [
        squared_error(compress(image, scale=2, codec="avif", max_bytes=2500, effort=effort), image)
        for effort in EFFORTS
    ]
    assert errors[2] < errors[0]
    assert errors[1] < errors[0]


def test_slow_encodings_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    speeds = []
    coding = CODECS["avif"].paced
    assert coding is not None

    def counted(image: np.ndarray, setting: float, speed: int) -> bytes:
        speeds.append(speed)
        return coding(image, setting, speed)

    monkeypatch.setitem(CODECS, "avif", dataclasses.replace(CODECS["avif"], paced=counted))
    compress(photographed("693_J2KI.dcm"), codec="avif", max_bytes=4000)
    slow = [speed for speed in speeds if speed < 6]
    assert 1 <= len(slow) <= 4
    assert speeds.count(6) <= 12


def test_large_images_are_finished_once_and_at_speed_5() -> None:
    pace = pace_of("normal", pixels=2600 * 4400, max_bytes=50000)
    assert (pace.speed, pace.tries) == (5, 1)
    assert pace_of("normal", pixels=512 * 512, max_bytes=8000).speed == 4


def test_a_widened_window_travels_and_comes_back() -> None:
    image = photographed("693_J2KI.dcm")
    packets = [compress(image, scale=2, codec="avif", max_bytes=budget) for budget in (1500, 1600, 1700, 1800)]
    lows, highs = ({getattr(packet.header, end) for packet in packets} for end in ("low", "high"))
    assert len(lows) == 1
    assert max(highs) > image.pixels.max()
    for packet in packets:
        assert parse_packet(packet_bytes(packet)).header == dataclasses.replace(packet.header, notes=())


@pytest.mark.parametrize("ends", [(0, 255), (-1024, 3071), (0.0, 0.7)])
def test_contrast_is_lowered_by_a_window_with_a_short_text(ends: tuple[float, float]) -> None:
    low, high = ends
    assert widened(low, high, contrast=1) == high
    wide = widened(low, high, contrast=0.95)
    assert (high - low) / (wide - low) == pytest.approx(0.95, abs=0.005)
    assert len(str(wide)) <= 9


def test_dithered_codes_keep_the_mean_where_rounded_ones_are_off() -> None:
    flat = np.full((32, 32), 100, np.uint8)
    means = [
        float(
            from_codes(
                to_codes(flat, low=0, high=262, levels=255, dithered=dithered), low=0, high=262, levels=255
            ).mean()
        )
        for dithered in (False, True)
    ]
    assert abs(means[0] - 100) > 0.25
    assert abs(means[1] - 100) < 0.02
    black = to_codes(np.zeros((9, 9), np.uint8), low=0, high=262, levels=255, dithered=True)
    assert not black.any()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("ratio", [90.5, 200])
def test_a_ratio_is_reached_and_not_exceeded(codec: str, ratio: float) -> None:
    packet = compress(photographed("693_J2KI.dcm"), codec=codec, scale=2, ratio=ratio)
    assert 0.9 * ratio <= packet.ratio() <= ratio


def test_a_ratio_of_dicom_counts_no_attributes() -> None:
    from tests.transmission.images import bundled

    packet = compress(bundled("CT_small.dcm"), ratio="german", scale=1)
    assert packet.header.codec == "jpeg2000"
    assert 9.5 <= packet.ratio() <= 10


def test_a_ratio_beyond_reach_is_refused() -> None:
    with pytest.raises(MedsrError, match=r"a ratio of 9999:1 leaves 7 bytes; lower the ratio"):
        compress(made(256, 256), ratio=9999)


@pytest.mark.parametrize("ratio", [0.5, "french", float("nan"), float("inf")])
def test_ratios_that_are_none_are_refused(ratio: float | str) -> None:
    with pytest.raises(ParameterError, match=r"^ratio: must be german, canadian or a number from 1 up, not"):
        SendingOptions(ratio=ratio)


def test_a_ratio_and_a_budget_contradict_each_other() -> None:
    assert SendingOptions(ratio="canadian").ratio_number == 30
    with pytest.raises(ParameterError, match=r"^ratio: contradicts a budget of bytes; give one of them$"):
        SendingOptions(ratio=10, max_bytes=1000)


def test_expected_gains_tip_the_choice_of_a_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    assert expected_gain(1, "avif", 0.05) == 0
    image = Image(pixels=photographed("693_J2KI.dcm").pixels, value_range=(-32768, 32767), kind="png")
    assert compress(image, codec="jpeg2000", max_bytes=4000).header.scale == 1
    monkeypatch.setitem(gains.GAINS, ("jpeg2000", 2), ((0.01, 8.0), (1.0, 10.0)))
    assert expected_gain(2, "jpeg2000", 0.1) == pytest.approx(9)
    assert compress(image, codec="jpeg2000", max_bytes=4000).header.scale == 2
