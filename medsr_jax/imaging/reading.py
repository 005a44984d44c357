"""Any file that is told to be an image becomes an `Image`."""

from __future__ import annotations

import os
import pathlib

from medsr_jax.errors import MedsrError, named
from medsr_jax.imaging.image import Image
from medsr_jax.imaging.limits import MAX_PIXELS
from medsr_jax.imaging.sniffing import kind_of, read_start


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
            from medsr_jax.imaging.dicom.reading import decode_dicom

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
