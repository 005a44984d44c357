"""How many pairs a second the high-order degradation makes on a CPU: ours beside the same pipeline in PyTorch.

    python scripts/benchmark/degradation.py [--peer-python PYTHON] [--repeats 30] [--threads N] [--channels 1 3]

Batches of 16 targets of 256x256 at scale 4. PyTorch's side draws its branches once a batch, as Real-ESRGAN's training
does, so its batches differ in work: means over many are compared, the two taking turns, each in a process of its own.
Its kernels are made outside of the timing, ours inside. With the sharpened target (as Real-ESRGAN trains) and without.

Then the time of each step of ours, compiled alone on what the pipeline gives it, and its share, beside PyTorch's mean
for the same step. Ends with `ratio NAME OURS/PEER target T`.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import dataclasses
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from timing import Peer, add_peer_options, alternate, parser, print_times, ratio, start_peer, use_cores

from medsr_jax.evaluation.studies.samples import radiograph

SIDE, TARGET = 256, 0.33


def main() -> None:
    options = _options()
    use_cores(options.threads)
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for channels in options.channels:
            hr = _targets(options, channels)
            problem = pathlib.Path(folder) / f"{channels}.npz"
            np.savez(problem, hr=hr)
            for sharpen in (True, False):
                lines += _compare(options, hr, problem, sharpen=sharpen)
    print(*lines, sep="\n")


def _options() -> argparse.Namespace:
    options = parser(__doc__, repeats=30)
    add_peer_options(options)
    options.add_argument("--channels", type=int, nargs="+", default=[1, 3], choices=(1, 3))
    options.add_argument("--batch", type=int, default=16)
    options.add_argument("--image", type=pathlib.Path, help="a radiograph that targets are cut from")
    options.add_argument("--tiny", action="store_true", help="one channel, a batch of 2, to see that it works")
    chosen = options.parse_args()
    if chosen.tiny:
        chosen.channels, chosen.batch, chosen.repeats = [1], 2, 2
    return chosen


def _targets(options: argparse.Namespace, channels: int) -> np.ndarray:
    """(N, 256, 256, C) uint8 crops."""
    image = radiograph(options.image)
    if min(image.shape) < SIDE:
        sys.exit(f"the image is {image.shape[0]}x{image.shape[1]}; name one of {SIDE}x{SIDE} or more with --image")
    random = np.random.default_rng(0)
    corners = [[random.integers(extent - SIDE + 1) for extent in image.shape] for _ in range(options.batch)]
    crops = np.stack([image[top : top + SIDE, left : left + SIDE] for top, left in corners])
    return np.repeat(crops[..., None], channels, axis=3)


def _compare(options: argparse.Namespace, hr: np.ndarray, problem: pathlib.Path, *, sharpen: bool) -> list[str]:
    import jax

    from medsr_jax.degradation import preset

    channels = hr.shape[3]
    degradation = preset("high_order")
    if not sharpen:
        degradation = dataclasses.replace(degradation, sharpen=None)
    ours = _Ours(hr, degradation)
    name = f"jax {jax.__version__}"
    runs: dict[str, Callable[[], float]] = {name: ours}
    arguments = ["--problem", str(problem), "--threads", str(options.threads), *(["--sharpen"] if sharpen else [])]
    peer = start_peer("pytorch_degradation.py", *arguments, python=options.peer_python)
    title = f"{channels} channel{'s' if channels > 1 else ''}, {'sharpened' if sharpen else 'plain'} target"
    print(
        f"\n{title}: batches of {len(hr)} of {SIDE}x{SIDE}, {options.threads} threads; compiled in"
        f" {ours.compile_seconds:.0f} s; root mean square of input - area-shrunk target: ours {ours.error():.4f}"
        + (f", PyTorch's {peer.about['error']:.4f}" if peer else "")
    )
    steps: list[dict[str, float]] = []
    if peer is not None:
        runs[str(peer.about["library"])] = lambda: _run_peer(peer, steps)
    seconds = alternate(runs, repeats=options.repeats)
    print_times(seconds)
    means = [statistics.mean(values) for values in seconds.values()]
    for row, mean in zip(seconds, means, strict=True):
        print(f"{row}: mean {mean:.3f} s, {len(hr) / mean:.1f} images/s")
    compilations = ours.compilations()
    print(f"{name}: {compilations} compilation for {options.repeats + 1} batches")
    if compilations != 1:
        sys.exit("a new batch was compiled anew")
    theirs = {step: sum(batch.get(step, 0.0) for batch in steps) / len(steps) for step in _names(steps)}
    _print_steps(hr, degradation, theirs)
    if peer is None:
        return []
    peer.close()
    kind = "sharpened" if sharpen else "plain"
    return [ratio(f"high_order_{channels}_channel_{kind}", means[0], means[1], TARGET)]


class _Ours:
    """Batches by `apply`, a new key for each."""

    def __init__(self, hr: np.ndarray, degradation: Any) -> None:
        import jax

        from medsr_jax.degradation import apply

        self._jax = jax
        self._hr = jax.device_put(hr.astype(np.float32) / 255)
        # A function of its own, for all jitted forms of one function share a cache.
        self._apply = jax.jit(lambda key, hr: apply(key, hr, degradation))
        self._keys = iter(jax.random.split(jax.random.key(0), 10_000))
        self.compile_seconds = self()

    def __call__(self) -> float:
        key = self._jax.block_until_ready(next(self._keys))
        begin = time.perf_counter()
        self._jax.block_until_ready(self._apply(key, self._hr))
        return time.perf_counter() - begin

    def error(self) -> float:
        """Mean over 8 batches, as the peer says of itself."""
        n, side, _, channels = self._hr.shape
        small = self._hr.reshape(n, side // 4, 4, side // 4, 4, channels).mean(axis=(2, 4))
        pairs = [self._apply(next(self._keys), self._hr) for _ in range(8)]
        return float(np.mean([np.sqrt(np.square(pair.lr - small).mean()) for pair in pairs]))

    def compilations(self) -> int:
        return self._apply._cache_size()  # noqa: SLF001  # JAX has no public count


def _run_peer(peer: Peer, steps: list[dict[str, float]]) -> float:
    seconds = peer()
    steps.append(peer.last.get("ops", {}))
    return seconds


def _names(steps: list[dict[str, float]]) -> list[str]:
    return list(dict.fromkeys(name for batch in steps for name in batch))


def _print_steps(hr: np.ndarray, degradation: Any, theirs: dict[str, float], *, repeats: int = 9) -> None:
    """The steps one by one, each on the result of those before it."""
    import jax

    from medsr_jax.degradation.composition import first_images, run_step, sharpened
    from medsr_jax.degradation.randomness import sample_keys
    from medsr_jax.degradation.steps import Images

    keys = sample_keys(jax.random.key(0), len(hr))
    image = jax.device_put(hr.astype(np.float32) / 255)
    measured: dict[str, tuple[float, tuple[int, ...]]] = {}

    def time_of(function: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
        jitted = jax.jit(function)
        result = jax.block_until_ready(jitted(*arguments))
        seconds = []
        for _ in range(repeats):
            begin = time.perf_counter()
            jax.block_until_ready(jitted(*arguments))
            seconds.append(time.perf_counter() - begin)
        return statistics.median(seconds), result

    if degradation.sharpen is not None:
        seconds, image = time_of(lambda x: sharpened(x, degradation.sharpen), image)
        measured["sharpen"] = seconds, image.shape
    images = first_images(image, degradation)
    for name in degradation.steps:
        # What is static of the images stays out of the jitted function's arguments.
        def step(*arrays: Any, name: str = name, output: tuple[int, int] = images.output) -> Any:
            return run_step(name, degradation.steps[name], Images(*arrays, output), keys)[:3]

        seconds, arrays = time_of(step, *images[:3])
        images = Images(*arrays, images.output)
        measured[name] = seconds, images.image.shape
    total = sum(seconds for seconds, _ in measured.values())
    print(f"{'step':10}   ms of ours  share  on a canvas of   ms of PyTorch's (at the size drawn)")
    for name, (seconds, shape) in measured.items():
        canvas = f"{shape[1]}x{shape[2]}x{shape[3]}"
        peer = f"{1e3 * theirs[name]:14.1f}" if name in theirs else ""
        print(f"{name:10} {1e3 * seconds:12.1f} {seconds / total:6.0%}  {canvas:>14} {peer}")


if __name__ == "__main__":
    main()
