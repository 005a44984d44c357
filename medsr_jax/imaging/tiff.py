"""TIFF files as images."""

from __future__ import annotations

import io
import logging
import warnings
from typing import Any

import numpy as np

from medsr_jax.errors import MedsrError, first_line
from medsr_jax.imaging.colour import through_palette, to_grey, upright, upright_spacing
from medsr_jax.imaging.image import Image
from medsr_jax.imaging.limits import check_size
from medsr_jax.imaging.no_data import GDAL_NODATA, find_no_data, value_range
from medsr_jax.imaging.raster import spacing_of_dpi
from medsr_jax.imaging.tiff_colour import check_subsampling, is_coded_ycbcr, ycbcr_luma
from medsr_jax.imaging.tiff_structure import check_directories, check_segments

Array = np.ndarray[Any, Any]

# TIFF 6.0, PhotometricInterpretation.
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_PLANES = 2  # PlanarConfiguration
_REDUCED_OR_MASK = 0b101


def decode_tiff(data: bytes, *, name: str, max_pixels: int) -> Image:
    """A TIFF of one page: integers of up to 32 bits or floats, grey, palette or colour, however compressed.

    Pixels that hold no data become padding. Reduced copies of the page (thumbnails, pyramids) are passed over.

    Raises:
        MedsrError: the TIFF is damaged or too large, has several pages, or holds NaN or infinite numbers.
    """
    import tifffile

    check_directories(data, name=name)
    # tifffile logs what it repairs; what matters here is raised below.
    logging.getLogger("tifffile").addHandler(logging.NullHandler())
    logging.getLogger("tifffile").propagate = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with tifffile.TiffFile(io.BytesIO(data)) as file:
                page = _only_page(file, name=name)
                width = int(page.samplesperpixel) * ((int(page.bitspersample) + 7) // 8)
                check_size(page.imagelength, page.imagewidth, width=width, name=name, max_pixels=max_pixels)
                _check_strips(page, size=len(data), name=name)
                check_segments(page, data, name=name)
                check_subsampling(page, name=name)
                pixels, range_, notes = _grey(page, np.asarray(page.asarray(maxworkers=1)), name=name)
                padding: tuple[float, float] | None = None
                if pixels.ndim == 2 and page.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO):
                    tag = page.tags.get(GDAL_NODATA)
                    padding, padding_notes = find_no_data(pixels, str(tag.value) if tag else None, name=name)
                    notes += padding_notes
                if pixels.dtype.kind == "f":
                    range_ = value_range(pixels, padding)
                orientation, spacing = _orientation(page), _spacing(page)
                inverted = page.photometric == _WHITE_IS_ZERO
    except (MedsrError, MemoryError):
        raise
    except Exception as error:  # Damaged tags and strips raise whatever the parser or the codec stumbles on.
        raise MedsrError(f"is a damaged or unsupported TIFF: {first_line(error)}", path=name) from error
    pixels, turn_notes = upright(pixels, orientation=orientation)
    return Image(
        pixels=pixels[np.newaxis],
        value_range=range_,
        kind="tiff",
        spacing=upright_spacing(spacing, orientation=orientation),
        inverted=inverted,
        padding=padding,
        notes=notes + turn_notes,
        name=name,
    )


def _only_page(file: Any, *, name: str) -> Any:
    pages = [page for page in file.pages if not int(page.subfiletype or 0) & _REDUCED_OR_MASK]
    stack = int((file.imagej_metadata or {}).get("images", 1)) if file.is_imagej else 1
    count = max(len(pages), stack)
    if count > 1:
        raise MedsrError(f"has {count} pages", path=name, remedy="split it into single-page files")
    if not pages:
        raise MedsrError("is a TIFF without a full-size page", path=name)
    if pages[0].imagedepth > 1:
        raise MedsrError("is a volume", path=name, remedy="split it into single-page files")
    return pages[0]


