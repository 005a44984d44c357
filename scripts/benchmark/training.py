"""How fast both stages of training are: ours beside PyTorch's on the same device, and what the data costs.

    python scripts/benchmark/training.py [--peer-python PYTHON] [--only l1 gan parts data] [--tiny] [--threads N]
        [--bfloat16]

l1: a step of the first stage. RRDB of 32 features, growth 16, 4 blocks, 1 channel; 16 inputs of 32x32, scale 4.
gan: a step of the second. The same generator, VGG16's features before the ReLU (random weights), a vanilla GAN with a
spectrally normalised U-Net of 32 features; 4 inputs of 32x32.
parts: the parts of that step by themselves, to see where its time goes.
data: pairs and crops a second that the loaders make, and the share of a run of the first stage that waits for them.

Ours is the pmapped step of the trainer, with the averaged weights and the norms that it logs. PyTorch's does the same
work in the same order, in the faster of its two memory layouts. Both start from the same weights on the same pairs,
and the losses of the first three steps are compared. Rows take turns, each side in a process of its own; medians are
compared. Where JAX finds a GPU both run there, by default in its TF32, and losses are compared less narrowly; the
published sizes are --features 64 --growth 32 --blocks 23 --critic-features 64 --batch 48 --gan-batch 48 --side 64.
The rows with degradation make their inputs on the device, by the high-order one. Ends with `ratio NAME
OURS/PEER target T`.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import os
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from timing import Peer, add_peer_options, alternate, parser, print_times, ratio, start_peer, use_cores

BUSY = 0.5  # processes that run or wait already
SAME = 1e-4  # losses that differ by a smaller part are of the same step
ROUGHLY = 3e-2  # the same where products are rounded to TF32 or bfloat16
STEPS = {"l1": "first stage", "gan": "second stage"}


def main() -> None:
    options = _options()
    use_cores(options.threads)
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # a GPU is shared with the peer
    if (load := os.getloadavg()[0]) > BUSY:
        # PyTorch's threads wait for each other, and lose most where others take turns on their cores.
        print(f"The machine is busy (load {load:.1f}): the ratios below flatter us.")
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for what in (what for what in STEPS if what in options.only):
            lines += _compare(options, what, folder)
        if "parts" in options.only:
            _print_parts(options, folder)
        if "data" in options.only:
            from training_data import measure

            lines += measure(options, folder)
    print(*lines, sep="\n")


def _options() -> argparse.Namespace:
    options = parser(__doc__, repeats=7)
    add_peer_options(options)
    options.add_argument("--only", nargs="+", choices=(*STEPS, "parts", "data"), default=[*STEPS, "data"])
    options.add_argument("--tiny", action="store_true", help="small networks and batches, to see that it works")
    options.add_argument("--features", type=int, default=32)
    options.add_argument("--growth", type=int, default=16)
    options.add_argument("--blocks", type=int, default=4)
    options.add_argument("--critic-features", type=int, default=32, help="of the discriminator [32; published: 64]")
    options.add_argument("--batch", type=int, default=16, help="of the first stage [16]")
    options.add_argument("--gan-batch", type=int, default=4, help="of the second stage [4]")
    options.add_argument("--side", type=int, default=32, help="of the inputs, a multiple of 8 [32]")
    options.add_argument("--steps", type=int, default=20, help="of the run that waits for data [20]")
    options.add_argument("--bfloat16", action="store_true", help="compute in it, with float32 parameters")
    options.add_argument("--skip-degradation", action="store_true", help="leave out the rows that compile long")
    options.add_argument("--image", type=pathlib.Path, help="a radiograph that patches are cut from")
    chosen = options.parse_args()
    if chosen.tiny:
        chosen.steps, chosen.repeats, chosen.skip_degradation = 2, 1, True
        chosen.features, chosen.growth, chosen.blocks, chosen.critic_features = 16, 8, 1, 8
        chosen.batch, chosen.gan_batch, chosen.side = 4, 2, 16
    return chosen


def _compare(options: argparse.Namespace, what: str, folder: pathlib.Path) -> list[str]:
    import jax
    from training_problem import Running, make_problem

    problem = make_problem(options, gan=what == "gan")
    problem.write(folder / f"{what}.npz")
    ours = Running(problem)
    begin = time.perf_counter()
    losses = [ours.losses() for _ in range(3)]
    compiled = time.perf_counter() - begin
    name = f"jax {jax.__version__}"
    runs: dict[str, Callable[[], float]] = {name: ours}
    peer = _peer(options, what, folder)
    where = f"{options.threads} threads" if jax.default_backend() == "cpu" else jax.devices()[0].device_kind
    where += ", bfloat16" if options.bfloat16 else ""
    print(
        f"\n{STEPS[what]}: {problem.describe()}; {where}; three steps and their"
        f" compilation took {compiled:.0f} s; seconds a step"
    )
    print("losses of the first steps: ours  ", *(_shown(values) for values in losses))
    if peer is not None:
        runs[str(peer.about["library"])] = peer
        print("                           theirs", *(_shown(values) for values in peer.about["losses"]))
        difference = np.abs(np.divide(losses, peer.about["losses"]) - 1).max()
        exact = jax.default_backend() == "cpu" and not options.bfloat16
        same = difference < (SAME if exact else ROUGHLY)
        print(f"they differ by up to {difference:.1e} of themselves:", "the same step" if same else "NOT THE SAME STEP")
        print("PyTorch's layouts, seconds:", *(f"{key} {value:.3f}" for key, value in peer.about["layouts"].items()))
    degraded = f"{name}, with degradation"
    if not options.skip_degradation:
        other = Running(make_problem(options, gan=what == "gan", degraded=True))
        print(f"with degradation, the first step and its compilation took {other():.0f} s")
        runs[degraded] = other
    seconds = alternate(runs, repeats=options.repeats)
    print_times(seconds)
    medians = {row: statistics.median(values) for row, values in seconds.items()}
    if degraded in medians:
        extra = medians[degraded] - medians[name]
        print(f"degradation: {extra:.3f} s a step more, {extra / medians[degraded]:.0%} of it")
    if peer is None:
        return []
    peer.close()
    return [ratio(f"training_step_{what}", medians[name], medians[str(peer.about["library"])], 1.0)]


def _peer(options: argparse.Namespace, what: str, folder: pathlib.Path) -> Peer | None:
    import jax

    file = folder / f"{'l1' if what == 'l1' else 'gan'}.npz"
    arguments = [what, "--problem", str(file), "--threads", str(options.threads)]
    arguments += ["--device", "cpu" if jax.default_backend() == "cpu" else "cuda"]
    arguments += ["--bfloat16"] * options.bfloat16
    return start_peer("pytorch_training.py", *arguments, python=options.peer_python)


def _shown(losses: list[float]) -> str:
    return " + ".join(f"{loss:.6f}" for loss in losses)


def _print_parts(options: argparse.Namespace, folder: pathlib.Path) -> None:
    from training_problem import make_problem

    problem = make_problem(options, gan=True)
    problem.write(folder / "gan.npz")
    ours = {name: _jitted(part) for name, part in problem.parts().items()}
    peer = _peer(options, "parts", folder)
    seconds: dict[str, list[float]] = {name: [] for name in ours}
    theirs: dict[str, list[float]] = {name: [] for name in ours}
    for _ in range(options.repeats):
        for name, run in ours.items():
            seconds[name].append(run())
        if peer is not None:
            peer()
            for name, value in peer.last["parts"].items():
                theirs[name].append(value)
    print(f"\n{'part of the second stage':50}  seconds  PyTorch's")
    for name, values in seconds.items():
        peers = f"{statistics.median(theirs[name]):10.3f}" if theirs[name] else ""
        print(f"{name:50} {statistics.median(values):8.3f} {peers}")
    if peer is not None:
        peer.close()


def _jitted(part: tuple[Callable[..., Any], tuple[Any, ...]]) -> Callable[[], float]:
    import jax

    function, arguments = part
    compiled = jax.jit(function).lower(*arguments).compile()
    on_device = jax.device_put(arguments)
    jax.block_until_ready(compiled(*on_device))

    def run() -> float:
        begin = time.perf_counter()
        jax.block_until_ready(compiled(*on_device))
        return time.perf_counter() - begin

    return run


if __name__ == "__main__":
    main()
