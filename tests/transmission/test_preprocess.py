from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from medsr_jax.imaging.image import Image
from medsr_jax.transmission.downscaling import downscale
from medsr_jax.transmission.mapping import from_codes
from medsr_jax.transmission.preprocess import NOISE_THRESHOLD, estimate_noise, is_dark, preprocess, smooth
from medsr_jax.transmission.sender import compress
from tests.transmission.images import bundled, made

CLEAN = made(256, 320).pixels[0].astype(np.float32)


def _noisy(sigma: float, seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, sigma, CLEAN.shape)
    return np.clip(np.rint(CLEAN + noise), 0, 255).astype(np.uint8)


def _psnr(image: np.ndarray, truth: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((image.astype(np.float64) - truth) ** 2)))


@pytest.mark.parametrize("sigma", [5, 10, 20, 40])
def test_noise_is_measured_to_a_tenth(sigma: float) -> None:
    assert estimate_noise(_noisy(sigma), low=0, high=255) == pytest.approx(sigma, rel=0.1)


def test_edges_letters_and_clipped_borders_are_no_noise() -> None:
    image = np.zeros((200, 200), np.uint8)
    image[50:150, 50:150] = 200
    image[60:80:2, 60:140:3] = 255
    assert estimate_noise(image, low=0, high=255) == 0
    half_black = _noisy(15)
    half_black[:, :200] = 0
    assert estimate_noise(half_black, low=0, high=255) == pytest.approx(15, rel=0.15)


@pytest.mark.parametrize("shape", [(2, 40), (40, 2)])
def test_the_noise_of_less_than_three_rows_or_columns_is_not_measured(shape: tuple[int, int]) -> None:
    assert estimate_noise(_noisy(20)[: shape[0], : shape[1]], low=0, high=255) == 0


def test_the_noise_of_a_few_pixels_between_the_ends_of_the_range_is_not_measured() -> None:
    frame = np.where(np.random.default_rng(0).random((200, 200)) < 0.5, 0, 255).astype(np.uint8)
    frame[50:60, 50:60] = _noisy(20)[50:60, 50:60]
    assert estimate_noise(frame, low=0, high=255) == 0
    assert estimate_noise(frame, low=-1, high=256) > 20
    assert estimate_noise(_noisy(20), low=255, high=255) == 0


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (3, 3)])
def test_tiny_images_pass(shape: tuple[int, int]) -> None:
    frame = np.full(shape, 9, np.uint8)
    assert preprocess(frame, low=0, high=255) == (frame, "")
    assert smooth(frame, sigma=10).shape == shape


def test_clean_images_pass_bit_for_bit() -> None:
    for frame in (CLEAN.astype(np.uint8), bundled("CT_small.dcm").pixels[0], bundled("MR_small.dcm").pixels[0]):
        low, high = float(frame.min()), float(frame.max())
        same, what = preprocess(frame, low=low, high=high)
        assert same is frame
        assert what == ""


@pytest.mark.parametrize("sigma", [15, 25, 40])
def test_noisy_images_come_closer_to_the_truth_after_shrinking(sigma: float) -> None:
    noisy = _noisy(sigma)
    smoothed, what = preprocess(noisy, low=0, high=255)
    assert what.startswith("smoothed")
    truth = downscale(CLEAN, scale=4)
    before, after = (_psnr(downscale(frame, scale=4), truth) for frame in (noisy, smoothed))
    assert after > before + 2


def test_edges_stay() -> None:
    edge = np.where(np.arange(128) < 64, 60.0, 180.0) * np.ones((128, 1))
    noisy = edge + np.random.default_rng(0).normal(0, 15, edge.shape)
    smoothed = smooth(noisy, sigma=15)
    step = smoothed[:, 65:67].mean() - smoothed[:, 61:63].mean()
    assert step > 0.9 * 120
    assert smoothed[:, :48].std() < 0.35 * noisy[:, :48].std()


def test_brightness_stays() -> None:
    noisy = _noisy(20)
    assert smooth(noisy, sigma=20).mean() == pytest.approx(noisy.mean(), abs=0.3)


def test_strips_leave_no_seam() -> None:
    noisy = _noisy(20).astype(np.float32)
    whole = smooth(noisy, sigma=20)
    part = smooth(noisy[40:], sigma=20)
    np.testing.assert_allclose(whole[60:], part[20:], atol=1e-3)


def test_sixteen_bits_are_treated_alike() -> None:
    noisy = _noisy(20)
    eight, said = preprocess(noisy, low=0, high=255)
    sixteen, same = preprocess(noisy.astype(np.uint16) * 257, low=0, high=65535)
    assert said == same
    np.testing.assert_allclose(sixteen / 257, eight, atol=0.02)


def test_dark_images_are_found_by_their_displayed_brightness() -> None:
    dark = (CLEAN / 6).astype(np.uint8)
    assert is_dark(dark, value_range=(0, 255))
    assert not is_dark(CLEAN, value_range=(0, 255))
    assert not is_dark(dark, value_range=(0, 255), inverted=True)
    assert is_dark(255 - dark, value_range=(0, 255), inverted=True)


def test_dark_images_use_all_codes_and_keep_their_brightness() -> None:
    dark = Image(pixels=(CLEAN / 6).astype(np.uint8)[None], value_range=(0, 255), kind="png")
    packet, plain = compress(dark, quality=60), compress(dark, quality=60, preprocess=False)
    header = packet.header
    assert "dark" in header.preprocess
    assert header.high == dark.pixels.max()
    assert plain.header.preprocess == ""
    truth = downscale(dark.pixels, scale=4)
    errors = []
    for sent in (packet, plain):
        h = sent.header
        values = from_codes(sent.decode(), low=h.low, high=h.high, levels=h.levels)
        assert values.mean() == pytest.approx(truth.mean(), abs=0.5)
        errors.append(np.mean((values - truth) ** 2))
    assert errors[0] < errors[1]


def test_packet_says_what_was_done_and_no_means_no() -> None:
    image = dataclasses.replace(made(256, 320), pixels=_noisy(25)[None])
    assert compress(image).header.preprocess.startswith("smoothed ")
    assert compress(image, preprocess=False).header.preprocess == ""
    assert 255 * NOISE_THRESHOLD < 12
