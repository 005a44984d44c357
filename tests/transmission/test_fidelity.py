"""A quality means about the same fidelity whatever the codec, and whatever the image."""

import numpy as np
import pytest

from medsr_jax.imaging import Image
from medsr_jax.transmission.codecs import CODECS
from medsr_jax.transmission.fidelity import Fidelity
from medsr_jax.transmission.sender import compress
from tests.transmission.images import bundled, made

# Of a decibel: steps of the AVIF encoder, and what OpenJPEG misses its target by.
_ABOUT = 0.8


def _small(name: str, codec: str, quality: int | str) -> tuple[np.ndarray, int]:
    """The decoded small image as fractions of the codes' range, and the quality in the header."""
    packet = compress(bundled(name), codec=codec, quality=quality)
    return packet.decode()[0] / packet.header.levels, packet.header.quality


def _decibels(image: np.ndarray, truth: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean(np.square(image - truth))))


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "693_J2KI.dcm"])
@pytest.mark.parametrize("quality", [30, 60, 75, 90])
def test_jpeg_2000_is_as_faithful_as_jpeg(name: str, quality: int) -> None:
    truth, _ = _small(name, "jpeg2000", 100)
    images = {codec: _small(name, codec, quality)[0] for codec in ("jpeg", "jpeg2000")}
    assert _decibels(images["jpeg2000"], truth) == pytest.approx(_decibels(images["jpeg"], truth), abs=_ABOUT)


@pytest.mark.parametrize("codec", ["jpeg2000", "avif"])
def test_other_codecs_of_a_file_are_as_faithful_as_jpeg(codec: str, radiograph: np.ndarray) -> None:
    fidelity = Fidelity(radiograph)
    for quality in (20, 50, 75, 90):
        stream = CODECS[codec].encode(radiograph, fidelity.setting(CODECS[codec], quality))
        decoded = CODECS[codec].decode(stream) / 255
        assert _decibels(decoded, radiograph / 255) == pytest.approx(fidelity.decibels(quality), abs=_ABOUT)


def test_the_setting_of_avif_is_the_nearest_of_all(radiograph: np.ndarray) -> None:
    small = radiograph[:64:4, :64:4].copy()
    fidelity, avif = Fidelity(small), CODECS["avif"]
    reached = {n: _decibels(avif.decode(avif.encode(small, n)) / 255, small / 255) for n in range(1, 100)}
    for quality in (1, 20, 45):
        missed = {n: abs(decibels - fidelity.decibels(quality)) for n, decibels in reached.items()}
        assert missed[int(fidelity.setting(avif, quality))] <= min(missed.values()) + 0.15


@pytest.mark.parametrize("codec", ["jpeg2000", "avif"])
def test_under_a_budget_the_header_has_the_quality_that_was_reached(codec: str, radiograph: np.ndarray) -> None:
    image = Image(radiograph[None], (0, 255), "png")
    packet = compress(image, scale=1, codec=codec, max_bytes=1000)
    again = compress(image, scale=1, codec=codec, quality=packet.header.quality)
    # Codes of a budget span a window that may be a little wider than the values.
    first, second = (
        _decibels(one.decode()[0] * (one.header.high / 255**2), radiograph / 255) for one in (packet, again)
    )
    assert first == pytest.approx(second, abs=_ABOUT)


def test_fidelity_rises_with_quality_to_the_end_for_deep_images() -> None:
    deep = np.rint(made(64, 64).pixels[0] * 200.7).astype(np.uint16)
    fidelity = Fidelity(deep)
    values = [fidelity.decibels(quality) for quality in (50, 75, 95, 97, 99, 100)]
    assert values == sorted(values)
    assert values[-1] == 65.75
    assert fidelity.setting(CODECS["jpeg2000"], 100) == 100


def test_a_flat_image_has_a_setting_for_each_quality() -> None:
    flat = np.full((32, 32), 77, np.uint8)
    for codec in CODECS.values():
        assert all(1 <= Fidelity(flat).setting(codec, quality) <= 100 for quality in (1, 50, 100))
