"""`medsr demo`: a real chest radiograph through both ends of the link."""

from __future__ import annotations

import dataclasses
import pathlib

from medsr_jax.errors import MedsrError
from medsr_jax.evaluation.link import Measured, central_crop, eight_bits, measure
from medsr_jax.evaluation.metrics import psnr
from medsr_jax.evaluation.pictures import busiest_square, draw, side_by_side
from medsr_jax.evaluation.studies.full_size import FULL_SIZE
from medsr_jax.files import atomic_write
from medsr_jax.imaging import Image, read_image
from medsr_jax.restoration import Restorer, write_restored
from medsr_jax.transmission.packet_io import read_packet

SOURCE = "RG1_J2KR.dcm"
BUDGET, PEERS = 1740, ("JPEG 2000", "AVIF")
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
    picture of each, ``demo.png`` and ``demo-crop.png``; and of the crop under a budget ``sent-budget.medsr``,
    ``restored-budget.png`` and ``demo-bytes.png``, beside files of other codecs that have as many bytes.

    Returns:
        (name, measured) of the whole, the crop, and the crop under a budget.
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
    results.append((f"crop, {BUDGET:,} bytes", _under_a_budget(out, eight_bits(crop))))
    return results


def _under_a_budget(out: pathlib.Path, image: Image) -> Measured:
    # The sender chooses the scale, for which a named model need not be.
    measured = measure(image, Restorer(), max_bytes=BUDGET)
    atomic_write(out / "sent-budget.medsr", measured.file)
    write_restored(out / "restored-budget.png", read_packet(out / "sent-budget.medsr"), measured.restored)
    panels = [("original", image.pixels)]
    for name in PEERS:
        file = FULL_SIZE[name].within(image.pixels[0], measured.sent_bytes)
        if file is not None:
            pixels = FULL_SIZE[name].decode(file)[None]
            quality = psnr(pixels, image.pixels, value_range=image.value_range)
            panels.append((f"{name}: {len(file):,} bytes, {quality:.2f} dB", pixels))
    link = f"medsr: {measured.sent_bytes:,} bytes, {measured.psnr:.2f} dB"
    panels.append((link, measured.restored.pixels))
    zoom = busiest_square(image.pixels[0], side=min(image.pixels.shape[1:]) // 5)
    draw(out / "demo-bytes.png", image, panels, zoom=zoom, title=TITLE)
    return measured
