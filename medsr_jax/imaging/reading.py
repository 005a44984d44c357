"""Any file that is told to be an image becomes an `Image`."""

from __future__ import annotations

import os
import pathlib

from medsr_jax.errors import MedsrError, named
from medsr_jax.imaging.image import Image
from medsr_jax.imaging.sniffing import kind_of, read_start

MAX_PIXELS = 2**27
"""Most pixels a frame that are read unless the caller says otherwise, 16384 x 8192: reading them takes up to 1 GiB."""


def read_image(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Image:
    """Reads a PNG, JPEG, TIFF or DICOM file, told apart by content.

    Colour becomes grey by BT.601 luma and the image is turned upright when its metadata says so, each with
    a note. DICOM keeps its stored values: modality and VOI transforms stay in `Image.dataset`.

    Args:
      path: the file.
      max_pixels: larger frames are refused before memory is taken for them; twice as many in all frames. Pixels of
        more than 4 bytes, as 16-bit colour has, count as several.

    Raises:
      MedsrError: the file can't be read, with the reason in one line.
    """
    path = pathlib.Path(path)
    kind = kind_of(read_start(path), path)
    try:
        data = path.read_bytes()
        if kind == "dicom":
            from medsr_jax.imaging.dicom import decode_dicom

            return decode_dicom(data, name=str(path), max_pixels=max_pixels)
        if kind == "tiff":
            from medsr_jax.imaging.tiff import decode_tiff

            return decode_tiff(data, name=str(path), max_pixels=max_pixels)
        from medsr_jax.imaging.raster import decode_jpeg, decode_png

        decode = decode_png if kind == "png" else decode_jpeg
        return decode(data, name=str(path), max_pixels=max_pixels)
    except MedsrError:
        raise
    except MemoryError as error:
        raise named(path, "does not fit into memory") from error
    except OSError as error:
        raise named(path, f"can't be read: {error.strerror or error}") from error


def check_size(rows: int, columns: int, *, frames: int = 1, width: int = 1, name: str, max_pixels: int) -> None:
    """Refuses images without pixels and images too large to hold.

    Args:
      rows, columns, frames: size of the image.
      width: bytes of a pixel, all channels together.
      name, max_pixels: as in `read_image`.

    Raises:
      MedsrError: a side is zero, or there are too many pixels.
    """
    if rows < 1 or columns < 1 or frames < 1:
        raise named(name, f"has no pixels: {frames} frames of {rows} rows and {columns} columns")
    most = 4 * max_pixels // max(width, 4)
    size = f"{rows} x {columns}" + (f" x {frames} frames" if frames > 1 else "")
    if rows * columns > most:
        what = f"pixels of {width} bytes" if width > 4 else "pixels"
        raise named(name, f"has {size} {what}, more than the {most / 1e6:.0f} million that are read; split it")
    if frames * rows * columns > 2 * most:
        raise named(name, f"has {size} pixels, more than the {2 * most / 1e6:.0f} million that are read; split it")
