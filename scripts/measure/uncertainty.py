"""What the self-ensemble gains, and whether its spread tells where the restored image is wrong.

    python scripts/measure/uncertainty.py --data FOLDER [--model NAME|PATH] [--limit 16] [--figure PATH]

FOLDER (default $MEDSR_DATA, else data) holds val/chest, or what --folder names. Central 512x512 crops of 8-bit images
go through the link at scale 4, q 60. First the gain in PSNR over one pass of means over two, four and eight views, with
and without the fit to what was sent; and what one pass loses on images that are sent turned, which says which views
the network has learnt. Then Spearman's rank correlation with the absolute error of the model's usual ensemble
(`ensemble.usual_views`, fitted), for each pixel and for means over 8x8 blocks: of the spread over all eight views, and
of two predictors that know no network, the gradient's magnitude in the result and the standard deviation in 5x5 pixels
of the small image. "beyond" is the partial rank correlation of the spread given the gradient: what it knows that edges
don't.

Last the sparsification curve (Ilg et al. 2018, arXiv 1802.07095): the error that remains as the most uncertain pixels
are left out. AUSE is the area between a predictor's curve and the oracle's, over that between random removal and the
oracle: 0 is the oracle, 1 is chance. And how large the spread is beside the error. All figures are means over images.
The picture beside the curve is of a radiograph of PyPI pydicom-data.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import dataclasses
import io
import pathlib
import sys
from collections.abc import Callable

import numpy as np
from scipy.ndimage import uniform_filter
from scipy.stats import rankdata

from medsr_jax.errors import MedsrError
from medsr_jax.evaluation.link import central_crop
from medsr_jax.evaluation.metrics import psnr
from medsr_jax.evaluation.studies.sample_set import data_set
from medsr_jax.evaluation.studies.samples import radiograph, tiled
from medsr_jax.files import atomic_write, find_inputs
from medsr_jax.imaging import Image, read_image
from medsr_jax.restoration import Restored, Restorer
from medsr_jax.restoration.compilation import keep_compiled_programs
from medsr_jax.transmission import compress
from medsr_jax.transmission.downscaling import downscale
from medsr_jax.transmission.packet import Packet

SIDE, SCALE, QUALITY, BLOCK = 512, 4, 60, 8
TURNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mirrored": lambda pixels: pixels[:, :, ::-1],
    "upside down": lambda pixels: pixels[:, ::-1],
    "transposed": lambda pixels: pixels.swapaxes(1, 2),
}
WAYS = {"one pass": {}, "mirror pair": {"views": 2}, "four flips": {"views": 4}, "all eight": {"views": 8}}
PREDICTORS = ("spread", "gradient", "deviation of the small image")
REMOVED = np.linspace(0.0, 0.98, 50)
FIGURE = pathlib.Path(__file__).parents[2] / "docs" / "figures" / "uncertainty.png"


def main() -> None:
    options = _options()
    keep_compiled_programs()
    try:
        images = _images(options)
        mapping = Restorer(options.model, uncertainty=True)
        restorers = {
            (way, refine): Restorer(options.model, ensemble=bool(views), refine=refine, **views)
            for way, views in WAYS.items()
            for refine in (False, True)
        }
    except MedsrError as error:
        sys.exit(str(error))
    packets = [compress(image, scale=SCALE, quality=QUALITY, preprocess=False) for image in images]
    print(f"{mapping.name}: {options.folder}, {len(images)} images, scale {SCALE}, q {QUALITY}, {SIDE}x{SIDE} crops\n")
    _print_gains(images, packets, restorers)
    _print_turned(images, packets, restorers["one pass", True])

    maps = [_maps(image, packet, mapping(packet)) for image, packet in zip(images, packets, strict=True)]
    _print_correlations(maps)
    curves = {name: np.mean([_curve(error, by) for by, error in _rankings(maps, name)], 0) for name in PREDICTORS}
    curves["oracle"] = np.mean([_curve(each["error"], each["error"]) for each in maps], 0)
    print(f"\n{'AUSE, pixels':30} 0 oracle, 1 random")
    for name in PREDICTORS:
        print(f"{name:30} {_area(curves[name], curves['oracle']):.3f}")
    rms = [np.mean([np.sqrt(np.square(each[name]).mean()) for each in maps]) for name in ("spread", "error")]
    print(f"\nroot mean square: spread {rms[0]:.2f}, error {rms[1]:.2f} levels")
    if options.figure is not None:
        _draw(options.figure, curves, mapping)
        print(f"\n{options.figure}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="of a data set [$MEDSR_DATA, else data]")
    parser.add_argument("--folder", default="val/chest", help="of the data set [val/chest]")
    parser.add_argument("--model", default="xray-x4", help="a packaged model or a weights file [xray-x4]")
    parser.add_argument("--limit", type=int, default=16, help="images, spread evenly [16]")
    parser.add_argument("--figure", type=pathlib.Path, help=f"the curve and a picture go here, e.g. {FIGURE.name}")
    parser.add_argument("--tiny", action="store_true", help="one image, to see that it works")
    chosen = parser.parse_args()
    chosen.data = data_set(chosen.data, tiny=chosen.tiny)
    chosen.limit = 1 if chosen.tiny else chosen.limit
    return chosen


def _images(options: argparse.Namespace) -> list[Image]:
    """Crops of the folder's 8-bit images that are large enough."""
    files = [file for file, _ in find_inputs([options.data / options.folder])]
    chosen = np.linspace(0, len(files) - 1, min(options.limit, len(files))).round().astype(int)
    crops = [central_crop(read_image(files[i]), side=SIDE) for i in chosen]
    images = [crop for crop in crops if crop.pixels.shape == (1, SIDE, SIDE) and crop.pixels.dtype == np.uint8]
    if not images:
        raise MedsrError(
            f"{options.data / options.folder}: holds no 8-bit image of {SIDE}x{SIDE}", remedy="name another --folder"
        )
    return images


