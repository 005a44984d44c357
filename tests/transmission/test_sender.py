from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import pytest

from medsr_jax.errors import MedsrError, ParameterError
from medsr_jax.imaging.image import Image
from medsr_jax.transmission.codecs import CODECS
from medsr_jax.transmission.mapping import from_codes
from medsr_jax.transmission.packet_io import read_packet, write_packet
from medsr_jax.transmission.sender import compress
from tests.transmission.images import made


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 200), (64, 64)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_any_size_and_type_travels(tmp_path: pathlib.Path, codec: str, shape: tuple[int, int], dtype: str) -> None:
    values = made(*shape).pixels.astype(dtype)
    bounds = (float(values.min()), float(values.max())) if dtype == "float32" else _limits(dtype)
    packet = compress(Image(pixels=values, value_range=bounds, kind="tiff"), codec=codec)
    write_packet(tmp_path / "sent", packet)
    again = read_packet(tmp_path / "sent")
    assert again == packet
    assert (again.header.rows, again.header.columns, again.header.dtype) == (*shape, dtype)


def _limits(dtype: str) -> tuple[int, int]:
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


@pytest.mark.parametrize("codec", CODECS)
def test_constant_16_bit_images_come_back_exactly(codec: str) -> None:
    packet = compress(
        Image(pixels=np.full((1, 40, 40), 777, np.uint16), value_range=(0, 4095), kind="png"), codec=codec
    )
    h = packet.header
    assert (from_codes(packet.decode(), low=h.low, high=h.high, levels=h.levels) == 777).all()


def test_levels_follow_the_source_and_the_codec() -> None:
    assert compress(made(), codec="jpeg2000").header.levels == 255
    assert compress(made(dtype="uint16"), codec="jpeg2000").header.levels == 65535
    assert compress(made(dtype="uint16")).header.levels == 255


def test_padding_does_not_bleed_into_the_image() -> None:
    pixels = np.full((1, 64, 64), 500, np.int16)
    pixels[:, :, 32:] = 700
    pixels[:, :30] = -2000  # the rim falls inside of a 4x4 square
    image = Image(pixels=pixels, value_range=(-32768, 32767), kind="tiff", padding=(-2000, -2000))
    packet = compress(image, quality=95)
    assert (packet.header.low, packet.header.high) == (500, 700)
    # Padding becomes the least value of the image: row 7 mixes two padded rows with two of the image.
    values = from_codes(packet.decode()[0], low=500, high=700, levels=255)
    assert values.min() >= 500
    assert abs(values[7, 2] - 500) < 5


def test_window_is_kept_and_stated() -> None:
    image = made(dtype="uint16")
    header = compress(image, window=(10000, 20000)).header
    assert (header.low, header.high, header.value_range) == (10000, 20000, (0, 65535))
    assert compress(image, window="full").header.high == 65535


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"scale": 9}, "scale"),
        ({"kernel": "nearest"}, "kernel"),
        ({"codec": "gif"}, "codec"),
        ({"quality": 0}, "quality"),
        ({"quality": 101}, "quality"),
        ({"quality": "best"}, "quality"),
        ({"window": (5, 1)}, "window"),
    ],
)
def test_options_out_of_range_are_refused_by_the_parameters_name(options: dict[str, object], word: str) -> None:
    with pytest.raises(ParameterError, match=rf"^{word}: must ") as refusal:
        compress(made(), **options)  # type: ignore[arg-type]
    assert refusal.value.parameter == word


def test_several_pages_are_refused_outside_of_dicom() -> None:
    image = dataclasses.replace(made(), pixels=np.repeat(made().pixels, 2, axis=0))
    with pytest.raises(MedsrError, match="2 pages"):
        compress(image)


def test_sides_beyond_the_format_are_refused_and_a_scale_helps() -> None:
    image = Image(pixels=np.zeros((1, 2, 70000), np.uint8), value_range=(0, 255), kind="png")
    with pytest.raises(MedsrError, match="raise the scale"):
        compress(image, scale=1)
    assert compress(image).header.columns == 70000


def test_source_is_left_alone() -> None:
    image = made()
    before = image.pixels.copy()
    compress(image)
    np.testing.assert_array_equal(image.pixels, before)
