"""How long the whole process of `medsr restore` takes on one 128x128 packet, and where its start goes.

    python scripts/benchmark/restore_start.py [--repeats 5] [--model NAME|PATH] [--image PATH]

First with an empty cache of compiled programs, then with the one that this left. Then a run with `-X importtime`
(which itself costs time), summed over packages without what they import in turn. Ends with
`ratio NAME OURS/TARGET target 1.0`.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import collections
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from timing import parser, ratio

from medsr_jax.evaluation.studies.samples import model_file, radiograph, tiled

SECONDS = 6.0


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        model, title = model_file(options.model, folder)
        command = _command(options, folder, model)
        print(f"medsr restore, 128x128 -> 512x512, {title}; seconds of the whole process")
        cold, _ = _run([sys.executable, *command], folder)
        warm = [_run([sys.executable, *command], folder)[0] for _ in range(options.repeats)]
        bare = [_run([sys.executable, "-c", "import jax"], folder)[0] for _ in range(options.repeats)]
        print(f"empty cache {cold:9.2f}")
        print(f"warm cache  {statistics.median(warm):9.2f}   least {min(warm):.2f}, {len(warm)} runs")
        print(f"import jax  {statistics.median(bare):9.2f}   least {min(bare):.2f}, for comparison")
        _, report = _run([sys.executable, "-X", "importtime", *command], folder)
        _print_imports(report)
    print(ratio("restore_process", statistics.median(warm), SECONDS, 1.0))


def _options() -> argparse.Namespace:
    options = parser(__doc__, repeats=5)
    options.add_argument("--model", help="a packaged model or a weights file [xray-x4]")
    options.add_argument("--image", type=pathlib.Path, help="a radiograph")
    options.add_argument("--tiny", action="store_true", help="one run, to see that it works")
    chosen = options.parse_args()
    if chosen.tiny:
        chosen.repeats = 1
    return chosen


def _command(options: argparse.Namespace, folder: pathlib.Path, model: str) -> list[str]:
    from medsr_jax.imaging import Image
    from medsr_jax.transmission import compress, write_packet

    pixels = tiled(radiograph(options.image), side=512)[None]
    packet = compress(Image(pixels=pixels, value_range=(0, 255), kind="png"), quality=60, preprocess=False)
    sent, out = folder / "sent.jpg", folder / "restored.png"
    write_packet(sent, packet)
    return ["-m", "medsr_jax", "restore", str(sent), "-o", str(out), "--model", model]


def _run(command: list[str], folder: pathlib.Path) -> tuple[float, str]:
    """Seconds, and what it wrote to standard error."""
    # The command's own cache, in another place.
    environment = {key: value for key, value in os.environ.items() if key != "JAX_COMPILATION_CACHE_DIR"}
    environment["XDG_CACHE_HOME"] = str(folder / "cache")
    begin = time.perf_counter()
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    if ended.returncode:
        sys.exit(f"{' '.join(command)} ended with {ended.returncode}: {ended.stderr.strip()}")
    return seconds, ended.stderr


def _print_imports(report: str) -> None:
    """The ten packages that take longest, from lines like ``import time: own | with what it imports | name``."""
    own: collections.Counter[str] = collections.Counter()
    modules: collections.Counter[str] = collections.Counter()
    for line in report.splitlines():
        fields = line.removeprefix("import time:").split("|")
        if line.startswith("import time:") and len(fields) == 3 and fields[0].strip().isdigit():
            package = fields[2].strip().split(".")[0]
            own[package] += int(fields[0])
            modules[package] += 1
    total = own.total() / 1e6
    print(f"imports {total:13.2f}   {modules.total()} modules, under -X importtime; the ten dearest packages:")
    for package, microseconds in own.most_common(10):
        print(f"  {package:18} {microseconds / 1e6:6.3f}   {modules[package]:4d} modules")


if __name__ == "__main__":
    main()
