"""PNG and TIFF files written from images."""

from __future__ import annotations

import io
import os
import pathlib
from typing import Any

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.files import atomic_write
from medsr_jax.imaging.image import Image

_SUFFIXES = {".png": "png", ".tif": "tiff", ".tiff": "tiff"}


def output_suffix(image: Image) -> str:
    """The suffix that a file of the same kind gets: ".dcm", ".tif" or ".png" (also where JPEG came in)."""
    return {"dicom": ".dcm", "tiff": ".tif"}.get(image.kind, ".png")


def write_image(path: str | os.PathLike[str], image: Image, *, description: str = "") -> None:
    """Writes a PNG or TIFF, lossless, with the image's spacing as its resolution.

    The suffix of `path` chooses the format; without one of .png, .tif or .tiff the image's kind does, PNG
    standing for JPEG too. PNG takes one frame of uint8 or uint16; TIFF takes every dtype, float32 included,
    and several frames as pages. DICOM is written by `derive_dataset` and `write_dicom`. A description, in ASCII,
    goes into PNG's text chunk `Description` or TIFF's tag ImageDescription.

    Raises:
        MedsrError: the format can't hold the image, or the file can't be written.
    """
    path = pathlib.Path(path)
    suffix = path.suffix.lower()
    if suffix in (".jpg", ".jpeg", ".dcm"):
        ours = output_suffix(image)
        raise MedsrError(
            f"an image of this kind is written as {ours}, not {suffix}", path=path, remedy="rename the output"
        )
    kind = _SUFFIXES.get(suffix, "tiff" if image.kind == "tiff" else "png")
    if kind == "png":
        frames, dtype = image.pixels.shape[0], image.pixels.dtype
        if frames != 1 or dtype not in (np.uint8, np.uint16):
            raise MedsrError(f"PNG can't hold {frames} frames of {dtype}", path=path, remedy="name the output .tif")
        atomic_write(path, _encode_png(image, description))
    else:
        atomic_write(path, _encode_tiff(image, description))


def _encode_png(image: Image, description: str) -> bytes:
    import PIL.Image
    import PIL.PngImagePlugin

    pixels = image.pixels[0]
    if image.inverted:
        # PNG has no way to say that low values are white.
        pixels = pixels.dtype.type(image.value_range[0] + image.value_range[1]) - pixels
    buffer = io.BytesIO()
    options: dict[str, Any] = {}
    if image.spacing:
        options["dpi"] = (25.4 / image.spacing[1], 25.4 / image.spacing[0])
    if description:
        options["pnginfo"] = PIL.PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Description", description)
    PIL.Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", **options)
    return buffer.getvalue()


def _encode_tiff(image: Image, description: str) -> bytes:
    import tifffile

    buffer = io.BytesIO()
    options: dict[str, Any] = {}
    if image.spacing:
        options = {"resolution": (25.4 / image.spacing[1], 25.4 / image.spacing[0]), "resolutionunit": "INCH"}
    with tifffile.TiffWriter(buffer) as writer:
        for frame in image.pixels:
            writer.write(
                np.ascontiguousarray(frame),
                photometric="miniswhite" if image.inverted else "minisblack",
                compression="zlib",
                predictor=image.pixels.dtype.kind != "f",
                metadata=None,
                description=description or None,
                **options,
            )
    return buffer.getvalue()
