"""PNG and JPEG files as images."""

from __future__ import annotations

import io
import struct
import threading
import warnings
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageChops

from medsr_jax.errors import MedsrError, first_line
from medsr_jax.imaging.colour import to_grey, upright, upright_spacing
from medsr_jax.imaging.image import Image
from medsr_jax.imaging.limits import check_size
from medsr_jax.jpeg.headers import JpegHeader, is_whole, read_header, too_many_scans

Array = np.ndarray[Any, Any]

_ORIENTATION = 0x0112
_SCREEN_DPI = (72.0, 96.0)
_BAND = 2**20  # pixels
# Pillow's own limit on sizes is a global of its module, lifted while a file is opened whose size has been checked.
_PILLOW_LIMIT = threading.Lock()


def decode_png(data: bytes, *, name: str, max_pixels: int) -> Image:
    """A PNG of any colour type and bit depth; 1, 2 and 4 bits are spread over 0..255.

    Raises:
        MedsrError: the PNG is damaged or too large.
    """
    columns, rows = struct.unpack(">II", data[16:24].ljust(8, b"\0"))
    width = {2: 3, 4: 2, 6: 4}.get(data[25] if len(data) > 25 else 0, 1) * (2 if data[24:25] == b"\x10" else 1)
    check_size(rows, columns, width=width, name=name, max_pixels=max_pixels)
    header = _open(data, name=name, kind="PNG")
    notes: tuple[str, ...] = ()
    if getattr(header, "n_frames", 1) > 1:
        notes += ("animated PNG: only the default image is read",)
    if data[24:26] == b"\x10\x02" or data[24:26] == b"\x10\x06" or data[24:26] == b"\x10\x04":
        pixels = _sixteen_bit_png(data, name=name)
    else:
        pixels = _load(header, name=name, kind="PNG")
    placement = _orientation(header), _spacing(header)
    del header  # Pillow's copy of the pixels goes before the conversion to grey takes memory.
    return _finish(pixels, placement, kind="png", name=name, notes=notes)


def decode_jpeg(data: bytes, *, name: str, max_pixels: int) -> Image:
    """A JPEG: 8 bits, grey or colour, baseline or progressive; 12 bits and lossless too.

    Raises:
        MedsrError: the JPEG is damaged or too large.
    """
    try:
        markers = read_header(data)
    except ValueError as error:
        raise MedsrError(f"is a damaged or truncated JPEG: {error}", path=name) from error
    width = markers.components * (1 if markers.precision <= 8 else 2)
    check_size(markers.rows, markers.columns, width=width, name=name, max_pixels=max_pixels)
    if scans := too_many_scans(data, rows=markers.rows, columns=markers.columns):
        raise MedsrError(f"is a JPEG of {scans} scans, too many to decode", path=name, remedy="save it anew")
    if markers.precision == 8 and not markers.lossless:
        header = _open(data, name=name, kind="JPEG")
        # Pillow takes all CMYK for Adobe's, where 255 is no ink.
        plain = header.mode == "CMYK" and markers.adobe_transform is None
        if header.mode == "CMYK" and not plain and not markers.adobe_flags:
            # libjpeg marks what it writes as Adobe's, whichever way its caller had the inks.
            raise MedsrError(
                "is a CMYK JPEG that may have its inks inverted or not", path=name, remedy="convert it to RGB or grey"
            )
        notes = ("CMYK without an Adobe segment: 0 is no ink",) if plain else ()
        pixels = _load(header, name=name, kind="JPEG", inverted=plain)
        placement = _orientation(header), _spacing(header)
        del header  # As above.
        return _finish(pixels, placement, kind="jpeg", name=name, notes=notes)
    return _unusual_jpeg(data, markers, name=name)


