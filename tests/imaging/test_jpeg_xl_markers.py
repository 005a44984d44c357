"""Headers of JPEG XL against what libjxl was told to write."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest

from medsr_jax.imaging.jpeg_xl_markers import read_jpeg_xl_header


@pytest.mark.parametrize("shape", [(8, 8), (37, 50), (256, 256), (40, 80), (300, 1000), (700, 16)])
@pytest.mark.parametrize("boxes", [False, True])
def test_sizes_of_all_forms_are_read(shape: tuple[int, int], boxes: bool) -> None:
    """A side in eights, one that the other's ratio gives, and others of 9 and of 13 bits."""
    header = read_jpeg_xl_header(imagecodecs.jpegxl_encode(np.zeros(shape, np.uint8), usecontainer=boxes))
    assert (header.rows, header.columns, header.components, header.extra) == (*shape, 1, 0)


@pytest.mark.parametrize(("dtype", "bits"), [("uint8", 8), ("uint16", 16), ("uint16", 12), ("float32", 32)])
@pytest.mark.parametrize("channels", [1, 3])
def test_samples_are_those_that_were_written(dtype: str, bits: int, channels: int) -> None:
    pixels = np.zeros((20, 30, channels) if channels > 1 else (20, 30), dtype)
    header = read_jpeg_xl_header(imagecodecs.jpegxl_encode(pixels, lossless=True, bitspersample=bits))
    assert (header.precision, header.floating, header.components) == (bits, dtype == "float32", channels)
    assert (header.transformed, header.orientation, header.extra) == (False, 1, 0)


def test_a_lossy_colour_stream_is_transformed_and_alpha_is_an_extra_channel() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (20, 30, 4), np.uint8)
    assert read_jpeg_xl_header(imagecodecs.jpegxl_encode(colours[..., :3], lossless=False, level=60)).transformed
    assert read_jpeg_xl_header(imagecodecs.jpegxl_encode(colours, lossless=True)).extra == 1


def test_a_header_that_is_cut_short_or_none_is_refused() -> None:
    stream = imagecodecs.jpegxl_encode(np.zeros((37, 50), np.uint16), lossless=True, usecontainer=False)
    for length in range(5):
        with pytest.raises(ValueError, match="no JPEG XL code stream|cut short"):
            read_jpeg_xl_header(stream[:length])
