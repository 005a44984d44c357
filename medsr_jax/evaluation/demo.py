"""`medsr demo`: a real chest radiograph through both ends of the link."""

from __future__ import annotations

import dataclasses
import pathlib

from medsr_jax.errors import MedsrError
from medsr_jax.evaluation.link import Measured, central_crop, measure
from medsr_jax.evaluation.pictures import busiest_square, side_by_side
from medsr_jax.files import atomic_write
from medsr_jax.imaging import read_image
from medsr_jax.restoration import Restorer, write_restored
from medsr_jax.transmission.packet_io import read_packet

SOURCE = "RG1_J2KR.dcm"
TITLE = "RG1, a chest radiograph from PyPI pydicom-data"


def chest_radiograph() -> pathlib.Path:
    """The DICOM file of PyPI `pydicom-data`; nothing is downloaded.

    Raises:
        MedsrError: the package is not installed.
    """
    from pydicom.data import get_testdata_file

    found = get_testdata_file(SOURCE, download=False)
    if found is None:
        raise MedsrError(f"medsr demo needs {SOURCE}", remedy="install it with: pip install 'medsr-jax[demo]'")
    return pathlib.Path(str(found))


def run(out: pathlib.Path, restorer: Restorer) -> list[tuple[str, Measured]]:
    """Send and restore the radiograph and a crop of it, writing what travels, what comes out, and pictures.

    Into ``out`` go ``original.dcm``, ``sent.dcm``, ``restored.dcm``, ``sent-crop.jpg``, ``restored-crop.png`` and a
    picture of each, ``demo.png`` and ``demo-crop.png``.

    Returns:
        (name, measured) of the whole and the crop.
    """
    source = chest_radiograph()
    atomic_write(out / "original.dcm", source.read_bytes())
    whole = read_image(source)
    crop = central_crop(dataclasses.replace(whole, kind="png", dataset=None, spacing=None), side=512)
    results = []
    for name, image, sent, restored, picture in (
        ("whole", whole, "sent.dcm", "restored.dcm", "demo.png"),
        ("crop 512x512", crop, "sent-crop.jpg", "restored-crop.png", "demo-crop.png"),
    ):
        measured = measure(image, restorer)
        atomic_write(out / sent, measured.file)
        write_restored(out / restored, read_packet(out / sent), measured.restored)
        zoom = busiest_square(image.pixels[0], side=min(image.pixels.shape[1:]) // 5)
        side_by_side(out / picture, image, measured, zoom=zoom, title=TITLE)
        results.append((name, measured))
    return results
