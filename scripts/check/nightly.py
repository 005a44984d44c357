"""Run every script with --tiny, and list those that fail.

    python scripts/check/nightly.py [--only WORD ...] [--log FOLDER]

Each script runs in a process of its own on images of installed packages, or of $MEDSR_DATA where that is set. Its
output goes to a file below --log. Comparisons that need PyTorch or another missing package are skipped, with the reason
in that file. The exit status is the number of scripts that failed.
"""

from __future__ import annotations

import argparse
import pathlib
import subprocess
import sys
import time

SCRIPTS = pathlib.Path(__file__).resolve().parents[1]
SECONDS = 900.0


def scripts() -> list[str]:
    """All scripts that a user starts, by their paths below scripts/."""
    started = (path for path in sorted(SCRIPTS.rglob("*.py")) if '__name__ == "__main__"' in path.read_text())
    others = (path for path in started if path.parent.name != "peers" and path != pathlib.Path(__file__).resolve())
    return [path.relative_to(SCRIPTS).as_posix() for path in others]


def main() -> int:
    """Run the scripts; the number of failures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], help="scripts whose path has one of these words [all]")
    parser.add_argument("--log", type=pathlib.Path, default=pathlib.Path("out/nightly"), help="folder [out/nightly]")
    options = parser.parse_args()
    options.log.mkdir(parents=True, exist_ok=True)
    failed = []
    for name in scripts():
        if not any(word in name for word in options.only):
            continue
        log = options.log / f"{name.replace('/', '-')}.txt"
        begin = time.monotonic()
        problem = run(name, log)
        print(f"{name:32} {time.monotonic() - begin:6.1f} s  {problem or 'done'}", flush=True)
        if problem:
            failed.append(name)
            print(*(f"    {line}" for line in log.read_text().splitlines()[-5:]), sep="\n", flush=True)
    print(f"{len(failed)} failed" + (f": {', '.join(failed)}" if failed else ""))
    return min(len(failed), 99)


def run(name: str, log: pathlib.Path) -> str:
    """The problem that a script ended with; empty for none."""
    with log.open("w") as output:
        command = [sys.executable, str(SCRIPTS / name), "--tiny"]
        try:
            done = subprocess.run(
                command, cwd=SCRIPTS.parent, stdout=output, stderr=subprocess.STDOUT, timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return f"no end after {SECONDS:.0f} s"
    return f"exit status {done.returncode}" if done.returncode else ""


if __name__ == "__main__":
    sys.exit(main())
