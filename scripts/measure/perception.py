"""PSNR, SSIM and LPIPS of one or more models on the same packets, beside bicubic: what a GAN stage gives and takes.

    python scripts/measure/perception.py [MODEL...] [--data FOLDER] [--folder val/chest] [--limit N] [--no-refine]

MODEL is a packaged name or a weights file (default xray-x4). Central 512x512 crops of 8-bit images through the sender
at scale 4; all is measured per image and averaged. LPIPS (lower is nearer, VGG16, version 0.1) was made for
photographs, and a lower one does not mean that a detail is true.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import pathlib
import sys

import jax.numpy as jnp
import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.evaluation.link import central_crop, measure
from medsr_jax.evaluation.lpips import load_lpips, lpips
from medsr_jax.evaluation.studies.sample_set import data_set
from medsr_jax.files import find_inputs
from medsr_jax.imaging import read_image
from medsr_jax.restoration import Restorer
from medsr_jax.restoration.compilation import keep_compiled_programs

SIDE = 512


def main() -> None:
    options = _options()
    keep_compiled_programs()
    try:
        restorers = {pathlib.Path(name).name: Restorer(name, refine=not options.no_refine) for name in options.models}
        files = [path for path, _ in find_inputs([options.data / options.folder])]
        weights = load_lpips()
    except MedsrError as error:
        sys.exit(str(error))
    if options.limit is not None and options.limit < len(files):
        files = [files[i] for i in np.linspace(0, len(files) - 1, options.limit).round().astype(int)]

    def distance(image: np.ndarray, truth: np.ndarray) -> float:
        pair = [jnp.asarray(a, jnp.float32)[..., None] / 255.0 for a in (image, truth)]
        return float(lpips(*pair, weights)[0])

    rows: dict[str, list[tuple[float, float, float]]] = {"bicubic": []}
    for file in files:
        image = central_crop(read_image(file), side=SIDE)
        for name, restorer in restorers.items():
            result = measure(image, restorer, scale=4, quality=options.quality, preprocess=False)
            if name == next(iter(restorers)):
                reference = distance(result.bicubic, image.pixels)
                rows["bicubic"].append((result.psnr_bicubic, result.ssim_bicubic, reference))
            restored = distance(result.restored.pixels, image.pixels)
            rows.setdefault(name, []).append((result.psnr, result.ssim, restored))
    print(f"{options.folder}, {len(files)} images, q {options.quality}, {SIDE}x{SIDE} crops")
    print(f"{'':28} PSNR, dB    SSIM   LPIPS")
    for name, values in rows.items():
        psnr, ssim, away = np.mean(values, axis=0)
        print(f"{name:28} {psnr:8.2f} {ssim:7.4f} {away:7.4f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["xray-x4"], metavar="MODEL")
    parser.add_argument("--data", type=pathlib.Path, help="of a data set [$MEDSR_DATA, else data]")
    parser.add_argument("--folder", default="val/chest")
    parser.add_argument("--quality", type=int, default=60)
    parser.add_argument("--limit", type=int, help="images, spread evenly [all]")
    parser.add_argument("--no-refine", action="store_true", help="the generator alone, without the fit to the packet")
    parser.add_argument("--tiny", action="store_true", help="one image, to see that it works")
    chosen = parser.parse_args()
    chosen.data = data_set(chosen.data, tiny=chosen.tiny)
    chosen.limit = 1 if chosen.tiny else chosen.limit
    return chosen


if __name__ == "__main__":
    main()