def _print_gains(images: list[Image], packets: list[Packet], restorers: dict[tuple[str, bool], Restorer]) -> None:
    """Mean PSNR of each way, and its gain over one pass: mean, standard error, worst, and images that gain."""
    print(f"{'':12} {'fit':>3} {'PSNR, dB':>9} {'gain':>7} {'s.e.':>6} {'worst':>7} {'better':>7}")
    for refine in (False, True):
        ones = np.zeros(len(images))
        for way in WAYS:
            pairs = zip(images, packets, strict=True)
            values = np.array([_psnr(*pair, restorers[way, refine]) for pair in pairs])
            ones = values if way == "one pass" else ones
            gains = values - ones
            error = gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else np.nan
            print(
                f"{way:12} {'yes' if refine else 'no':>3} {values.mean():9.3f} {gains.mean():+7.3f} {error:6.3f}"
                f" {gains.min():+7.3f} {(gains > 0).sum():4}/{len(gains)}"
            )


def _print_turned(images: list[Image], packets: list[Packet], restorer: Restorer) -> None:
    """How much better or worse one pass restores images that are sent in another orientation."""
    upright = np.array([_psnr(*pair, restorer) for pair in zip(images, packets, strict=True)])
    print()
    for name, turn in TURNS.items():
        turned = [dataclasses.replace(image, pixels=np.ascontiguousarray(turn(image.pixels))) for image in images]
        sent = [compress(image, scale=SCALE, quality=QUALITY, preprocess=False) for image in turned]
        gains = np.array([_psnr(*pair, restorer) for pair in zip(turned, sent, strict=True)]) - upright
        print(f"sent {name:12} {gains.mean():+7.3f} dB, worst {gains.min():+.3f}")


def _psnr(image: Image, packet: Packet, restorer: Restorer) -> float:
    return psnr(restorer(packet).pixels, image.pixels, value_range=image.value_range)


def _maps(image: Image, packet: Packet, restored: Restored) -> dict[str, np.ndarray]:
    """(512, 512) each: the absolute error, and what may predict it."""
    assert restored.spread is not None
    result = restored.pixels[0].astype(np.float64)
    small = packet.decode()[0].astype(np.float64)
    local = np.sqrt(np.maximum(uniform_filter(small**2, 5) - uniform_filter(small, 5) ** 2, 0))
    return {
        "error": np.abs(result - image.pixels[0]),
        "spread": restored.spread[0],
        "gradient": np.hypot(*np.gradient(result)),
        "deviation of the small image": local.repeat(SCALE, 0).repeat(SCALE, 1),
    }


