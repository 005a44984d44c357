"""All evidence anew, one script after another: overnight on two cores, and with --tiny in minutes.

    python scripts/reproduce/all.py --data FOLDER [--tiny]

FOLDER holds train/chest, val/chest and test/chest. Every script goes on where it was stopped, so the same command does
too. What a script can't do costs a line here, and the others still run; the exit status is then 1. Without --tiny the
scripts of `PAGE` rewrite docs/results.md and its figures; the others print what docs/measurements.md,
docs/performance.md and README show.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import pathlib
import subprocess
import sys
import time

from medsr_jax.evaluation.studies.sample_set import data_set

SCRIPTS = pathlib.Path(__file__).resolve().parents[1]
# The first write the page of results.
PAGE = (
    "reproduce/table1.py",
    "reproduce/figures.py",
    "measure/rate_distortion.py",
    "measure/equal_bytes.py",
    "measure/lesions.py",
)
PRINTED = (
    "measure/claims.py",
    "measure/quality.py",
    "measure/uncertainty.py",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="of a data set [$MEDSR_DATA, else data]")
    parser.add_argument("--tiny", action="store_true", help="few steps and images, to see that all of it works")
    options = parser.parse_args()
    options.data = data_set(options.data, tiny=options.tiny)
    if not options.data.is_dir():
        sys.exit(f"{options.data}: no such folder; name the data set with --data")
    failed = [name for name in (*PAGE, *PRINTED) if not _done(name, options)]
    if failed:
        sys.exit(f"not all was done: {', '.join(failed)} failed, and the same command tries again")


def _done(name: str, options: argparse.Namespace) -> bool:
    extra = ["--tiny"] if options.tiny else ["--page"] if name in PAGE else []
    command = [sys.executable, str(SCRIPTS / name), "--data", str(options.data.resolve()), *extra]
    print(f"\n== {' '.join([name, *command[2:]])}", flush=True)
    begin = time.monotonic()
    status = subprocess.run(command, cwd=SCRIPTS.parent).returncode
    print(f"== {name}: {'done' if status == 0 else f'exit status {status}'}, {(time.monotonic() - begin) / 60:.1f} min")
    return status == 0


if __name__ == "__main__":
    main()
