"""Does memory stay flat with the size of the image, and does no seam show? Tiles against the whole image at once.

    python scripts/benchmark/tiles.py [--side 1024] [--tile 256] [--halos 16 24 32 48] [--model NAME|PATH]

A real radiograph, mirrored until it is 4 x side, is sent at q 60 and restored whole and in tiles, each in a fresh
process. Prints the process's peak memory, seconds from packet to pixels (a compilation included), and how tiled and
whole results differ in 8-bit levels, for several halos. At 1024 the whole image takes some GB. Ends with
`ratio NAME OURS/PEER target T`, where ours is the package's own halo.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from timing import parser, ratio

from medsr_jax.evaluation.studies.samples import model_file, radiograph, tiled

SCALE, QUALITY = 4, 60


def main() -> None:
    options = _options()
    if options.one is not None:
        print(json.dumps(_restore(options)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        # In a process of its own: one that has JAX in it would hand its peak of memory down.
        made = subprocess.run([*_again(), "--one", "packet", "--folder", name], capture_output=True, text=True)
        if made.returncode:
            sys.exit(made.stderr.strip())
        about = json.loads(made.stdout)
        print(about["title"])
        lines = _compare(options, folder, about)
    print(*lines, sep="\n")


def _options() -> argparse.Namespace:
    options = parser(__doc__, repeats=1)
    options.add_argument("--side", type=int, default=1024, help="of the small image [1024]")
    options.add_argument("--tile", type=int, default=256, help="small pixels that a tile keeps [256]")
    options.add_argument("--halos", type=int, nargs="+", default=[16, 24, 32, 48])
    options.add_argument("--model", help="a packaged model or a weights file [xray-x4]")
    options.add_argument("--image", type=pathlib.Path, help="a radiograph")
    options.add_argument("--one", choices=("packet", "whole", "tiles"), help=argparse.SUPPRESS)
    options.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    options.add_argument("--tiny", action="store_true", help="128x128, to see that it works")
    chosen = options.parse_args()
    if chosen.tiny:
        chosen.side, chosen.tile, chosen.halos = 128, 32, [16]
    return chosen


def _again() -> list[str]:
    return [sys.executable, *sys.argv]


def _compare(options: argparse.Namespace, folder: pathlib.Path, about: dict[str, object]) -> list[str]:
    own = int(str(about["halo"]))
    runs = {"whole": ["--one", "whole"]}
    runs |= {f"tiles, halo {halo}": ["--one", "tiles", "--halos", str(halo)] for halo in {*options.halos, own}}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sorted(runs, key=_order)}
    results: dict[str, np.ndarray] = {}
    for _ in range(options.repeats):
        for name in found:
            command = [*_again(), *runs[name], "--folder", str(folder), "--model", str(about["model"])]
            ended = subprocess.run(command, capture_output=True, text=True)
            if ended.returncode:
                last = (ended.stderr.strip().splitlines() or ["killed, probably for want of memory"])[-1]
                print(f"{name}: failed: {last}")
                continue
            found[name].append(json.loads(ended.stdout.splitlines()[-1]))
            results[name] = np.load(folder / "result.npy")
    print(f"{'':17}     MB  at start  seconds   from whole: largest, levels   pixels that differ")
    for name, entries in found.items():
        if entries:
            print(_row(name, _medians(entries), results[name], results.get("whole")))
    name = f"tiles, halo {own}"
    if not found["whole"] or not found[name]:
        return []
    ours, whole = (_medians(found[key]) for key in (name, "whole"))
    difference = int(_difference(results[name], results["whole"]).max())
    return [
        ratio("tiled_memory", ours["peak"], whole["peak"], 0.5),
        ratio("tiled_seconds", ours["seconds"], whole["seconds"], 1.5),
        ratio("tiled_difference", difference, 1, 1.0),
    ]


def _order(name: str) -> tuple[bool, int]:
    return name != "whole", 0 if name == "whole" else int(name.split()[-1])


def _row(name: str, entry: dict[str, float], result: np.ndarray, whole: np.ndarray | None) -> str:
    row = f"{name:17} {entry['peak']:6.0f} {entry['start']:9.0f} {entry['seconds']:8.1f}"
    if whole is None or name == "whole":
        return row
    difference = _difference(result, whole)
    more = int(np.sum(difference > 1))
    return f"{row} {difference.max():29d} {100 * np.mean(difference > 0):18.4f} %" + (
        f", {more} by more than 1" if more else ""
    )


def _medians(entries: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(entry[key] for entry in entries) for key in entries[0]}


def _difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a.astype(np.int16) - b)


def _restore(options: argparse.Namespace) -> dict[str, object]:
    """What a fresh process does: make the packet, or restore it and say what that took."""
    from medsr_jax.restoration import Restorer
    from medsr_jax.restoration.restorer import HALO
    from medsr_jax.transmission import read_packet, write_packet

    if options.one == "packet":
        from medsr_jax.imaging import Image
        from medsr_jax.transmission import compress

        model, title = model_file(options.model, options.folder)
        pixels = tiled(radiograph(options.image), side=options.side * SCALE)[None]
        image = Image(pixels=pixels, value_range=(0, 255), kind="png")
        packet = compress(image, scale=SCALE, quality=QUALITY, preprocess=False)
        write_packet(options.folder / "packet.jpg", packet)
        size = f"{options.side}x{options.side} -> {pixels.shape[1]}x{pixels.shape[2]}"
        return {"model": model, "halo": HALO, "title": f"{title}; {size}, tiles of {options.tile}"}
    packet = read_packet(options.folder / "packet.jpg")
    tile = options.tile if options.one == "tiles" else None
    restorer = Restorer(options.model, tile=tile, halo=options.halos[0])
    start = _peak()
    begin = time.perf_counter()
    restored = restorer(packet)
    seconds = time.perf_counter() - begin
    peak = _peak()
    np.save(options.folder / "result.npy", restored.pixels[0])
    return {"seconds": seconds, "peak": peak, "start": start}


def _peak() -> float:
    """MB that this process has held at its most."""
    status = pathlib.Path("/proc/self/status")
    if status.exists():  # getrusage also counts what the parent held at the fork
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 2**20 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    main()
