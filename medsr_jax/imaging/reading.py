"""Read PNG, JPEG, TIFF or DICOM into an `Image`."""

from __future__ import annotations

import os

from medsr_jax.errors import MedsrError, concerning
from medsr_jax.files import read_file
from medsr_jax.imaging.image import Image
from medsr_jax.imaging.limits import MAX_PIXELS
from medsr_jax.imaging.sniffing import kind_of


def read_image(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Image:
    """Read a PNG, JPEG, TIFF or DICOM file, whose kind is detected from its content.

    Colour becomes grey by BT.601 luma and the image is turned upright where its metadata says so, each with
    a note. DICOM keeps its stored values: modality and VOI transforms stay in `Image.dataset`.

    Args:
        path: the file.
        max_pixels: larger frames are refused before memory is taken for them; twice as many in all frames. Pixels of
            more than 4 bytes, as 16-bit colour has, count as several.

    Raises:
        MedsrError: the file can't be read.
    """
    return decode_image(read_file(path, check=kind_of), name=os.fspath(path), max_pixels=max_pixels)


def decode_image(data: bytes, *, name: str = "", max_pixels: int = MAX_PIXELS) -> Image:
    """The image in the bytes of a file; as `read_image`.

    Args:
        data: the whole file.
        name: of the file, for errors and for `Image.name`.
        max_pixels: as of `read_image`.

    Raises:
        MedsrError: it is no image, too large or damaged.
    """
    with concerning(name):
        kind = kind_of(data[:256])
        try:
            if kind == "dicom":
                from medsr_jax.imaging.dicom.reading import decode_dicom

                return decode_dicom(data, name=name, max_pixels=max_pixels)
            if kind == "tiff":
                from medsr_jax.imaging.tiff import decode_tiff

                return decode_tiff(data, name=name, max_pixels=max_pixels)
            from medsr_jax.imaging.raster import decode_jpeg, decode_png

            decode = decode_png if kind == "png" else decode_jpeg
            return decode(data, name=name, max_pixels=max_pixels)
        except MemoryError as error:
            raise MedsrError("does not fit into memory") from error
