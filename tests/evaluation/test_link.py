from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest

from medsr_jax.evaluation.baselines import METHODS, enlarge
from medsr_jax.evaluation.link import measure, measured_range
from medsr_jax.evaluation.metrics import psnr
from medsr_jax.imaging import Image
from medsr_jax.restoration import Restorer
from medsr_jax.transmission.sender import compress


@pytest.fixture
def image(radiograph: np.ndarray) -> Any:
    return Image(pixels=radiograph[None], value_range=(0, 255), kind="png", name="picture")


@pytest.mark.parametrize("method", METHODS)
def test_enlarging_gives_the_original_size_and_most_of_the_picture(image: Any, method: Any) -> None:
    packet = compress(image, quality=90)
    large = enlarge(packet, method=method)
    assert large.shape == image.pixels.shape
    assert large.dtype == np.uint8
    assert psnr(large, image.pixels, value_range=(0, 255)) > 22


def test_a_measurement_is_of_what_would_travel(image: Any, tiny_weights: Any, tmp_path: pathlib.Path) -> None:
    measured = measure(image, Restorer(tiny_weights), quality=60)
    from medsr_jax.transmission.packet_io import write_packet

    write_packet(tmp_path / "p.jpg", measured.packet)
    assert (tmp_path / "p.jpg").stat().st_size == measured.sent_bytes
    assert measured.ratio == pytest.approx(160 * 200 / measured.packet.coded_bytes)
    assert measured.psnr == psnr(measured.restored.pixels, image.pixels, value_range=(0, 255))
    assert measured.psnr_bicubic == psnr(enlarge(measured.packet), image.pixels, value_range=(0, 255))


def test_a_16_bit_image_is_measured_on_what_it_spans(radiograph: np.ndarray) -> None:
    wide = Image(pixels=radiograph[None].astype(np.uint16) * 4 + 100, value_range=(0, 65535), kind="png")
    assert measured_range(wide) == (wide.pixels.min(), wide.pixels.max())


def test_padding_is_measured_by_nobody(radiograph: np.ndarray) -> None:
    pixels = radiograph[None].astype(np.uint16) + 1000
    pixels[:, :60] = 0
    image = Image(pixels=pixels, value_range=(0, 4095), kind="tiff", padding=(0, 0), name="padded")
    assert measured_range(image) == (pixels[:, 60:].min(), pixels[:, 60:].max())
    measured = measure(image, Restorer("bicubic"), quality=60)
    np.testing.assert_array_equal(measured.restored.pixels == 0, pixels == 0)
    rest = measured.restored.pixels[:, 60:], pixels[:, 60:]
    assert measured.psnr == psnr(*rest, value_range=measured_range(image))
    assert measured.psnr_bicubic < 60