def _unusual_jpeg(data: bytes, markers: JpegHeader, *, name: str) -> Image:
    """12 or 16 bits, or lossless, which Pillow does not decode; such files carry no EXIF worth reading."""
    import imagecodecs

    if markers.components not in (1, 3):
        raise MedsrError(
            f"is a {markers.precision}-bit or lossless JPEG of {markers.components} components",
            path=name,
            remedy="make it grey",
        )
    if not is_whole(data):
        raise MedsrError("is a truncated JPEG: the end of the image is missing", path=name)
    try:
        pixels = np.asarray(imagecodecs.jpeg8_decode(data))
    except Exception as error:
        raise MedsrError(f"is a damaged or unsupported JPEG: {first_line(error)}", path=name) from error
    grey, notes = (pixels, ()) if pixels.ndim == 2 else to_grey(pixels)
    range_ = (0, 2**markers.precision - 1)
    return Image(grey[np.newaxis], range_, "jpeg", notes=notes, name=name)


def _open(data: bytes, *, name: str, kind: str) -> PIL.Image.Image:
    """Opens the file without decoding it; its size has been checked."""
    try:
        with warnings.catch_warnings(), _PILLOW_LIMIT:
            warnings.simplefilter("ignore")
            limit, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
            try:
                return PIL.Image.open(io.BytesIO(data), formats=(kind,))
            finally:
                PIL.Image.MAX_IMAGE_PIXELS = limit
    except Exception as error:  # Pillow raises whatever its parsers stumble on.
        raise MedsrError(f"is a damaged {kind}: {first_line(error)}", path=name) from error


def _load(header: PIL.Image.Image, *, name: str, kind: str, inverted: bool = False) -> Array:
    """(rows, columns[, channels]) uint8 or uint16 of a file that Pillow decodes without loss."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header.load()
            columns, rows = header.size
            band = max(_BAND // columns, 1)
            # Band by band: Pillow's own copy of a colour image takes four bytes a pixel already.
            first = _band(header, 0, min(band, rows), inverted=inverted)
            pixels = np.empty((rows, *first.shape[1:]), first.dtype)
            pixels[: len(first)] = first
            for top in range(band, rows, band):
                bottom = min(top + band, rows)
                pixels[top:bottom] = _band(header, top, bottom, inverted=inverted)
    except Exception as error:  # As above.
        raise MedsrError(f"is a damaged or truncated {kind}: {first_line(error)}", path=name) from error
    return pixels


def _band(header: PIL.Image.Image, top: int, bottom: int, *, inverted: bool) -> Array:
    band = header.crop((0, top, header.size[0], bottom))
    if inverted:
        band = PIL.ImageChops.invert(band)
    if band.mode == "1":
        band = band.convert("L")
    elif band.mode in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV"):
        opaque = band.mode != "PA" and "transparency" not in header.info
        band = band.convert("RGB" if opaque else "RGBA")
    pixels = np.asarray(band)
    return pixels.astype(np.uint16) if pixels.dtype.itemsize > 1 else pixels


def _sixteen_bit_png(data: bytes, *, name: str) -> Array:
    """16 bits a channel in colour or with alpha, which Pillow would cut to 8."""
    import imagecodecs

    try:
        return np.asarray(imagecodecs.png_decode(data))
    except Exception as error:
        raise MedsrError(f"is a damaged or truncated PNG: {first_line(error)}", path=name) from error


def _finish(
    pixels: Array, placement: tuple[int, tuple[float, float] | None], *, kind: str, name: str, notes: tuple[str, ...]
) -> Image:
    orientation, spacing = placement
    grey, grey_notes = (pixels, ()) if pixels.ndim == 2 else to_grey(pixels)
    grey, turn_notes = upright(grey, orientation=orientation)
    if not grey.flags.writeable:
        grey = grey.copy()
    return Image(
        pixels=grey[np.newaxis],
        value_range=(0, 255 if grey.dtype == np.uint8 else 65535),
        kind=kind,
        spacing=upright_spacing(spacing, orientation=orientation),
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
    """Millimetres per row and per column of a resolution in dots per inch, or None where it is a program's default.

    72 and 96 dpi are what programs write when they know nothing; below 2.54 dpi (10 mm) and above 25400 dpi
    (1 um) it is no radiograph.
    """
    for dpi in (down, across):
        if not 2.54 <= dpi <= 25400 or any(abs(dpi - screen) < 0.5 for screen in _SCREEN_DPI):
            return None
    return 25.4 / down, 25.4 / across
