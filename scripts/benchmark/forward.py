"""How fast images go through the networks: the published 23-block generator beside PyTorch, and the packaged model.

    python scripts/benchmark/forward.py [--peer-python PYTHON] [--repeats 5] [--threads N] [--model NAME|PATH]

1. RRDBNet of 64 features and 23 blocks, float32, one 128x128 image of 3 channels: `jax.jit` of the Flax module
   beside PyTorch (channels last, inference mode) with the same weights. The results are compared first.
2. `Restorer` on the packet of a 512x512 image, warm: decoding, network, refinement and the check of what was sent.

Runs alternate and medians are compared. Ends with `ratio NAME OURS/PEER target T`.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np
from timing import add_peer_options, alternate, parser, print_times, ratio, start_peer, use_cores

from medsr_jax.evaluation.studies.samples import model_file, radiograph, tiled

FEATURES, GROWTH = 64, 32
RESTORE_SECONDS = 1.5


def main() -> None:
    options = _options()
    use_cores(options.threads)
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        lines += _forward(options, pathlib.Path(folder))
        lines += _restore(options, pathlib.Path(folder))
    print(*lines, sep="\n")


def _options() -> argparse.Namespace:
    options = parser(__doc__, repeats=5)
    add_peer_options(options)
    options.add_argument("--blocks", type=int, default=23)
    options.add_argument("--side", type=int, default=128, help="of the input [128]")
    options.add_argument("--model", help="of the second part: a packaged model or a weights file [xray-x4]")
    options.add_argument("--image", type=pathlib.Path, help="a radiograph for it")
    options.add_argument("--tiny", action="store_true", help="one block, 32x32, to see that it works")
    chosen = options.parse_args()
    if chosen.tiny:
        chosen.blocks, chosen.side, chosen.repeats = 1, 32, 1
    return chosen


def _forward(options: argparse.Namespace, folder: pathlib.Path) -> list[str]:
    import jax
    from rrdb_problem import random_params, write_problem

    from medsr_jax.models import RRDBNet

    model = RRDBNet(features=FEATURES, blocks=options.blocks, growth=GROWTH)
    host_params = random_params(model)
    params = jax.device_put(host_params)
    image = tiled(radiograph(options.image), side=options.side)
    x = np.repeat(image[None, ..., None], 3, axis=-1).astype(np.float32) / 255
    apply = jax.jit(lambda params, x: model.apply({"params": params}, x))
    compiled = apply.lower(params, x).compile()
    on_device = jax.device_put(x)
    result = np.asarray(compiled(params, on_device))

    name = f"jax {jax.__version__}"
    runs: dict[str, Callable[[], float]] = {name: lambda: _timed(compiled, params, on_device)}
    write_problem(folder / "forward.npz", model, host_params, x=x)
    problem = ["--problem", str(folder / "forward.npz"), "--threads", str(options.threads)]
    peer = start_peer("pytorch_rrdb.py", *problem, python=options.peer_python)
    print(
        f"RRDBNet, {options.blocks} blocks, {sum(leaf.size for leaf in jax.tree.leaves(params))} parameters, float32,"
        f" {options.side}x{options.side} input, {options.threads} threads; seconds"
    )
    if peer is not None:
        runs[str(peer.about["library"])] = peer
        first = np.abs(result[0, 0, :4].ravel() - peer.about["first"]).max()
        mean = abs(float(result.mean()) - peer.about["mean"])
        print(f"results agree within {max(first, mean):.1e} of values of up to {np.abs(result).max():.2g}")
    seconds = alternate(runs, repeats=options.repeats)
    print_times(seconds, gflop=2e-9 * _multiplications(options.blocks) * options.side**2)
    if peer is None:
        return []
    peer.close()
    ours, theirs = (statistics.median(values) for values in seconds.values())
    return [ratio(f"forward_{options.blocks}_blocks", ours, theirs, 1.0)]


def _timed(compiled: Callable[..., object], *arguments: object) -> float:
    import jax

    begin = time.perf_counter()
    jax.block_until_ready(compiled(*arguments))
    return time.perf_counter() - begin


def _multiplications(blocks: int) -> int:
    """Multiply-adds for each pixel of the input."""
    widths = [GROWTH] * 4 + [FEATURES]
    dense = sum(9 * (FEATURES + i * GROWTH) * width for i, width in enumerate(widths))
    square = 9 * FEATURES**2
    low = 9 * 3 * FEATURES + 3 * blocks * dense + square
    return low + 4 * square + 16 * (2 * square + 9 * FEATURES * 3)


def _restore(options: argparse.Namespace, folder: pathlib.Path) -> list[str]:
    from medsr_jax.imaging import Image
    from medsr_jax.restoration import Restorer
    from medsr_jax.transmission import compress

    model, title = model_file(options.model, folder)
    pixels = tiled(radiograph(options.image), side=512)[None]
    packet = compress(Image(pixels=pixels, value_range=(0, 255), kind="png"), quality=60, preprocess=False)
    restorer = Restorer(model)
    print(f"\nrestoring 512x512 from a 128x128 packet: {title}, {restorer.weights.parameters} parameters; seconds")
    restorer(packet)  # compiles

    def run() -> float:
        begin = time.perf_counter()
        restorer(packet)
        return time.perf_counter() - begin

    seconds = alternate({"Restorer": run}, repeats=options.repeats)
    print_times(seconds)
    return [ratio("restore_512", statistics.median(seconds["Restorer"]), RESTORE_SECONDS, 1.0)]


if __name__ == "__main__":
    main()
