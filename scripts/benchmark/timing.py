"""What the benchmark scripts share: fair timing of two programs on a noisy machine, and how it is printed.

Runs alternate (ours, peer, ours, peer), so that what disturbs one disturbs the other, and medians are compared. A peer
lives in a process of its own, in any Python, and runs once for each line that it is sent: see `peers/`.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

PEERS = pathlib.Path(__file__).parent / "peers"


def parser(description: str | None, *, repeats: int) -> argparse.ArgumentParser:
    """The options that all benchmarks have."""
    result = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--repeats", type=int, default=repeats, help=f"runs of each row [{repeats}]")
    return result


def add_peer_options(to: argparse.ArgumentParser) -> None:
    """The options of benchmarks that have a peer."""
    to.add_argument("--peer-python", default=sys.executable, help="a Python that has PyTorch [this one]")
    to.add_argument("--threads", type=int, default=cores(), help="cores for each of the two [all]")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_cores(count: int) -> None:
    """Keep this process and its children on ``count`` cores; to be called before JAX is imported."""
    if count < cores() and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


class Peer:
    """A program of `peers/` that has said what it is and waits to be timed.

    Attributes:
        about: what it said: ``library``, ``parameters``, and results to compare with ours.
        last: all that it said of its last run.
    """

    def __init__(self, process: subprocess.Popen[str], about: Mapping[str, Any]) -> None:
        self._process, self.about = process, about
        self.last: dict[str, Any] = {}

    def __call__(self) -> float:
        """Seconds of one run."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"the peer ended with {self._process.wait()} in the middle of a run (out of memory?)")
        self.last = json.loads(line)
        return float(self.last["seconds"])

    def close(self) -> None:
        """Let the process end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def start_peer(file: str, *arguments: str, python: str) -> Peer | None:
    """Start a program of `peers/` and wait until it is warm; None, with a line that says why, where it can't run."""
    with tempfile.TemporaryFile("w+") as errors:
        command = [python, str(PEERS / file), *arguments]
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
        except OSError as error:
            print(f"no PyTorch row: {python} can't be run ({error.strerror}); name another with --peer-python")
            return None
        assert process.stdout is not None
        line = process.stdout.readline()
        about = json.loads(line) if line else {}
        if "library" in about:
            return Peer(process, about)
        process.wait()
        errors.seek(0)
        last = (errors.read().strip().splitlines() or [f"it ended with {process.returncode}"])[-1]
    if "missing" in about:
        print(
            f"no PyTorch row: {python} has no {about['missing']}; 'pip install torch numpy --index-url"
            " https://download.pytorch.org/whl/cpu' there, or name a Python that has them with --peer-python"
        )
    else:
        print(f"no PyTorch row: {file} failed in {python}: {last}")
    return None


def alternate(runs: Mapping[str, Callable[[], float]], *, repeats: int) -> dict[str, list[float]]:
    """Seconds of each row's runs, a run of each in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            seconds[name].append(run())
    return seconds


def print_times(seconds: Mapping[str, list[float]], *, gflop: float | None = None) -> None:
    """A row for each entry: median, least, greatest, and GFLOP/s at the median."""
    width = max(len(name) for name in seconds)
    head = f"{'':{width}}   median    least greatest  runs"
    print(head + ("  GFLOP/s" if gflop else ""))
    for name, values in seconds.items():
        median = statistics.median(values)
        row = f"{name:{width}} {median:8.3f} {min(values):8.3f} {max(values):8.3f} {len(values):5d}"
        print(row + (f" {gflop / median:8.0f}" if gflop else ""))


def ratio(name: str, ours: float, peer: float, target: float) -> str:
    """The line that ends a benchmark: lower is better."""
    return f"ratio {name} {ours:.4g}/{peer:.4g}={ours / peer:.2f} target {target}"
