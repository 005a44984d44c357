"""How fast a training step is on a CPU: ours beside PyTorch's, and beside one with XLA's own convolution gradient.

    python scripts/benchmark_training_step.py [--peer-python PYTHON] [--repeats 7] [--threads N] [--skip-xla-gradient]

RRDB of 32 features, growth 16, 4 blocks, 1 channel; a batch of 16 inputs of 32x32, scale 4, float32; L1 loss, Adam.
Ours is the pmapped step of the trainer, which also keeps the averaged weights and the norms that are logged; PyTorch's
is forward, backward and Adam (channels last). Both start from the same weights, and the losses of the first three
steps are compared. Runs alternate and medians are compared. Ends with `ratio NAME OURS/PEER target T`.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from samples import radiograph, tiled
from timing import add_peer_options, alternate, parser, print_times, ratio, start_peer, use_cores

# As in peers/pytorch_rrdb.py.
LEARNING_RATE, BETAS = 1e-4, (0.9, 0.99)
SCALE = 4


def main() -> None:
    options = _options()
    use_cores(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        lines = _compare(options, pathlib.Path(folder))
    print(*lines, sep="\n")


def _options() -> argparse.Namespace:
    options = parser(__doc__, repeats=7)
    add_peer_options(options)
    options.add_argument("--features", type=int, default=32)
    options.add_argument("--growth", type=int, default=16)
    options.add_argument("--blocks", type=int, default=4)
    options.add_argument("--batch", type=int, default=16)
    options.add_argument("--side", type=int, default=32, help="of the inputs [32]")
    options.add_argument("--skip-xla-gradient", action="store_true", help="leave out the row that takes minutes")
    options.add_argument("--xla-repeats", type=int, default=1, help="runs of that row [1]")
    options.add_argument("--image", type=pathlib.Path, help="a radiograph that patches are cut from")
    return options.parse_args()


def _compare(options: argparse.Namespace, folder: pathlib.Path) -> list[str]:
    import jax
    from rrdb_problem import random_params, write_problem

    from medsr_jax.models import RRDBNet

    model = RRDBNet(channels=1, features=options.features, blocks=options.blocks, growth=options.growth)
    params = random_params(model)
    small, large = _pairs(options)
    write_problem(folder / "step.npz", model, params, x=small, target=large)

    ours = _Ours(model, params, small, large)
    losses = [ours.step() for _ in range(3)]
    name = f"jax {jax.__version__}, our gradient"
    runs: dict[str, Callable[[], float]] = {name: ours}
    problem = ["--problem", str(folder / "step.npz"), "--threads", str(options.threads)]
    peer = start_peer("pytorch_rrdb.py", "step", *problem, python=options.peer_python)
    print(
        f"RRDB of {options.features} features, growth {options.growth}, {options.blocks} blocks,"
        f" {sum(leaf.size for leaf in jax.tree.leaves(params))} parameters; batch {options.batch} of"
        f" {options.side}x{options.side}, {options.threads} threads; seconds a step"
    )
    print("losses of the first steps: ours", *(f"{loss:.6f}" for loss in losses))
    if peer is not None:
        runs[str(peer.about["library"])] = peer
        print("                        theirs", *(f"{loss:.6f}" for loss in peer.about["losses"]))
    seconds = alternate(runs, repeats=options.repeats)
    medians = [statistics.median(values) for values in seconds.values()]
    lines = [] if peer is None else [ratio("training_step", *medians, 1.0)]
    if peer is not None:
        peer.close()
    if not options.skip_xla_gradient:
        with _gradient_of_xla():
            theirs = _Ours(model, params, small, large)
        found = alternate({f"jax {jax.__version__}, XLA's gradient": theirs}, repeats=options.xla_repeats)
        lines.append(ratio("training_step_to_xla_gradient", medians[0], statistics.median(*found.values()), 1.0))
        seconds.update(found)
    print_times(seconds)
    return lines


def _pairs(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Patches of a radiograph and the same, downscaled: uint8 (N, H, W, 1) and (N, 4 H, 4 W, 1)."""
    from medsr_jax.transmission import downscale

    side = options.side * SCALE
    image = radiograph(options.image)
    image = tiled(image, side=max(side, min(image.shape)))
    starts = np.random.default_rng(0).integers(0, image.shape[0] - side + 1, (options.batch, 2))
    large = np.stack([image[y : y + side, x : x + side] for y, x in starts])
    small = np.stack([np.rint(downscale(patch, scale=SCALE)).astype(np.uint8) for patch in large])
    return small[..., None], large[..., None]


class _Ours:
    """The trainer's step, compiled for one device, on one batch."""

    def __init__(self, model: Any, params: Any, small: np.ndarray, large: np.ndarray) -> None:
        import jax
        import optax

        from medsr_jax.training import state
        from medsr_jax.training.losses import l1
        from medsr_jax.training.restoration_step import make_step

        devices = jax.local_devices()[:1]
        optimizer = optax.adam(LEARNING_RATE, b1=BETAS[0], b2=BETAS[1])
        self._state = state.replicate(state.create(params, optimizer), devices)
        batch = {"lr": small, "hr": large, "strength": np.zeros(len(small), np.float32)}
        self._batch = jax.device_put({name: value[None] for name, value in batch.items()})
        step: Any = make_step(model, optimizer, l1, ema_decay=0.999, devices=devices)
        self._step = step.lower(self._state, self._batch).compile()

    def step(self) -> float:
        """One update; its loss."""
        self._state, metrics = self._step(self._state, self._batch)
        return float(metrics["loss"][0])

    def __call__(self) -> float:
        """Seconds of one update, until its loss is known and its weights are there."""
        import jax

        begin = time.perf_counter()
        self.step()
        jax.block_until_ready(self._state)
        return time.perf_counter() - begin


@contextmanager
def _gradient_of_xla() -> Iterator[None]:
    """While this lasts, models are traced with a plain convolution, whose gradient XLA makes itself."""
    import jax

    from medsr_jax.models import convolution, rrdb

    def plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    kept = convolution.convolve
    jax.clear_caches()
    for module in (convolution, rrdb):
        module.convolve = plain  # type: ignore[assignment]
    try:
        yield
    finally:
        for module in (convolution, rrdb):
            module.convolve = kept


if __name__ == "__main__":
    main()
