"""Build wheel and sdist, and try the wheel where nothing of this repository is.

    python scripts/release/build.py [-o out/dist] [--index-url URL]

The wheel is installed in an empty virtual environment, without extras. There `medsr --version` must print the version
of the source, `medsr compress` must make a packet of pydicom's CT slice, `medsr info` must read it, and importing
medsr_jax must load no JAX. Needs pip, and a package index for the sender's dependencies.
"""

from __future__ import annotations

import argparse
import ast
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
NEEDED = ("medsr_jax/py.typed", "medsr_jax/weights/packaged/xray-x4.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=pathlib.Path, default=ROOT / "out" / "dist")
    parser.add_argument("--index-url", help="of another package index than pip's own")
    parser.add_argument("--tiny", action="store_true", help="nothing is left out: for nightly runs")
    options = parser.parse_args()
    index = ["--index-url", options.index_url] if options.index_url else []
    version = source_version()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        wheel, sdist = build(work, index)
        check_contents(wheel, sdist, version)
        try_wheel(wheel, work, version, index)
        options.out.mkdir(parents=True, exist_ok=True)
        for file in (wheel, sdist):
            shutil.copy(file, options.out / file.name)
            print(f"{options.out / file.name}: {file.stat().st_size:,} bytes")


def source_version() -> str:
    """`__version__` of the source, which is the only place that states it."""
    for node in ast.parse((ROOT / "medsr_jax" / "__init__.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
            return str(ast.literal_eval(node.value))
    raise SystemExit("medsr_jax/__init__.py states no __version__")


def build(work: pathlib.Path, index: list[str]) -> tuple[pathlib.Path, pathlib.Path]:
    """The wheel and the sdist, from a copy of the files that git tracks, so that leftovers of other builds stay out."""
    source, dist = work / "source", work / "dist"
    for name in run("git", "ls-files", cwd=ROOT).splitlines():
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    python = environment(work / "builder")
    run(python, "-m", "pip", "install", "--quiet", *index, "build")
    run(python, "-m", "build", "--outdir", dist, source)
    return next(dist.glob("*.whl")), next(dist.glob("*.tar.gz"))


def check_contents(wheel: pathlib.Path, sdist: pathlib.Path, version: str) -> None:
    """Both have the version, weights, licence and marker of types; the wheel has no tests."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode()
    with tarfile.open(sdist) as archive:
        source = [name.partition("/")[2] for name in archive.getnames()]
    for name in NEEDED:
        expect(name in names and name in source, f"{name} is missing")
    expect(f"\nVersion: {version}\n" in metadata, f"the wheel's version is not {version}")
    expect(any(name.endswith("licenses/LICENSE") for name in names), "the wheel lacks LICENSE")
    expect(all(name.startswith("medsr_jax") for name in names), "the wheel has files of other packages")


def try_wheel(wheel: pathlib.Path, work: pathlib.Path, version: str, index: list[str]) -> None:
    """Install the wheel alone and use the sender."""
    python = environment(work / "user")
    medsr = python.with_name("medsr")
    run(python, "-m", "pip", "install", "--quiet", *index, wheel)
    expect(run(medsr, "--version").strip() == f"medsr {version}", "medsr --version prints another version")
    loaded = "import medsr_jax, sys; print('jax' in sys.modules, medsr_jax.__version__, medsr_jax.__file__)"
    shown = run(python, "-c", loaded, cwd=work).split()
    expect(shown[:2] == ["False", version], f"importing the wheel shows {shown}")
    expect(str(work) in shown[2], f"{shown[2]} is not the wheel's")
    ct = run(python, "-c", "import pydicom.data; print(pydicom.data.get_testdata_file('CT_small.dcm'))").strip()
    run(medsr, "compress", ct, "-o", work / "sent.dcm", cwd=work)
    expect("packet" in run(medsr, "info", work / "sent.dcm", cwd=work), "medsr info does not read the packet")
    print(f"the wheel works: medsr {version}, a CT slice in {(work / 'sent.dcm').stat().st_size:,} bytes")


def environment(folder: pathlib.Path) -> pathlib.Path:
    """A virtual environment with pip; its interpreter."""
    venv.create(folder, with_pip=True)
    return folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"


def run(*command: str | pathlib.Path, cwd: pathlib.Path | None = None) -> str:
    """The standard output of a command; a failed one ends this script with its output."""
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, check=False)
    expect(done.returncode == 0, f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def expect(true: bool, problem: str) -> None:
    """End with the problem unless it's true."""
    if not true:
        raise SystemExit(f"release: {problem}")


if __name__ == "__main__":
    main()
