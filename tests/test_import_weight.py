"""What a start of the sender imports: nothing of the receiver, and no library of files before the first file."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest
from pydicom.data import get_testdata_file

from medsr_jax.transmission.packet_io import read_packet

# All libraries that are slow to import, by who needs them.
OF_THE_RECEIVER = {"jax", "flax", "chex", "optax", "scipy", "matplotlib", "tensorflow"}
OF_A_TERMINAL = {"rich"}
OF_FILES = {"pydicom", "imagecodecs", "tifffile", "PIL"}
OF_DICOM = {"pydicom"}

SENDER = "from medsr_jax.transmission import CODECS, assume_packet, compress, compress_file, read_packet, write_packet"


@pytest.mark.parametrize(
    ("program", "unwanted"),
    [
        ("import medsr_jax, medsr_jax.imaging", OF_THE_RECEIVER | OF_A_TERMINAL | OF_FILES),
        (f"import medsr_jax.cli; from medsr_jax import compress; {SENDER}", OF_THE_RECEIVER | OF_A_TERMINAL | OF_DICOM),
    ],
    ids=["imaging", "sender"],
)
def test_an_import_loads_nothing_heavy(program: str, unwanted: set[str]) -> None:
    assert _loaded(program) & unwanted == set()


def test_a_whole_process_of_compress_loads_nothing_of_the_receiver(tmp_path: pathlib.Path) -> None:
    command = ["compress", str(get_testdata_file("CT_small.dcm", download=False)), "-o", str(tmp_path / "sent.dcm")]
    program = f"from medsr_jax import cli\ntry: cli.app({command!r})\nexcept SystemExit as end: assert not end.code"
    assert _loaded(program) & (OF_THE_RECEIVER | OF_A_TERMINAL) == set()
    assert read_packet(tmp_path / "sent.dcm").decode().shape == (1, 32, 32)


def _loaded(program: str) -> set[str]:
    """All modules that a process has when a program ends."""
    code = f"import sys\n{program}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())
