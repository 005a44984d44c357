"""What the network costs on a CPU in XLA, ONNX Runtime and OpenVINO, and what each does to the image.

    python scripts/benchmark_backends.py [--weights FILE] [--repeats 5] [--data FOLDER] [--limit 8] [--tiny]

Two networks at a 128x128 grey input: the RRDBNet of 23 blocks (random weights unless --weights names a file, such as
the imported x4plus, which is folded to grey), and the packaged model. Each runtime has a process of its own, and they
take turns, so that threads of one that wait by spinning don't run into another's turn; "start" is from opening the
weights to the first result, with what the runtime keeps on disk. "drift" is PSNR of a runtime's output to that of XLA
in float32, and the last table the packaged model's mean PSNR on real crops through the link, fitted to what was sent:
images of --data (val/chest below it), else pieces of pydicom-data's radiograph. Ends with `ratio NAME OURS/PEER target
T`.

8-bit integers are not offered: they would need a calibration tool (NNCF) whose dependencies are larger than all else.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
from samples import radiograph, tiled
from timing import alternate, parser, print_times, ratio

ROWS = {
    "XLA float32": ("xla", "float32"),
    "ONNX Runtime float32": ("onnxruntime", "float32"),
    "OpenVINO float32": ("openvino", "float32"),
    "OpenVINO bfloat16": ("openvino", "bfloat16"),
}
REFERENCE, FAST = "XLA float32", "OpenVINO bfloat16"
# Of the published network the target is this project's; of the packaged one, no slower than what is the default.
TARGETS = {"rrdbnet": 0.5, "packaged": 1.0}


def main() -> None:
    options = _options()
    if options.serve:
        _serve(*options.serve)
        return
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        x = tiled(radiograph(None), side=options.side).astype(np.float32)[None, ..., None] / 255
        np.save(folder / "x.npy", x)
        for title, weights in (("rrdbnet", _published(options, folder)), ("packaged", "xray-x4")):
            lines += _compare(options, title, weights, folder)
    _print_truth(options)
    print(*lines, sep="\n")


def _options() -> argparse.Namespace:
    options = parser(__doc__, repeats=5)
    options.add_argument("--weights", help="of the RRDBNet [random]")
    options.add_argument("--side", type=int, default=128, help="of the input, a multiple of 8 [128]")
    options.add_argument("--blocks", type=int, default=23, help="of random weights [23]")
    options.add_argument("--data", type=pathlib.Path, help="has val/chest [pydicom-data's radiograph]")
    options.add_argument("--limit", type=int, default=8, help="images of the last column [8]")
    options.add_argument("--tiny", action="store_true", help="2 blocks, 64x64, 2 images, to see that it works")
    options.add_argument("--serve", nargs=4, metavar=("BACKEND", "PRECISION", "WEIGHTS", "FOLDER"), help="one runtime")
    chosen = options.parse_args()
    if chosen.tiny:
        chosen.side, chosen.blocks, chosen.limit, chosen.repeats = 64, 2, 2, 2
    return chosen


def _published(options: argparse.Namespace, folder: pathlib.Path) -> str:
    if options.weights is not None:
        return str(options.weights)
    from rrdb_problem import random_params

    from medsr_jax import zoo
    from medsr_jax.models import RRDBNet

    fields = {"channels": 1, "features": 64, "blocks": options.blocks, "growth": 32, "scale": 4}
    path = folder / "random.safetensors"
    zoo.save(path, model="rrdbnet", fields=fields, params=random_params(RRDBNet(**fields)), card={"name": "random"})
    return str(path)


def _compare(options: argparse.Namespace, title: str, weights: str, folder: pathlib.Path) -> list[str]:
    print(f"\n{title}: {pathlib.Path(weights).name}, {options.side}x{options.side} input; seconds")
    served = {row: _Runtime(row, weights, folder) for row in ROWS}
    running = {row: runtime for row, runtime in served.items() if runtime.about.get("missing") is None}
    for row in served.keys() - running.keys():
        print(f"no row {row}: {served[row].about['missing']}")
    reference = np.load(folder / f"{REFERENCE}.npy")
    seconds = alternate(running, repeats=options.repeats)
    print_times(seconds)
    for row, runtime in running.items():
        error = float(np.square(np.load(folder / f"{row}.npy") - reference).mean())
        drift = "the reference" if row == REFERENCE else f"drift {-10 * np.log10(max(error, 1e-30)):.1f} dB"
        print(f"{row:24} start {runtime.about['start']:.2f} s, {drift}")
        runtime.close()
    medians = {row: statistics.median(values) for row, values in seconds.items()}
    best = min(medians, key=lambda row: medians[row])
    print(f"fastest: {best}, {medians[REFERENCE] / medians[best]:.2f} times as fast as {REFERENCE}")
    names = [row for row in medians if row != REFERENCE]
    target = {row: TARGETS[title] if row == FAST else 1.0 for row in names}
    return [
        ratio(f"{title}_{row.lower().replace(' ', '_')}", medians[row], medians[REFERENCE], target[row])
        for row in names
    ]


class _Runtime:
    """A process with one runtime that is warm, and runs once for each line that it is sent."""

    def __init__(self, row: str, weights: str, folder: pathlib.Path) -> None:
        command = [sys.executable, __file__, "--serve", *ROWS[row], weights, str(folder / f"{row}.npy")]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.about: dict[str, Any] = json.loads(line) if line else {"missing": "it ended without a word"}

    def __call__(self) -> float:
        """Seconds of one run."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """Let the process end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _serve(backend: str, precision: str, name: str, out: str) -> None:
    """One runtime, for `_Runtime`."""
    import jax
    import jax.numpy as jnp

    from medsr_jax import zoo
    from medsr_jax.errors import MedsrError
    from medsr_jax.models import build
    from medsr_jax.restoration.backends import open_backend
    from medsr_jax.restoration.compilation import keep_compiled_programs
    from medsr_jax.zoo.grey import for_grey

    keep_compiled_programs()
    x = np.load(pathlib.Path(out).parent / "x.npy")
    strength = np.full(len(x), 0.9, np.float32)
    begin = time.perf_counter()
    weights = for_grey(zoo.load(name))
    if backend == "xla":
        module = build(weights.model, weights.fields, dtype=getattr(jnp, precision))
        params = jax.device_put(weights.params)
        apply = jax.jit(lambda params, x, strength: module.apply({"params": params}, x, strength))

        def run() -> np.ndarray:
            return np.asarray(apply(params, x, strength))
    else:
        try:
            network = open_backend(backend, weights, dtype=getattr(jnp, precision))
        except MedsrError as error:
            print(json.dumps({"missing": str(error)}), flush=True)
            return

        def run() -> np.ndarray:
            return network(x, strength)

    result = run()
    start = time.perf_counter() - begin
    np.save(out, result)
    run()
    print(json.dumps({"start": start}), flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        run()
        print(time.perf_counter() - begin, flush=True)


def _print_truth(options: argparse.Namespace) -> None:
    """PSNR of the packaged model's results, through the receiver itself."""
    import jax.numpy as jnp

    from medsr_jax.errors import MedsrError
    from medsr_jax.evaluation.link import central_crop, measure
    from medsr_jax.imaging import Image, find_inputs, read_image
    from medsr_jax.restoration import Restorer

    if options.data is not None:
        files = [file for file, _ in find_inputs([options.data / "val" / "chest"])]
        chosen = np.linspace(0, len(files) - 1, min(options.limit, len(files))).round().astype(int)
        images = [central_crop(read_image(files[i]), side=512) for i in chosen]
    else:
        whole = radiograph(None)
        corners = [int(whole.shape[0] * place) for place in np.linspace(0.1, 0.6, options.limit)]
        crops = [tiled(whole[top:], side=512) for top in corners]
        images = [Image(pixels=crop[None], value_range=(0, 255), kind="png") for crop in crops]
    print(f"\nxray-x4, {len(images)} images of 512x512, scale 4, q 60: mean PSNR to the truth")
    for row, (backend, precision) in ROWS.items():
        try:
            restorer = Restorer("xray-x4", backend=backend, dtype=getattr(jnp, precision))
        except MedsrError as error:
            print(f"{row:24} {error}")
            continue
        values = [measure(image, restorer, scale=4, quality=60, preprocess=False).psnr for image in images]
        print(f"{row:24} {np.mean(values):.3f} dB")


if __name__ == "__main__":
    main()
