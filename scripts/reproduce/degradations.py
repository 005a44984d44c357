"""Contact sheets of the degradation model on a real image: every preset, and every operation by itself.

    python scripts/reproduce/degradations.py [-o FOLDER] [--image FILE] [--seed 0] [--side 256] [--samples 6]

Writes presets.png (a row for each preset: the target, then inputs drawn for it, enlarged without interpolation) and
operations.png (each operation at a setting that shows it). Without --image: pydicom-data's chest radiograph.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import math
import pathlib
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax.degradation import PRESETS, apply, preset
from medsr_jax.degradation.filtering import filter2d, sobel_magnitude, unsharp_mask
from medsr_jax.degradation.jpeg import jpeg
from medsr_jax.degradation.kernels import gaussian, generalised_gaussian, plateau, sinc
from medsr_jax.degradation.noise import gaussian_noise, poisson_noise
from medsr_jax.degradation.resizing import METHODS, resize
from medsr_jax.degradation.xray import detector_kernel, grid_lines, low_dose, quantum_noise, vignetting
from medsr_jax.evaluation.studies.samples import radiograph

Operation = Callable[[jax.Array, jax.Array], jax.Array]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=pathlib.Path, default=pathlib.Path("out/degradations"))
    parser.add_argument("--image", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", type=int, default=256, help="of the target, a multiple of 4 [256]")
    parser.add_argument("--samples", type=int, default=6, help="inputs drawn for each preset [6]")
    parser.add_argument("--tiny", action="store_true", help="small and few panels, to see that it works")
    options = parser.parse_args()
    if options.tiny:
        options.side, options.samples, options.out = 64, 1, options.out.with_name(f"{options.out.name}-tiny")
    hr = _target(options.image, options.side)
    source = options.image.name if options.image else "image: RG1 of pydicom-data (NEMA's sample set)"
    options.out.mkdir(parents=True, exist_ok=True)
    key = jax.random.key(options.seed)
    _draw(options.out / "presets.png", _presets(key, hr, options.samples), columns=options.samples + 1, source=source)
    _draw(options.out / "operations.png", _operations(key, hr), columns=6, source=source)
    print(f"{options.out / 'presets.png'}\n{options.out / 'operations.png'}")


def _target(path: pathlib.Path | None, side: int) -> jax.Array:
    """(1, side, side, 1): the middle of the image, shrunk until its short side is two targets wide."""
    from PIL import Image

    image = radiograph(path)
    shrink = max(1, min(image.shape) // (2 * side))
    image = np.asarray(Image.fromarray(image).reduce(shrink))
    top, left = ((extent - side) // 2 for extent in image.shape)
    return jnp.asarray(image[top : top + side, left : left + side][None, ..., None] / np.float32(255))


def _presets(key: jax.Array, hr: jax.Array, samples: int) -> list[tuple[str, np.ndarray]]:
    panels = []
    for name in PRESETS:
        batch = jnp.repeat(hr, samples, axis=0)
        pair = jax.jit(apply, static_argnums=2)(key, batch, preset(name))
        panels.append((f"{name}: target", np.asarray(pair.target[0, ..., 0])))
        panels += [(f"{name} {index + 1}", np.asarray(lr[..., 0])) for index, lr in enumerate(pair.lr)]
    return panels


def _operations(key: jax.Array, hr: jax.Array) -> list[tuple[str, np.ndarray]]:
    one = lambda *values: jnp.asarray(values, jnp.float32)  # noqa: E731
    size, skewed, turn = jnp.asarray([21]), one(3.0, 0.8)[None], one(math.pi / 6)
    kernels = {
        "Gaussian, sigma 2": gaussian(one(2.0, 2.0)[None], one(0.0), size),
        "Gaussian, 3 and 0.8, 30°": gaussian(skewed, turn, size),
        "generalised, beta 0.5": generalised_gaussian(one(2.0, 2.0)[None], one(0.0), one(0.5), size),
        "plateau, beta 2": plateau(one(2.0, 2.0)[None], one(0.0), one(2.0), size),
        "sinc, cutoff pi / 4": sinc(one(math.pi / 4), size),
        "detector, half at 0.1": detector_kernel(one(0.1), glare=one(0.2), reach=one(3.0)),
    }
    latitude = one(3.0)
    beam = {"electronic": one(5.0), "latitude": latitude}
    operations: dict[str, Operation] = {
        "unsharp mask (target)": lambda _, x: unsharp_mask(x),
        "Sobel magnitude, 8 times": lambda _, x: 8.0 * sobel_magnitude(x),
        **{f"{method}, 0.25": _resized(method) for method in METHODS},
        "Gaussian noise, 15 levels": lambda key, x: gaussian_noise(key, x, one(15 / 255)),
        "Poisson noise, scale 2": lambda key, x: poisson_noise(key, x, one(2.0)),
        "JPEG q 10": lambda _, x: jpeg(x, one(10.0)),
        "JPEG q 30": lambda _, x: jpeg(x, one(30.0)),
        "JPEG q 60": lambda _, x: jpeg(x, one(60.0)),
        "quantum noise, 2000 photons": lambda key, x: quantum_noise(key, x, dose=one(2e3), **beam),
        "a tenth of 20 000 photons": lambda key, x: low_dose(key, x, fraction=one(0.1), dose=one(2e4), **beam),
        "grid lines": lambda _, x: grid_lines(
            x, frequency=one(0.06), angle=one(0.04), phase=one(0.0), amplitude=one(0.05), latitude=latitude
        ),
        "vignetting": lambda _, x: vignetting(x, distance=one(1.5), centre=one(0.4, 0.6)[None], latitude=latitude),
    }
    panels = [("target", np.asarray(hr[0, ..., 0]))]
    for name, kernel in kernels.items():
        panels.append((name, np.asarray(filter2d(hr, kernel)[0, ..., 0])))
    for name, operation in operations.items():
        panels.append((name, np.asarray(operation(key, hr)[0, ..., 0])))
    return panels


def _resized(method: str) -> Operation:
    def run(_: jax.Array, x: jax.Array) -> jax.Array:
        canvas = (x.shape[1] // 4, x.shape[2] // 4)
        return resize(x, jnp.asarray([0.25]), jnp.asarray([METHODS.index(method)]), canvas=canvas)[0]

    return run


def _draw(path: pathlib.Path, panels: list[tuple[str, np.ndarray]], *, columns: int, source: str) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(1.9 * columns, 2.1 * rows + 0.25), layout="constrained", dpi=80)
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, (name, pixels) in zip(axes, panels, strict=False):
        axis.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axis.set_title(name, fontsize=8)
    figure.supxlabel(source, fontsize=7)
    figure.savefig(path)


if __name__ == "__main__":
    main()
