"""Does the sender's pre-processing help noisy images, and leave clean ones alone?

    python scripts/measure/preprocess.py --data FOLDER_OF_CLEAN_IMAGES [--others FOLDER ...] [--images 16]

Adds Gaussian noise of known deviation to clean images (central 512x512, scale 4, JPEG) and prints, with and without
pre-processing: how often it triggered; PSNR to the clean image of the small image that is sent; PSNR to the clean image
of the packet enlarged by bicubic interpolation, at q 60 and at equal bytes; and bytes. Then counts in how many clean
images it triggered and checks that the others passed bit for bit. --data defaults to val/chest of $MEDSR_DATA.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import pathlib

import numpy as np
from PIL import Image as Pillow

from medsr_jax.evaluation.studies.sample_set import data_set
from medsr_jax.files import find_inputs
from medsr_jax.imaging.reading import read_image
from medsr_jax.transmission.codecs import decode_jpeg, encode_jpeg
from medsr_jax.transmission.downscaling import downscale
from medsr_jax.transmission.preprocess import estimate_noise, preprocess

SIDE, SCALE, QUALITY = 512, 4, 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="a folder of images [val/chest of $MEDSR_DATA, else data]")
    parser.add_argument("--others", type=pathlib.Path, nargs="*", default=[], help="more folders of clean images")
    parser.add_argument("--images", type=int, default=16, help="how many get noise")
    parser.add_argument("--sigmas", type=float, nargs="*", default=[5, 10, 12, 15, 20, 30, 40])
    parser.add_argument("--tiny", action="store_true", help="two images and deviations, to see that it works")
    options = parser.parse_args()
    options.data = options.data or data_set(None, tiny=options.tiny) / "val" / "chest"
    if options.tiny:
        options.images, options.sigmas = 2, options.sigmas[:2]
    clean = [crop for file, _ in find_inputs([options.data]) if (crop := _crop(file)) is not None]
    step = max(1, len(clean) // options.images)
    print("sigma estimate triggered   small image, dB    restored at q 60, dB    bytes         at equal bytes, dB")
    for sigma in options.sigmas:
        _report(sigma, clean[::step][: options.images])
    for folder in [options.data, *options.others]:
        files = [crop for file, _ in find_inputs([folder]) if (crop := _crop(file)) is not None]
        results = [preprocess(crop, low=0, high=255) for crop in files]
        touched = sum(bool(what) for _, what in results)
        same = sum(np.array_equal(crop, frame) for crop, (frame, _) in zip(files, results, strict=True))
        levels = [estimate_noise(crop, low=0, high=255) for crop in files]
        print(
            f"{folder}: triggered in {touched} of {len(files)}, {same} bit-identical, estimated noise "
            f"{min(levels):.1f}..{max(levels):.1f}"
        )


def _crop(file: pathlib.Path) -> np.ndarray | None:
    image = read_image(file)
    rows, columns = image.pixels.shape[1:]
    if image.pixels.dtype != np.uint8 or min(rows, columns) < SIDE:
        return None
    top, left = (rows - SIDE) // 2, (columns - SIDE) // 2
    return image.pixels[0, top : top + SIDE, left : left + SIDE]


def _report(sigma: float, images: list[np.ndarray]) -> None:
    random = np.random.default_rng(0)
    rows, triggered, found = [], 0, []
    for clean in images:
        noisy = np.clip(np.rint(clean + random.normal(0, sigma, clean.shape)), 0, 255).astype(np.uint8)
        found.append(estimate_noise(noisy, low=0, high=255))
        smoothed, what = preprocess(noisy, low=0, high=255)
        triggered += bool(what)
        truth = downscale(clean, scale=SCALE)
        row: list[float] = []
        budget = 0
        for frame in (noisy, smoothed):
            small = np.clip(np.rint(downscale(frame, scale=SCALE)), 0, 255).astype(np.uint8)
            stream = encode_jpeg(small, QUALITY)
            budget = budget or len(stream)
            equal = stream
            for quality in range(QUALITY + 1, 100):
                candidate = encode_jpeg(small, quality)
                if len(candidate) > budget:
                    break
                equal = candidate
            row += [_psnr(small, truth), _psnr(_enlarge(stream), clean), len(stream), _psnr(_enlarge(equal), clean)]
        rows.append(row)
    mean = np.mean(rows, axis=0)
    print(
        f"{sigma:5g} {np.mean(found):8.1f} {triggered:5d}/{len(images):<3d}   {mean[0]:5.2f} -> {mean[4]:5.2f}      "
        f"{mean[1]:5.2f} -> {mean[5]:5.2f}          {mean[2]:4.0f} -> {mean[6]:4.0f}  {mean[3]:5.2f} -> {mean[7]:5.2f}"
    )


def _enlarge(stream: bytes) -> np.ndarray:
    small = Pillow.fromarray(decode_jpeg(stream).astype(np.float32))
    return np.clip(np.asarray(small.resize((SIDE, SIDE), Pillow.Resampling.BICUBIC)), 0, 255)


def _psnr(image: np.ndarray, truth: np.ndarray) -> float:
    error = np.mean(np.square(image.astype(np.float64) - truth))
    return float(10 * np.log10(255**2 / max(error, 1e-12)))


if __name__ == "__main__":
    main()
