"""What the sender costs: the whole process of `medsr compress` on a 2000x2500 16-bit DICOM, on one core.

    python scripts/benchmark/sender.py [--source FILE.dcm] [--repeat 5]

The input is made of real pixels: RG1 of PyPI's pydicom-data, or --source, resized to 2000x2500 and spread over 16 bits.
It is tried uncompressed and as JPEG 2000, then with noise so that the pre-processing works too. Prints seconds (the
median; and the least CPU time, which other jobs on the machine disturb less), peak memory of the process and whether
any heavy package was imported, and ends with a line per figure,
`ratio NAME OURS/TARGET target 1.0`.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

ROWS, COLUMNS = 2500, 2000
SECONDS, MEGABYTES = 1.0, 250.0
HEAVY = ("jax", "flax", "scipy", "matplotlib", "tensorflow")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=pathlib.Path, help="a DICOM radiograph")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--tiny", action="store_true", help="one run, to see that it works")
    options = parser.parse_args()
    options.repeat = 1 if options.tiny else options.repeat
    source = options.source or _packaged()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for name, path in _make_inputs(source, pathlib.Path(folder)).items():
            seconds, cpu, megabytes, heavy, sent = _measure(path, options.repeat)
            print(
                f"{name:22} {path.stat().st_size / 1e6:6.2f} MB in  {sent:6d} bytes out  {seconds:6.2f} s "
                f"({cpu:.2f} s of CPU)  {megabytes:5.0f} MB  heavy imports: {', '.join(heavy) or 'none'}"
            )
            key = name.replace(" ", "_")
            lines.append(f"ratio sender_seconds_{key} {seconds:.2f}/{SECONDS} target 1.0")
            lines.append(f"ratio sender_memory_{key} {megabytes:.0f}/{MEGABYTES:.0f} target 1.0")
    print(*lines, sep="\n")


def _packaged() -> pathlib.Path:
    from pydicom.data import get_testdata_file

    found = get_testdata_file("RG1_J2KR.dcm", download=False)
    if found is None:
        sys.exit("no radiograph: pip install pydicom-data, or name one with --source")
    return pathlib.Path(str(found))


def _make_inputs(source: pathlib.Path, folder: pathlib.Path) -> dict[str, pathlib.Path]:
    import pydicom
    from PIL import Image
    from pydicom.encaps import encapsulate
    from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

    dataset = pydicom.dcmread(source)
    pixels = dataset.pixel_array.astype(np.float32)
    pixels = np.asarray(Image.fromarray(pixels).resize((COLUMNS, ROWS), Image.Resampling.BICUBIC))
    pixels = np.clip(pixels / pixels.max(), 0, 1) * 65535
    noisy = pixels + np.random.default_rng(0).normal(0, 0.08 * 65535, pixels.shape)
    paths = {}
    for name, values in {"uncompressed": pixels, "jpeg2000": pixels, "noisy": noisy}.items():
        stored = np.clip(values, 0, 65535).astype(np.uint16)
        dataset.set_pixel_data(stored, dataset.PhotometricInterpretation, 16)
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        if name == "jpeg2000":
            import imagecodecs

            stream = imagecodecs.jpeg2k_encode(stored, reversible=True, codecformat="j2k")
            dataset.PixelData = encapsulate([stream])
            dataset["PixelData"].is_undefined_length = True
            dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
        paths[name] = folder / f"{name}.dcm"
        dataset.save_as(paths[name], enforce_file_format=True)
    return paths


def _measure(path: pathlib.Path, repeat: int) -> tuple[float, float, float, list[str], int]:
    target = path.with_suffix(".sent.dcm")
    command = [sys.executable, "-m", "medsr_jax", "compress", str(path), "-o", str(target)]
    core = {min(os.sched_getaffinity(0))}
    seconds, cpu, megabytes = [], [], 0.0
    for _ in range(repeat):
        begin = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, core))
        _, status, usage = os.wait4(child.pid, 0)
        seconds.append(time.perf_counter() - begin)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            sys.exit(f"{' '.join(command)} ended with {child.returncode}")
        cpu.append(usage.ru_utime + usage.ru_stime)
        megabytes = max(megabytes, usage.ru_maxrss / 1024)
    imported = subprocess.run(
        [sys.executable, "-X", "importtime", *command[1:]], capture_output=True, text=True, check=True
    ).stderr
    modules = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in imported.splitlines() if "|" in line}
    return statistics.median(seconds), min(cpu), megabytes, sorted(modules & set(HEAVY)), target.stat().st_size


if __name__ == "__main__":
    main()
