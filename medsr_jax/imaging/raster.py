"""PNG and JPEG files as images."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import PIL.Image

from medsr_jax.errors import MedsrError, named
from medsr_jax.imaging.colour import to_grey, upright, upright_spacing
from medsr_jax.imaging.image import Image
from medsr_jax.imaging.jpeg_markers import JpegHeader, is_whole, read_header
from medsr_jax.imaging.reading import check_size

Array = np.ndarray[Any, Any]

_ORIENTATION = 0x0112
_SCREEN_DPI = (72.0, 96.0)


def decode_png(data: bytes, *, name: str, max_pixels: int) -> Image:
    """A PNG of any colour type and bit depth; 1, 2 and 4 bits are spread over 0..255.

    Raises:
      MedsrError: the PNG is damaged or too large.
    """
    header = _open(data, name=name, kind="PNG", max_pixels=max_pixels)
    notes: tuple[str, ...] = ()
    if getattr(header, "n_frames", 1) > 1:
        notes += ("animated PNG: only the default image is read",)
    if data[24:26] == b"\x10\x02" or data[24:26] == b"\x10\x06" or data[24:26] == b"\x10\x04":
        pixels = _sixteen_bit_png(data, name=name)
    else:
        pixels = _load(header, name=name, kind="PNG")
    return _finish(pixels, header, kind="png", name=name, notes=notes)


def decode_jpeg(data: bytes, *, name: str, max_pixels: int) -> Image:
    """A JPEG: 8 bits, grey or colour, baseline or progressive; 12 bits and lossless too.

    Raises:
      MedsrError: the JPEG is damaged or too large.
    """
    try:
        markers = read_header(data)
    except ValueError as error:
        raise named(name, f"is a damaged or truncated JPEG: {error}") from error
    if markers.precision == 8 and not markers.lossless:
        header = _open(data, name=name, kind="JPEG", max_pixels=max_pixels)
        return _finish(_load(header, name=name, kind="JPEG"), header, kind="jpeg", name=name, notes=())
    return _unusual_jpeg(data, markers, name=name, max_pixels=max_pixels)


def _unusual_jpeg(data: bytes, markers: JpegHeader, *, name: str, max_pixels: int) -> Image:
    """12 or 16 bits, or lossless, which Pillow does not decode; such files carry no EXIF worth reading."""
    import imagecodecs

    check_size(markers.rows, markers.columns, name=name, max_pixels=max_pixels)
    if not is_whole(data):
        raise named(name, "is a truncated JPEG: the end of the image is missing")
    try:
        pixels = np.asarray(imagecodecs.jpeg8_decode(data))
    except Exception as error:
        raise named(name, f"is a damaged or unsupported JPEG: {_first_line(error)}") from error
    grey, notes = (pixels, ()) if pixels.ndim == 2 else to_grey(pixels)
    range_ = (0, 2**markers.precision - 1)
    return Image(grey[np.newaxis], range_, "jpeg", notes=notes, name=name)


def _open(data: bytes, *, name: str, kind: str, max_pixels: int) -> PIL.Image.Image:
    """Opens the file without decoding it, and refuses sizes that would not fit."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = PIL.Image.open(io.BytesIO(data), formats=(kind,))
    except PIL.Image.DecompressionBombError:
        header = None
    except Exception as error:  # Pillow raises whatever its parsers stumble on.
        raise named(name, f"is a damaged {kind}: {_first_line(error)}") from error
    if header is None:
        raise named(name, f"has more than the {max_pixels / 1e6:.0f} million pixels that are read; split it")
    columns, rows = header.size
    check_size(rows, columns, name=name, max_pixels=max_pixels)
    return header


def _load(header: PIL.Image.Image, *, name: str, kind: str) -> Array:
    """(rows, columns[, channels]) uint8 or uint16 of a file that Pillow decodes without loss."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header.load()
            if header.mode == "1":
                return np.asarray(header.convert("L"))
            if header.mode in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV"):
                opaque = header.mode != "PA" and "transparency" not in header.info
                return np.asarray(header.convert("RGB" if opaque else "RGBA"))
            pixels = np.asarray(header)
    except Exception as error:  # As above.
        raise named(name, f"is a damaged or truncated {kind}: {_first_line(error)}") from error
    return pixels.astype(np.uint16) if pixels.dtype.itemsize > 1 else pixels


def _sixteen_bit_png(data: bytes, *, name: str) -> Array:
    """16 bits a channel in colour or with alpha, which Pillow would cut to 8."""
    import imagecodecs

    try:
        return np.asarray(imagecodecs.png_decode(data))
    except Exception as error:
        raise named(name, f"is a damaged or truncated PNG: {_first_line(error)}") from error


def _finish(pixels: Array, header: PIL.Image.Image, *, kind: str, name: str, notes: tuple[str, ...]) -> Image:
    orientation = _orientation(header)
    grey, grey_notes = (pixels, ()) if pixels.ndim == 2 else to_grey(pixels)
    grey, turn_notes = upright(grey, orientation=orientation)
    if not grey.flags.writeable:
        grey = grey.copy()
    return Image(
        pixels=grey[np.newaxis],
        value_range=(0, 255 if grey.dtype == np.uint8 else 65535),
        kind=kind,
        spacing=upright_spacing(_spacing(header), orientation=orientation),
        notes=notes + grey_notes + turn_notes,
        name=name,
    )


def _orientation(header: PIL.Image.Image) -> int:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return int(header.getexif().get(_ORIENTATION, 1))
    except Exception:  # A damaged EXIF block does not spoil the pixels.
        return 1


def _spacing(header: PIL.Image.Image) -> tuple[float, float] | None:
    """Millimetres per row and per column from the resolution, unless that is a screen's default."""
    try:
        across, down = (float(value) for value in header.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return spacing_of_dpi(down, across)


def spacing_of_dpi(down: float, across: float) -> tuple[float, float] | None:
    """Millimetres per row and per column of a resolution in dots per inch, or None where it says nothing.

    72 and 96 dpi are what programs write when they know nothing; below 2.54 dpi (10 mm) and above 25400 dpi
    (1 um) it is no radiograph.
    """
    for dpi in (down, across):
        if not 2.54 <= dpi <= 25400 or any(abs(dpi - screen) < 0.5 for screen in _SCREEN_DPI):
            return None
    return 25.4 / down, 25.4 / across


def _first_line(error: Exception) -> str:
    if isinstance(error, MedsrError):
        raise error
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