def _print_correlations(maps: list[dict[str, np.ndarray]]) -> None:
    print(f"\n{'rank correlation with |error|':30} {'pixels':>7} {'least':>7} {'blocks':>7} {'least':>7}")
    both = (
        [_correlations(each) for each in maps],
        [_correlations({k: _blocks(v) for k, v in each.items()}) for each in maps],
    )
    for name in both[0][0]:
        columns = [figure for rows in both for figure in (np.mean([r[name] for r in rows]), min(r[name] for r in rows))]
        print(f"{name:30} " + " ".join(f"{figure:7.3f}" for figure in columns))


def _correlations(maps: dict[str, np.ndarray]) -> dict[str, float]:
    """Spearman's with the error of each predictor, and of the spread given the gradient."""
    ranks = {name: rankdata(values.ravel()) for name, values in maps.items()}
    rho = {name: float(np.corrcoef(ranks[name], ranks["error"])[0, 1]) for name in PREDICTORS}
    shared = float(np.corrcoef(ranks["spread"], ranks["gradient"])[0, 1])
    beyond = rho["spread"] - shared * rho["gradient"]
    rho["spread beyond gradient"] = beyond / np.sqrt((1 - shared**2) * (1 - rho["gradient"] ** 2))
    return rho


def _blocks(values: np.ndarray) -> np.ndarray:
    """Means over 8x8 pixels."""
    rows, columns = (side // BLOCK for side in values.shape)
    return values.reshape(rows, BLOCK, columns, BLOCK).mean((1, 3))


def _rankings(maps: list[dict[str, np.ndarray]], name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(each[name], each["error"]) for each in maps]


def _curve(error: np.ndarray, by: np.ndarray) -> np.ndarray:
    """RMSE of what remains once the fractions REMOVED with the largest ``by`` are gone, over the RMSE of all."""
    kept_first = np.square(error.ravel()[np.argsort(by.ravel(), kind="stable")])
    kept = np.maximum(np.rint((1 - REMOVED) * kept_first.size).astype(int), 1)
    rmse = np.sqrt(np.cumsum(kept_first)[kept - 1] / kept)
    return rmse / rmse[0]


def _area(curve: np.ndarray, oracle: np.ndarray) -> float:
    """Normalised AUSE. Random removal leaves the RMSE where it is, at 1."""
    return float((curve - oracle).mean() / (1 - oracle).mean())


def _draw(path: pathlib.Path, curves: dict[str, np.ndarray], restorer: Restorer) -> None:
    """The curves, and a radiograph restored with its error and its spread."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Shrunk until it is of the size of the images measured: a chest, and not a part of the spine.
    whole = radiograph(None)
    shrink = max(min(whole.shape) // SIDE, 1)
    truth = tiled(np.rint(downscale(whole, scale=shrink, kernel="area")).astype(np.uint8), side=SIDE)
    image = Image(pixels=truth[None], value_range=(0, 255), kind="png")
    packet = compress(image, scale=SCALE, quality=QUALITY, preprocess=False)
    restored = restorer(packet)
    maps = _maps(image, packet, restored)

    figure = Figure(figsize=(15, 3.9), layout="constrained", dpi=90)
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 4, gridspec_kw={"width_ratios": [1.15, 1, 1, 1]})
    axes[0].axhline(1, color="0.6", linestyle=":", label="random")
    for name, style in zip((*PREDICTORS, "oracle"), ("-", "--", "-.", ":"), strict=True):
        area = "" if name == "oracle" else f", AUSE {_area(curves[name], curves['oracle']):.2f}"
        colour = "black" if name == "oracle" else None
        axes[0].plot(REMOVED * 100, curves[name], style, color=colour, label=f"{name}{area}")
    axes[0].set(xlabel="most uncertain pixels left out, %", ylabel="remaining RMSE, of all pixels'", ylim=(0, 1.45))
    axes[0].legend(fontsize=8, loc="upper right")
    panels = (
        ("restored", restored.pixels[0], "gray", None),
        ("|error|, levels", maps["error"], "magma", np.percentile(maps["error"], 99.5)),
        ("spread over eight views, levels", maps["spread"], "magma", np.percentile(maps["spread"], 99.5)),
    )
    for axis, (title, pixels, colours, top) in zip(axes[1:], panels, strict=True):
        shown = axis.imshow(pixels, cmap=colours, vmin=0 if top else None, vmax=top)
        axis.set_title(title, fontsize=10)
        axis.set_xticks([])
        axis.set_yticks([])
        if top:
            figure.colorbar(shown, ax=axis, fraction=0.046, pad=0.02)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    atomic_write(path, buffer.getvalue())


if __name__ == "__main__":
    main()
