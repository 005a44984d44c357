from __future__ import annotations

import dataclasses
import pathlib
import zlib

import numpy as np
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import Image
from medsr_jax.transmission.packet import header_text, parse_header
from medsr_jax.transmission.packet_io import read_packet, write_packet
from medsr_jax.transmission.padding import Padding, encode_padding
from medsr_jax.transmission.sender import compress


def outlined(rows: int, columns: int, *, frames: int = 1, seed: int = 0) -> np.ndarray:
    """Pixels of 1000 and more within a ragged outline, 0 outside."""
    random = np.random.default_rng(seed)
    edge = columns * 0.7 + np.cumsum(random.normal(0, 1, (frames, rows)), axis=1)
    inside = np.arange(columns) < edge[..., None]
    return np.where(inside, random.integers(1000, 3000, (frames, rows, columns)), 0).astype(np.uint16)


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (64, 65), (150, 100)])
@pytest.mark.parametrize("frames", [1, 3])
def test_a_mask_comes_back_exactly(shape: tuple[int, int], frames: int) -> None:
    pixels = outlined(*shape, frames=frames)
    padding, notes = encode_padding(pixels, (0, 0), scale=4)
    assert padding is not None
    assert (padding.step, notes) == (1, ())
    np.testing.assert_array_equal(padding.pixels(pixels.shape), pixels == 0)


def test_the_restored_padding_is_its_value_and_nothing_else_is() -> None:
    pixels = outlined(64, 64)
    padding, _ = encode_padding(pixels, (0, 5), scale=4)
    assert padding is not None
    restored = padding.applied(np.full(pixels.shape, 3, np.uint16))
    np.testing.assert_array_equal(restored, np.where(pixels == 0, 0, 6))


def test_padding_at_the_top_of_the_range_pushes_strays_down() -> None:
    top = Padding(255, 255, 255)
    np.testing.assert_array_equal(top.applied(np.full((1, 2, 2), 255, np.uint8)), np.full((1, 2, 2), 254))


def test_the_most_frequent_of_several_values_fills_the_padding() -> None:
    pixels = outlined(64, 64)
    pixels[0, 0, -3:] = 2
    padding, notes = encode_padding(pixels, (0, 2), scale=4)
    assert padding is not None
    assert padding.fill == 0
    assert notes == ("padding of 2 values is restored as 0",)


def test_a_costly_mask_travels_by_squares_and_a_scattered_one_not_at_all() -> None:
    pixels = outlined(512, 512)
    pixels[(np.random.default_rng(0).random(pixels.shape) < 0.002) & (pixels > 0)] = 0
    coarse, notes = encode_padding(pixels, (0, 0), scale=4)
    assert coarse is not None
    assert coarse.step == 4
    assert notes == ("padding is known to squares of 4 pixels",)
    # What it marks is padding.
    assert not pixels[coarse.pixels(pixels.shape)].any()
    scattered = (np.random.default_rng(0).random((1, 512, 512)) < 0.5).astype(np.uint8)
    padding, notes = encode_padding(scattered, (0, 0), scale=4)
    assert padding is None
    assert "too scattered" in notes[0]


def test_a_mask_takes_at_most_a_tenth_of_a_budget() -> None:
    pixels = outlined(512, 512)
    for budget in (600, 6000):
        padding, _ = encode_padding(pixels, (0, 0), scale=4, max_bytes=budget)
        assert padding is None or len(padding.mask) <= budget / 10


@pytest.mark.parametrize("mask", [b"\0", b"abc", b"\x03\0", bytes(100)])
def test_a_damaged_mask_is_refused(mask: bytes) -> None:
    with pytest.raises(MedsrError, match="padding is damaged"):
        Padding(0, 0, 0, 1, mask).pixels((1, 64, 64))


def _forged(*numbers: int, behind: bytes = b"") -> Padding:
    """A mask of any numbers: of each row the count of its edges, then their places, the first ones less those above."""
    zigzag = [2 * number if number >= 0 else -2 * number - 1 for number in numbers]
    planes = bytes(number >> shift & 255 for shift in (0, 8, 16, 24) for number in zigzag)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return Padding(0, 0, 0, 1, deflate.compress(planes + behind) + deflate.flush())


def test_a_mask_is_read_as_its_form_is_stated() -> None:
    marked = _forged(2, 2, 5, 1, 1).pixels((1, 2, 8))
    np.testing.assert_array_equal(marked[0], [[0, 0, 1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1, 1, 1]])


@pytest.mark.parametrize(
    "padding",
    [
        _forged(1, -1, 0),  # left of the image
        _forged(1, 8, 0),  # right of it
        _forged(2, 3, 9, 0),
        _forged(-1, 0),
        _forged(0, 3, 1, 2),  # more edges than numbers
        _forged(0),  # a row is absent
        _forged(0, 0, 0),  # a row too many
        _forged(0, 0, behind=b"\0"),  # no whole number
        _forged(*[0] * 100_000),  # more than any mask of this size
    ],
)
def test_a_mask_of_other_numbers_is_refused(padding: Padding) -> None:
    with pytest.raises(MedsrError, match="padding is damaged"):
        padding.pixels((1, 2, 8))


def test_a_mask_of_a_larger_image_is_refused() -> None:
    padding, _ = encode_padding(outlined(64, 64), (0, 0), scale=4)
    assert padding is not None
    for shape in ((1, 63, 64), (1, 64, 20), (2, 64, 64)):
        with pytest.raises(MedsrError, match="padding is damaged"):
            padding.pixels(shape)


def test_the_header_carries_it(tmp_path: pathlib.Path) -> None:
    image = Image(outlined(200, 200), (0, 4095), "tiff", padding=(0, 0), name="made")
    packet = compress(image)
    assert packet.header.padding is not None
    text = header_text(packet.header)
    assert parse_header(text, codec="jpeg") == dataclasses.replace(packet.header, notes=())
    write_packet(tmp_path / "sent.jpg", packet)
    assert read_packet(tmp_path / "sent.jpg").header.padding == packet.header.padding
    for hostile in ("pad5:1=3", "pad0:0=9", "pad0:70000=1", "pad-1:0=0", "pad0:0=0/3:AAAA", "pad0:0=0/1:!"):
        with pytest.raises(MedsrError, match="metadata is damaged"):
            parse_header(f"medsr2 200x200 u16 0:4095 /4 area q60 tiff {hostile}", codec="jpeg")
