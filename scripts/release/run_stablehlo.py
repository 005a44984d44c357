"""Enlarge an image with a model that `medsr export --format stablehlo` wrote; needs JAX, flatbuffers, NumPy and Pillow.

    python scripts/release/run_stablehlo.py MODEL IMAGE -o OUT.png [--strength S]

IMAGE is of 8 or 16 bits, bone white, grey; a model of colours takes colours. The strength of its quantisation is read
off a JPEG's own table; for other files it is 0, unless said otherwise. Lossy: not for primary diagnosis.
"""

import argparse
import atexit
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

try:
    import jax
    import jax.export
    import numpy as np
    from PIL import Image
except ImportError as error:
    sys.exit(f"this script needs {error.name}; install what it needs with: pip install jax flatbuffers numpy pillow")


def main() -> None:
    options = _options()
    try:
        network, about = load(options.model)
        image, strength = read(options.image, channels=network.in_avals[0].shape[-1])
        strength = strength if options.strength is None else options.strength
        result = enlarge(network, image, multiple=int(about["multiple"]), scale=int(about["scale"]), strength=strength)
        write(options.out, result, sixteen=image.dtype == np.uint16)
    except OSError as error:
        sys.exit(str(error))
    print(f"{options.out}: {result.shape[1]}x{result.shape[0]}, strength {strength:.3f}; {about['warning']}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path, nargs="?")
    parser.add_argument("image", type=pathlib.Path, nargs="?")
    parser.add_argument("-o", "--out", type=pathlib.Path, help="a PNG")
    parser.add_argument("--strength", type=float, help="mean quantisation step of the low frequencies over 16")
    parser.add_argument("--tiny", action="store_true", help="a model that medsr exports, and a small image")
    chosen = parser.parse_args()
    if chosen.tiny:
        chosen.model, chosen.image, chosen.out = _samples()
    if None in (chosen.model, chosen.image, chosen.out):
        parser.error("MODEL, IMAGE and --out are required")
    return chosen


def _samples() -> tuple[pathlib.Path, pathlib.Path, pathlib.Path]:
    """The packaged model, exported by `medsr`; a small image; and the path of the result."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="run-stablehlo-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    model, image = folder / "xray-x4.stablehlo", folder / "image.png"
    command = [sys.executable, "-m", "medsr_jax", "export", "xray-x4", "--format", "stablehlo", "-o", str(model)]
    subprocess.run(command, check=True)
    Image.fromarray(np.add.outer(np.arange(24), np.arange(32)).astype(np.uint8) * 4).save(image)
    return model, image, folder / "restored.png"


def load(path: pathlib.Path) -> tuple[jax.export.Exported, dict[str, str]]:
    """The network, and what the file beside it says of it."""
    beside = path.with_name(f"{path.name}.json")
    try:
        network = jax.export.deserialize(bytearray(path.read_bytes()))
    except OSError:
        raise
    except Exception as error:  # What a damaged file makes the reader of JAX raise is of every kind.
        sys.exit(f"{path}: is damaged, no exported model, or one of a JAX that this one can't read ({error!r:.100})")
    try:
        about = json.loads(beside.read_text())
        if {"multiple", "scale", "warning"} <= about.keys() and int(about["multiple"]) > 0 < int(about["scale"]):
            return network, about
    except (ValueError, TypeError, AttributeError):
        pass
    sys.exit(f"{beside}: does not say what the model beside it takes; export the model again")


def read(path: pathlib.Path, *, channels: int) -> tuple[np.ndarray, float]:
    """(rows, columns, channels) uint8 or uint16, and the strength of the JPEG's quantisation."""
    with Image.open(path) as image:
        tables = getattr(image, "quantization", None) or {}
        sixteen = image.mode.startswith("I;16") and channels == 1
        pixels = np.asarray(image if sixteen else image.convert("L" if channels == 1 else "RGB"))
    u, v = np.indices((8, 8))
    strength = float(np.reshape(tables[0], (8, 8))[u + v < 5].mean() / 16) if tables else 0.0
    return pixels.reshape(*pixels.shape[:2], channels), strength


def enlarge(
    network: jax.export.Exported, image: np.ndarray, *, multiple: int, scale: int, strength: float
) -> np.ndarray:
    """(rows, columns, channels) integers -> (scale rows, scale columns, channels) float32 in [0, 1]."""
    rows, columns, _ = image.shape
    x = image.astype(np.float32) / np.iinfo(image.dtype).max
    x = np.pad(x, ((0, -rows % multiple), (0, -columns % multiple), (0, 0)), mode="edge")[None]
    arguments = [x, np.full(1, strength, np.float32)][: len(network.in_avals)]
    result = np.asarray(jax.jit(network.call)(*arguments))
    return np.clip(result[0, : scale * rows, : scale * columns], 0, 1)


def write(path: pathlib.Path, result: np.ndarray, *, sixteen: bool) -> None:
    """As 8 or 16 bits."""
    levels = np.rint(result * (65535 if sixteen else 255)).astype(np.uint16 if sixteen else np.uint8)
    Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels).save(path)


if __name__ == "__main__":
    main()
