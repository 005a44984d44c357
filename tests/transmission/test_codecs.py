from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from medsr_jax.errors import MedsrError
from medsr_jax.transmission import options
from medsr_jax.transmission.codecs import CODECS, encode_jpeg
from tests.transmission.images import made

SMALL = made(96, 128).pixels[0]


def as_levels(codes: np.ndarray) -> np.ndarray:
    """0..255 of codes of 8 or 16 bits."""
    return codes * (255.0 / np.iinfo(codes.dtype).max)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (1, 100), (17, 33)])
def test_any_size_comes_back(name: str, shape: tuple[int, int]) -> None:
    codec = CODECS[name]
    image = SMALL[: shape[0], : shape[1]]
    decoded = codec.decode(codec.encode(image, 75), image.shape)
    assert decoded.shape == image.shape
    assert decoded.dtype == (np.uint16 if name == "vvc" else np.uint8)
    assert np.abs(as_levels(decoded) - image).mean() < 6


@pytest.mark.parametrize("name", CODECS)
def test_quality_steers_bytes_and_fidelity(name: str) -> None:
    codec = CODECS[name]
    qualities = (30, 50, 70, 95) if name == "vvc" else (10, 40, 70, 95)  # its coarsest leave an area
    streams = [codec.encode(SMALL, quality) for quality in qualities]
    errors = [float(np.mean((as_levels(codec.decode(stream)) - SMALL) ** 2)) for stream in streams]
    assert [len(stream) for stream in streams] == sorted(len(stream) for stream in streams)
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("name", [name for name in CODECS if name != "vvc"])
def test_streams_open_in_pillow_with_the_same_pixels(name: str) -> None:
    stream = CODECS[name].encode(SMALL, 60)
    with Pillow.open(io.BytesIO(stream)) as picture:
        shown = np.asarray(picture.convert("L")).astype(int)
    assert np.abs(shown - CODECS[name].decode(stream)).max() <= 1


@pytest.mark.parametrize("name", CODECS)
def test_same_input_same_bytes(name: str) -> None:
    assert CODECS[name].encode(SMALL, 60) == CODECS[name].encode(SMALL, 60)


def test_jpeg_is_leaner_than_pillow_and_means_the_same() -> None:
    target = io.BytesIO()
    Pillow.fromarray(SMALL).save(target, "JPEG", quality=60, optimize=True)
    ours = encode_jpeg(SMALL, 60)
    assert len(ours) <= len(target.getvalue()) - 22
    np.testing.assert_array_equal(
        np.asarray(Pillow.open(io.BytesIO(ours))), np.asarray(Pillow.open(io.BytesIO(target.getvalue())))
    )


def test_jpeg2000_keeps_sixteen_bits() -> None:
    deep = made(64, 64, dtype="uint16").pixels[0]
    codec = CODECS["jpeg2000"]
    decoded = codec.decode(codec.encode(deep, 100))
    assert decoded.dtype == np.uint16
    error = np.sqrt(np.mean((decoded.astype(float) - deep) ** 2))
    assert error < 65535 / 10 ** (64 / 20)  # q 100 asks for 65.75 dB


@pytest.mark.parametrize("name", CODECS)
def test_truncated_streams_are_refused(name: str) -> None:
    stream = CODECS[name].encode(SMALL, 60)
    for length in (0, 3, 40, len(stream) // 2, len(stream) - 3):
        with pytest.raises(MedsrError):
            CODECS[name].decode(stream[:length])


def test_codecs_are_those_of_the_options_and_all_but_two_have_a_transfer_syntax() -> None:
    assert tuple(CODECS) == options.CODECS
    for codec in CODECS.values():
        assert bool(codec.transfer_syntax) == (codec.name not in ("avif", "vvc"))
        assert codec.method
