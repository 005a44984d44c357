"""Bytes and seconds of restored DICOM objects in each transfer syntax, and whether other decoders agree on the pixels.

    python scripts/measure/transfer_syntaxes.py [FOLDER ...] [--model bicubic]

Decoders are those that pydicom finds: Pillow and pyjpegls; with PyPI's python-gdcm, pylibjpeg, pylibjpeg-libjpeg and
pylibjpeg-openjpeg more of them.
"""

from __future__ import annotations

import medsr_jax.excepthook  # first: a missing package is one line

# isort: split

import argparse
import pathlib
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pydicom
from pydicom.pixels import get_decoder

import medsr_jax as medsr
from medsr_jax.evaluation.studies.sample_set import data_set
from medsr_jax.files import find_inputs
from medsr_jax.imaging.dicom.lossless import SYNTAXES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=pathlib.Path, help="of DICOM files [$MEDSR_DATA/dicom]")
    parser.add_argument("--model", default="auto", help="as of `medsr restore`; auto unless said")
    parser.add_argument("--tiny", action="store_true", help="a few small files, to see that it works")
    options = parser.parse_args()
    options.folders = options.folders or [data_set(None, tiny=options.tiny) / "dicom"]
    warnings.filterwarnings("ignore", module="pydicom")
    size, seconds, agreed = Counter[str](), Counter[str](), Counter[str]()
    restorer, files = medsr.Restorer(options.model), 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for source, packet in sent(options.folders, folder):
            restored = restorer(packet)
            paths = {syntax: folder / f"{syntax}.dcm" for syntax in SYNTAXES}
            try:
                for syntax, path in paths.items():
                    start = time.perf_counter()
                    medsr.write_restored(path, packet, restored, transfer_syntax=syntax)
                    seconds[syntax] += time.perf_counter() - start
            except medsr.MedsrError as error:
                print(f"left out: {source}: {error}")
                continue
            files += 1
            size["originals"] += source.stat().st_size
            for syntax, path in paths.items():
                size[syntax] += path.stat().st_size
                if syntax != "explicit":
                    compare(pydicom.dcmread(path), restored.pixels, syntax, agreed)
    print(f"{files} objects, {size['originals'] / 1e6:.1f} MB")
    for syntax in SYNTAXES:
        print(f"{syntax:9} {size[syntax] / 1e6:6.1f} MB, written in {seconds[syntax]:.1f} s")
    for decoder, count in sorted(agreed.items()):
        print(f"{decoder}: {count} of {files} equal to the bit")


def sent(folders: list[pathlib.Path], scratch: pathlib.Path) -> Iterator[tuple[pathlib.Path, medsr.Packet]]:
    """Each DICOM file that can be sent, and its packet as it arrives."""
    for source, _ in find_inputs(folders):
        try:
            image = medsr.read_image(source)
            if image.kind == "dicom":
                medsr.write_packet(scratch / "sent.dcm", medsr.compress(image))
                yield source, medsr.read_packet(scratch / "sent.dcm")
        except medsr.MedsrError as error:
            print(f"left out: {error}")


def compare(dataset: pydicom.Dataset, pixels: np.ndarray, syntax: str, agreed: Counter[str]) -> None:
    """Count the decoders of pydicom that give these pixels."""
    decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
    for plugin in decoder.available_plugins:
        decoded, _ = decoder.as_array(dataset, decoding_plugin=plugin, raw=True)
        agreed[f"{syntax} by {plugin}"] += np.array_equal(decoded.reshape(pixels.shape), pixels)


if __name__ == "__main__":
    main()