def _check_strips(page: Any, *, size: int, name: str) -> None:
    """Refuses a file that ends before its pixels do: the reader would fill the rest with zeros."""
    for start, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        if start + count > size:
            raise MedsrError(f"is a truncated TIFF: pixels reach to byte {start + count} of {size}", path=name)
    needed = page.chunked and int(np.prod(page.chunked))
    if needed and len(page.dataoffsets) < needed:
        raise MedsrError(f"is a damaged TIFF: {len(page.dataoffsets)} of {needed} strips or tiles are there", path=name)


def _grey(page: Any, pixels: Array, *, name: str) -> tuple[Array, tuple[float, float], tuple[str, ...]]:
    """(rows, columns) pixels, their value range, and notes."""
    if pixels.dtype.kind not in "buif" or (pixels.dtype.itemsize > 4 and pixels.dtype.kind != "f"):
        raise MedsrError(
            f"holds {pixels.dtype} pixels", path=name, remedy="integers of up to 32 bits and floats are read"
        )
    bits = int(page.bitspersample)
    pixels, notes = _samples(page, pixels, name=name)
    if page.photometric == _PALETTE:
        bits = 8 * pixels.dtype.itemsize
    # NaN goes through both, and neither takes memory.
    if pixels.dtype.kind == "f" and not (np.isfinite(pixels.min()) and np.isfinite(pixels.max())):
        raise MedsrError(
            "holds NaN or infinite pixels",
            path=name,
            remedy="replace them by a number, and name it in GDAL's no-data tag",
        )
    if pixels.ndim > 2:
        pixels, grey_notes = to_grey(pixels)
        notes += grey_notes
    if pixels.dtype.kind == "f":
        return pixels, (0.0, 0.0), notes  # The caller knows the padding.
    if bits in (1, 2, 4):
        notes += (f"{bits} bits a pixel spread over 0..255",) if bits > 1 else ()
        pixels, bits = pixels.astype(np.uint8) * np.uint8(255 // (2**bits - 1)), 8
    if pixels.dtype.kind == "i":
        return pixels, (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1), notes
    return pixels, (0, 2**bits - 1), notes


def _samples(page: Any, pixels: Array, *, name: str) -> tuple[Array, tuple[str, ...]]:
    """Grey (rows, columns) or (rows, columns, samples), where samples are grey or RGB and perhaps alpha."""
    if page.photometric == _PALETTE and page.colormap is not None:
        return through_palette(pixels, np.asarray(page.colormap, np.uint16).T), ()
    if page.photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _YCBCR):
        kind = getattr(page.photometric, "name", page.photometric)
        raise MedsrError(f"has photometric interpretation {kind}", path=name, remedy="convert it to grey first")
    if pixels.ndim == 2:
        return pixels, ()
    if page.planarconfig == _PLANES:
        pixels = np.moveaxis(pixels, 0, -1)
    colours = 3 if page.photometric in (_RGB, _YCBCR) else 1
    extra = pixels.shape[-1] - colours
    if is_coded_ycbcr(page):
        if pixels.dtype.kind != "u" or extra < 0:
            raise MedsrError(f"has YCbCr pixels of {pixels.dtype}", path=name, remedy="convert it to RGB or grey")
        return ycbcr_luma(page, pixels)
    if extra > 1:
        return pixels[..., :colours], (f"{extra} extra channels ignored",)
    return pixels, ()


def _orientation(page: Any) -> int:
    tag = page.tags.get("Orientation")
    return int(tag.value) if tag is not None else 1


def _spacing(page: Any) -> tuple[float, float] | None:
    unit = page.tags.get("ResolutionUnit")
    per_inch = {2: 1.0, 3: 2.54}.get(int(unit.value) if unit is not None else 2)
    across, down = page.tags.get("XResolution"), page.tags.get("YResolution")
    if per_inch is None or across is None or down is None or not (across.value[1] and down.value[1]):
        return None
    return spacing_of_dpi(down.value[0] / down.value[1] * per_inch, across.value[0] / across.value[1] * per_inch)
