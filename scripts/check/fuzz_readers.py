"""Damaged files into the image readers: each must be read or refused in one line, soon and in bounded memory.

    python scripts/check/fuzz_readers.py [--seconds N] [--seed N] [--keep FOLDER]

Small files of every kind are made on the fly, pydicom's bundled ones are added, and mutants of them (flipped bits,
truncation, changed lengths, splices) are read in a process of their own. A fault is an exception other than
MedsrError, a message of several lines, a read of more than 2 seconds of processor time, a process of more than 1 GiB,
or a crash. Prints each fault with the number of its mutant, which the seed makes again, and exits with the number of
faults.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import pathlib
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

import imagecodecs
import numpy as np
import PIL.Image
import pydicom
import pydicom.data
import tifffile
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, generate_uid

MOST_SECONDS, MOST_KIB, HANGS_AFTER = 2.0, 2**20, 30.0
LARGEST_SEED = 40_000


def seeds() -> list[tuple[str, bytes]]:
    """Names and contents of whole files, small and of every kind that is read."""
    random = np.random.default_rng(0)
    grey = random.integers(0, 256, (24, 20), dtype=np.uint8)
    deep = random.integers(0, 4096, (24, 20), dtype=np.uint16)
    colour = random.integers(0, 256, (24, 20, 3), dtype=np.uint8)
    files = []
    for form, options in (("PNG", {}), ("JPEG", {}), ("JPEG", {"progressive": True}), ("TIFF", {})):
        for name, pixels in (("grey", grey), ("colour", colour), ("deep", deep)):
            if form != "JPEG" or name != "deep":
                buffer = io.BytesIO()
                PIL.Image.fromarray(pixels).save(buffer, form, **options)
                files.append((f"{name}.{form}", buffer.getvalue()))
    for compression in ("lzw", "zlib", "jpeg", "zstd", "packbits"):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, grey, compression=compression, tile=(16, 16))
        files.append((f"{compression}.tif", buffer.getvalue()))
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, deep.astype(np.float32), extratags=[(42113, 2, 0, "7", True)])
    files.append(("float.tif", buffer.getvalue()))
    files.append(("12.jpg", imagecodecs.jpeg8_encode(deep, bitspersample=12)))
    encoders: dict[str, Callable[[np.ndarray], bytes] | None] = {
        "1.2.840.10008.1.2": None,
        "1.2.840.10008.1.2.1": None,
        "1.2.840.10008.1.2.1.99": None,
        "1.2.840.10008.1.2.4.51": lambda frame: imagecodecs.jpeg8_encode(frame, bitspersample=12),
        "1.2.840.10008.1.2.4.70": lambda frame: imagecodecs.jpeg8_encode(frame, lossless=True, bitspersample=16),
        "1.2.840.10008.1.2.4.80": imagecodecs.jpegls_encode,
        "1.2.840.10008.1.2.4.90": lambda frame: imagecodecs.jpeg2k_encode(frame, level=0, codecformat="j2k"),
        "1.2.840.10008.1.2.4.91": lambda frame: imagecodecs.jpeg2k_encode(frame, level=30, codecformat="jp2"),
        "1.2.840.10008.1.2.4.201": imagecodecs.htj2k_encode,
        # JPEG XL is told by its content.
        "1.2.840.10008.1.2.4.203": lambda frame: imagecodecs.jpegxl_encode(frame, lossless=True),
    }
    for syntax, encode in encoders.items():
        files.append((f"{syntax}.dcm", dicom_file(np.stack([deep, deep]), syntax, encode)))
    bundled = pathlib.Path(pydicom.data.__file__).parent / "test_files"
    small = [path for path in sorted(bundled.glob("*.dcm")) if path.stat().st_size <= LARGEST_SEED]
    return [*files, *((path.name, path.read_bytes()) for path in small)]


def dicom_file(frames: np.ndarray, syntax: str, encode: Callable[[np.ndarray], bytes] | None) -> bytes:
    """A DICOM file of (frames, rows, columns) 12-bit values, with an overlay in a spare bit and a sequence."""
    dataset, item = Dataset(), Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.7.3")
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[syntax])
    item.CodeValue, item.CodeMeaning = "1", "one"
    dataset.DerivationCodeSequence, dataset.PixelSpacing = [item], ["0.2", "0.1"]
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.add_new(0x60000100, "US", 16)
    dataset.add_new(0x60000102, "US", 15)
    dataset.PixelData = encapsulate([encode(frame) for frame in frames]) if encode else frames.tobytes()
    dataset["PixelData"].VR = "OB" if encode else "OW"
    dataset["PixelData"].is_undefined_length = encode is not None
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def mutant(files: list[tuple[str, bytes]], *, seed: int, number: int) -> tuple[str, bytes]:
    """One damaged file, the same for the same seed and number."""
    random = np.random.default_rng([seed, number])
    name, whole = files[random.integers(len(files))]
    data = bytearray(whole)
    for _ in range(random.integers(1, 5)):
        at = int(random.integers(len(data))) if data else 0
        # Headers are at the start more often than not.
        at = at if random.random() < 0.5 else int(at * random.random() ** 3)
        kind = random.integers(7)
        if not data:
            break
        if kind == 0:
            data[at] ^= 1 << int(random.integers(8))
        elif kind == 1:
            data[at] = int(random.choice([0, 1, 0x7F, 0x80, 0xFE, 0xFF]))
        elif kind == 2:
            del data[at:]
        elif kind == 3:  # A length, or a number of two or four bytes.
            width = int(random.choice([2, 4]))
            value = int(random.choice([0, 1, 2**15, 2**16 - 1, 2**31, 2**32 - 1, 60000]))
            order = "little" if random.random() < 0.5 else "big"
            data[at : at + width] = (value % 256**width).to_bytes(width, order)
        elif kind == 4:
            other = files[random.integers(len(files))][1]
            start = int(random.integers(len(other)))
            data[at:at] = other[start : start + int(random.integers(1, 400))]
        elif kind == 5:
            end = at + int(random.integers(1, 40))
            data[at:at] = data[at:end]
        else:
            del data[at : at + int(random.integers(1, 40))]
    return name, bytes(data)


def fault(path: pathlib.Path, _: str = "") -> str | None:
    """What is wrong with how a mutant is read, or None; the second argument is for `fuzz_packets`."""
    from medsr_jax.imaging import read_image

    return fault_of(path, lambda: read_image(path))


def fault_of(path: pathlib.Path, read: Callable[[], object]) -> str | None:
    """What is wrong with how `read` reads the file: it raises anything but MedsrError, or takes too much."""
    from medsr_jax.errors import MedsrError

    start = time.process_time()
    problem = None
    try:
        read()
    except MedsrError as error:
        if "\n" in str(error) or not str(error).startswith(f"{path}: "):
            problem = f"not one line that names the file: {str(error)!r}"
    except BaseException as error:
        problem = f"{type(error).__name__}: {error}"
    seconds = time.process_time() - start
    if problem is None and seconds > MOST_SECONDS:
        problem = f"{seconds:.1f} s"
    if problem is None and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > MOST_KIB:
        problem = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB"
    return problem


Fault = Callable[[pathlib.Path, str], str | None]


def _work(files: list[tuple[str, bytes]], find: Fault, seed: int, first: int, folder: str, results: Connection) -> None:
    path = pathlib.Path(folder) / "mutant"
    number = first
    while True:
        name, data = mutant(files, seed=seed, number=number)
        path.write_bytes(data)
        results.send((number, find(path, name)))
        number += 1


def faults(
    files: list[tuple[str, bytes]], *, seed: int, seconds: float, find: Fault = fault
) -> Iterator[tuple[int, str | None]]:
    """Reads mutants for a time; the number of each, and its fault if `find` finds one."""
    end = time.monotonic() + seconds
    number = 0
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end:
            results, sender = multiprocessing.Pipe(duplex=False)
            context = multiprocessing.get_context("fork")
            child = context.Process(target=_work, args=(files, find, seed, number, folder, sender), daemon=True)
            child.start()
            sender.close()
            problem = None
            while problem is None and time.monotonic() < end:
                try:
                    if not results.poll(HANGS_AFTER):
                        problem = f"no end after {HANGS_AFTER:.0f} s"
                    else:
                        number, problem = results.recv()
                except EOFError:
                    child.join()
                    problem = f"the process ended with {child.exitcode}"
                yield number, problem
                number += 1
            child.kill()
            child.join()


def run(files: list[tuple[str, bytes]], *, find: Fault, description: str | None) -> None:
    """The command: reads mutants of the files, prints faults and exits with their number."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=pathlib.Path, help="a folder for the files at fault")
    parser.add_argument("--tiny", action="store_true", help="for 5 seconds")
    options = parser.parse_args()
    options.seconds = 5 if options.tiny else options.seconds
    count = found = 0
    for number, problem in faults(files, seed=options.seed, seconds=options.seconds, find=find):
        count += 1
        if problem is None:
            continue
        found += 1
        name, data = mutant(files, seed=options.seed, number=number)
        print(f"mutant {number} of {name}: {problem}", flush=True)
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            (options.keep / f"{options.seed}-{number}-{name}").write_bytes(data)
    print(f"{count} mutants of {len(files)} files, {found} faults")
    sys.exit(min(found, 100))


if __name__ == "__main__":
    run(seeds(), find=fault, description=__doc__)
