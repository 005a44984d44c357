"""The base quantiser of AV1 frames against the encoder that was given it."""

import io

import numpy as np
import pytest
from PIL import Image, features

from medsr_jax.errors import MedsrError
from medsr_jax.imaging.av1_quantiser import base_quantiser, quantiser_of_units

pytestmark = pytest.mark.skipif(not features.check("avif"), reason="Pillow without AVIF")

# Of Pillow's quality: libavif makes one of aom's 64 quantisers of it, (63 (100 - quality) + 50) // 100, of which the
# k-th is base_q_idx 4 k, but for the last two, 249 and 255.
INDEX = {100: 0, 95: 12, 80: 52, 60: 100, 40: 152, 20: 200, 1: 249, 0: 255}


def avif(pixels: np.ndarray, quality: int, *, speed: int = 8) -> bytes:
    target = io.BytesIO()
    options = {"subsampling": "4:0:0", "range": "full", "codec": "aom", "speed": speed, "max_threads": 1}
    Image.fromarray(pixels).save(target, "AVIF", quality=quality, advanced={"tune": "psnr"}, **options)
    return target.getvalue()


@pytest.mark.parametrize("quality", INDEX)
def test_quantiser_is_the_one_that_the_encoder_was_given(radiograph: np.ndarray, quality: int) -> None:
    assert base_quantiser(avif(radiograph[:64, :96], quality)) == INDEX[quality]


@pytest.mark.parametrize("shape", [(1, 1), (17, 130), (65, 64), (129, 257)])
def test_quantiser_is_found_whatever_the_size(radiograph: np.ndarray, shape: tuple[int, int]) -> None:
    pixels = np.ascontiguousarray(np.tile(radiograph, (2, 2))[: shape[0], : shape[1]])
    assert base_quantiser(avif(pixels, 60)) == INDEX[60]


def test_quantiser_is_found_behind_tiles() -> None:
    # Wider than a tile may be, so that the frame header describes several.
    pixels = np.tile(np.arange(4200, dtype=np.uint16).astype(np.uint8), (32, 1))
    assert base_quantiser(avif(pixels, 40, speed=10)) == INDEX[40]


@pytest.mark.parametrize(
    "data", [b"", b"mdat", b"....mdat", b"....mdat\x0a\x80", b"....mdat\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff"]
)
def test_bytes_without_a_frame_are_refused(data: bytes) -> None:
    with pytest.raises(MedsrError, match="AV"):
        base_quantiser(data)


def test_every_truncation_is_refused_or_read(radiograph: np.ndarray) -> None:
    units = avif(radiograph[:32, :32], 20).partition(b"mdat")[2]
    for length in range(len(units)):
        try:
            assert quantiser_of_units(units[:length]) == INDEX[20]
        except MedsrError:
            continue
