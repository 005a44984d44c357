"""What the network costs on a CPU in XLA, ONNX Runtime and OpenVINO, and what each does to the image.

    python scripts/benchmark/backends.py [--weights FILE] [--repeats 5] [--data FOLDER] [--limit 8] [--tiny]

Two networks at a 128x128 grey input: the RRDBNet of 23 blocks (random weights unless --weights names a file, such as
the imported x4plus, which is folded to grey), and the packaged model. Each runtime has a process of its own, and they
take turns, so that threads of one that wait by spinning don't run into another's turn; "start" is from opening the
weights to the first result, with what the runtime keeps on disk. "drift" is PSNR of a runtime's output to that of XLA
in float32, and the last table the packaged model's mean PSNR on real crops through the link, fitted to what was sent:
images of --data (val/chest below it), else pieces of pydicom-data's radiograph. Ends with `ratio NAME OURS/PEER target
T`.

8-bit integers (int8) are here and not in `medsr restore`. ONNX Runtime's own tools make them, from --calibration images
of train/chest, else from pieces at the radiograph's sides, which the last table doesn't use; that is done once and is
no part of "start". They are as good as bfloat16 on images like those, and tied to them: ranges found on the one
radiograph lose some tenths of a decibel on chest images of other machines.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import contextlib
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from timing import alternate, parser, print_times, ratio

from medsr_jax.evaluation.studies.samples import radiograph, tiled

ROWS = {
    "XLA float32": ("xla", "float32"),
    "ONNX Runtime float32": ("onnxruntime", "float32"),
    "OpenVINO float32": ("openvino", "float32"),
    "OpenVINO bfloat16": ("openvino", "bfloat16"),
    "ONNX Runtime int8": ("onnxruntime", "int8"),
    "OpenVINO int8": ("openvino", "int8"),
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
        for title, weights in (("rrdbnet", _published(options, folder)), ("packaged", "xray-x4")):
            (folder / title).mkdir()
            np.save(folder / title / "x.npy", x)
            _quantise(options, title, weights, folder / title)
            lines += _compare(options, title, weights, folder / title)
        _print_truth(options, folder / "packaged")
    print(*lines, sep="\n")


def _options() -> argparse.Namespace:
    options = parser(__doc__, repeats=5)
    options.add_argument("--weights", help="of the RRDBNet [random]")
    options.add_argument("--side", type=int, default=128, help="of the input, a multiple of 8 [128]")
    options.add_argument("--blocks", type=int, default=23, help="of random weights [23]")
    options.add_argument("--data", type=pathlib.Path, help="has val/chest and train/chest [pydicom-data's radiograph]")
    options.add_argument("--limit", type=int, default=8, help="images of the last table [8]")
    options.add_argument("--calibration", type=int, default=16, help="images that int8 is calibrated on [16]")
    options.add_argument("--tiny", action="store_true", help="2 blocks, 64x64, 2 images, to see that it works")
    options.add_argument("--serve", nargs=4, metavar=("BACKEND", "PRECISION", "WEIGHTS", "FOLDER"), help="one runtime")
    chosen = options.parse_args()
    if chosen.tiny:
        chosen.side, chosen.blocks, chosen.limit, chosen.calibration, chosen.repeats = 64, 2, 2, 2, 2
    return chosen


def _published(options: argparse.Namespace, folder: pathlib.Path) -> str:
    if options.weights is not None:
        return str(options.weights)
    from rrdb_problem import random_params

    from medsr_jax.models import RRDBNet
    from medsr_jax.weights import model_file

    fields = {"channels": 1, "features": 64, "blocks": options.blocks, "growth": 32, "scale": 4}
    path = folder / "random.safetensors"
    model_file.save(
        path, model="rrdbnet", fields=fields, params=random_params(RRDBNet(**fields)), card={"name": "random"}
    )
    return str(path)


def _quantise(options: argparse.Namespace, title: str, weights: str, folder: pathlib.Path) -> None:
    """Write the graphs of the int8 rows; without the tool they are missing, and their rows say so."""
    try:
        from quantised import received, write_quantised
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("onnx", "onnxruntime"):
            raise
        return
    from medsr_jax.weights import model_file
    from medsr_jax.weights.grey import for_grey

    images = _images(options.data, part="train", count=options.calibration)
    # All activations of the large network for one image must fit into memory, and would take minutes to rank.
    inputs = received(images, side=options.side) if title == "packaged" else received(images[:4], side=64)
    begin = time.perf_counter()
    write_quantised(for_grey(model_file.load(weights)), inputs, folder)
    shape = "x".join(map(str, inputs[0]["image"].shape[2:]))
    print(f"\n{title}: int8 calibrated on {len(inputs)} images of {shape} in {time.perf_counter() - begin:.0f} s")


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

    from medsr_jax.errors import MedsrError
    from medsr_jax.models import build
    from medsr_jax.restoration.backends import open_backend
    from medsr_jax.restoration.compilation import keep_compiled_programs
    from medsr_jax.weights import model_file
    from medsr_jax.weights.grey import for_grey

    keep_compiled_programs()
    x = np.load(pathlib.Path(out).parent / "x.npy")
    strength = np.full(len(x), 0.9, np.float32)
    begin = time.perf_counter()
    weights = for_grey(model_file.load(name))
    if backend == "xla":
        module = build(weights.model, weights.fields, dtype=getattr(jnp, precision))
        params = jax.device_put(weights.params)
        apply = jax.jit(lambda params, x, strength: module.apply({"params": params}, x, strength))

        def run() -> np.ndarray:
            return np.asarray(apply(params, x, strength))
    else:
        try:
            with _graph_of(backend, precision, pathlib.Path(out).parent) as dtype:
                network = open_backend(backend, weights, dtype=dtype)
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


@contextlib.contextmanager
def _graph_of(backend: str, precision: str, folder: pathlib.Path) -> Iterator[Any]:
    """The type to open ``backend`` with; for int8 it opens, meanwhile, what `_quantise` wrote into ``folder``.

    Raises:
        MedsrError: nothing was written.
    """
    import jax.numpy as jnp

    from medsr_jax.errors import MedsrError

    if precision != "int8":
        yield getattr(jnp, precision)
        return
    graph = folder / f"{backend}.onnx"
    if not graph.is_file():
        raise MedsrError("int8 is made with the packages onnx and onnxruntime", remedy="pip install 'medsr-jax[onnx]'")
    from quantised import opened_instead

    with opened_instead(graph):
        yield jnp.float32


def _images(data: pathlib.Path | None, *, part: str, count: int) -> list[Any]:
    """Images of 512x512: of ``part``/chest below ``data``, else pieces of the radiograph, of its sides for "train"."""
    from medsr_jax.evaluation.link import central_crop
    from medsr_jax.files import find_inputs
    from medsr_jax.imaging import Image, read_image

    if data is not None:
        files = [file for file, _ in find_inputs([data / part / "chest"])]
        chosen = np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int)
        return [central_crop(read_image(files[i]), side=512) for i in chosen]
    whole = radiograph(None)
    columns = [slice(512), slice(-512, None)] if part == "train" else [slice(None)]
    tops = [int(whole.shape[0] * place) for place in np.linspace(0.1, 0.6, count)]
    crops = [tiled(whole[top:, columns[i % len(columns)]], side=512) for i, top in enumerate(tops)]
    return [Image(pixels=crop[None], value_range=(0, 255), kind="png") for crop in crops]


def _print_truth(options: argparse.Namespace, folder: pathlib.Path) -> None:
    """PSNR of the packaged model's results, through the receiver itself."""
    from medsr_jax.errors import MedsrError
    from medsr_jax.evaluation.link import measure
    from medsr_jax.restoration import Restorer

    images = _images(options.data, part="val", count=options.limit)
    print(f"\nxray-x4, {len(images)} images of 512x512, scale 4, q 60: mean PSNR to the truth, and the greatest loss")
    exact = np.zeros(len(images))
    for row, (backend, precision) in ROWS.items():
        try:
            with _graph_of(backend, precision, folder) as dtype:
                restorer = Restorer("xray-x4", backend=backend, dtype=dtype)
        except MedsrError as error:
            print(f"{row:24} {error}")
            continue
        values = np.array([measure(image, restorer, scale=4, quality=60, preprocess=False).psnr for image in images])
        exact = values if row == REFERENCE else exact
        print(f"{row:24} {values.mean():.3f} dB  {max(0.0, (exact - values).max()):.3f} dB")


if __name__ == "__main__":
    main()
