"""The training runs behind Table 1 and Figures 3 and 4: every method of the paper's table at one budget.

Each is the ``:equal`` version of a config, started as a user would start it, from the weights of another where it has a
first stage. ESRGAN, Real-ESRGAN and the paper's method take 6400 samples of 128x128 with L1 alone and 1200 with a
discriminator; methods without one take all 7600 so. All but SRCNN train the packaged model's network, so that rows
differ in what the methods are: their degradation, their losses, and whether the network is told how its input was
coded.

    python scripts/reproduce/equal_budget.py --data FOLDER [--tiny]

trains what is not trained yet; a killed run goes on.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import dataclasses
import pathlib
import subprocess
import sys
from collections.abc import Mapping, Sequence

from medsr_jax.evaluation.studies.sample_set import data_set

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIGHTS = "last.safetensors"  # of the budget's end: the best on validation would be a choice made on what is measured
LOG = "metrics.jsonl"


@dataclasses.dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
        config: a file of configs/ and its version.
        start: the run whose weights this one begins with.
    """

    config: str
    start: str | None = None


RUNS: Mapping[str, Run] = {
    "xray-x4-equal": Run("xray_x4:equal"),
    "srcnn": Run("srcnn:equal"),
    "esrgan-first": Run("realesrnet_xray:equal_bicubic"),
    "esrgan": Run("esrgan_xray:equal", start="esrgan-first"),
    "realesrgan-first": Run("realesrnet_xray:equal"),
    "realesrgan": Run("realesrgan_xray:equal", start="realesrgan-first"),
    "paper-first": Run("realesrnet_xray:equal_medical"),
    "paper": Run("paper:equal", start="paper-first"),
}
# A step of each, to see that all of it works.
TINY = ("steps=2", "log_every=1", "validate_every=2", "checkpoint_every=2", "validation.count=2")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of every script that stands on these runs."""
    parser.add_argument("--data", type=pathlib.Path, help="of a data set [$MEDSR_DATA, else data]")
    parser.add_argument("--runs", type=pathlib.Path, help="folder of the runs [out/table1]")
    parser.add_argument("--tiny", action="store_true", help="minutes long, to see that all of it works")


def runs_folder(options: argparse.Namespace) -> pathlib.Path:
    """Where the runs are."""
    return options.runs or ROOT / "out" / ("table1-tiny" if options.tiny else "table1")


def train(names: Sequence[str], options: argparse.Namespace) -> None:
    """Those of the runs that have not reached their end, in order, each in a process of its own."""
    folder = runs_folder(options)
    for name in names:
        if (folder / name / WEIGHTS).is_file():
            print(f"{name}: is trained", flush=True)
            continue
        command = _command(name, folder, options)
        print(f"{name}: {' '.join(command[1:])}", flush=True)
        if subprocess.run(command, cwd=ROOT).returncode:
            sys.exit(f"{name}: the run above failed; the same command goes on from its last checkpoint")


def _command(name: str, folder: pathlib.Path, options: argparse.Namespace) -> list[str]:
    run = RUNS[name]
    data = options.data.resolve()
    fields = [f"data.folders=(('{data / 'train' / 'chest'}', 1.0),)", f"validation.folder={data / 'val' / 'chest'}"]
    fields += [f"start_from={folder / run.start / WEIGHTS}"] if run.start is not None else []
    fields += [f"card.name={name}"]
    fields += TINY if options.tiny else ()
    file, variant = run.config.split(":")
    return [
        sys.executable,
        "-m",
        "medsr_jax.training",
        f"--config=configs/{file}.py:{variant}",
        f"--workdir={folder / name}",
        *(f"--config.{field}" for field in fields),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--only", nargs="+", choices=list(RUNS), default=list(RUNS), metavar="RUN")
    options = parser.parse_args()
    options.data = data_set(options.data, tiny=options.tiny)
    train(options.only, options)


if __name__ == "__main__":
    main()
