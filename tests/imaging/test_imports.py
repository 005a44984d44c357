"""The room is cheap to enter: what is slow to import is imported when the first file needs it."""

from __future__ import annotations

import subprocess
import sys

SLOW = ("jax", "scipy", "matplotlib", "pydicom", "imagecodecs", "tifffile", "PIL")


def test_importing_the_package_imports_nothing_slow() -> None:
    program = f"import sys, medsr_jax.imaging; print([name for name in {SLOW!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
