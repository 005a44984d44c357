"""Is the `auto` rule for the quality worth having? A plot and a table over real images.

    python scripts/measure/quality_rule.py --data FOLDER_OF_IMAGES [-o out/quality_rule.png]

For each image (central 512x512, scale 4, JPEG) and q in 50..75: bytes, and PSNR of the packet enlarged by bicubic
interpolation. Compares at equal mean bytes: one fixed q for all; the rule as it is, and with finer steps of q; the best
that any rule with one price for a byte could do, from the true PSNR. Prints also how well the sender's prediction fits.
--data defaults to val/chest of $MEDSR_DATA.
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
from medsr_jax.transmission import quality as rule
from medsr_jax.transmission.codecs import CODECS
from medsr_jax.transmission.downscaling import downscale
from medsr_jax.transmission.enlargement import enlargement_error
from medsr_jax.transmission.fidelity import Fidelity
from medsr_jax.transmission.packet import PacketHeader

SIDE, SCALE = 512, 4
QUALITIES = np.arange(50, 76)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="a folder of images [val/chest of $MEDSR_DATA, else data]")
    parser.add_argument("-o", "--out", type=pathlib.Path, default=pathlib.Path("out/quality_rule.png"))
    parser.add_argument("--tiny", action="store_true", help="two images, to see that it works")
    options = parser.parse_args()
    options.data = options.data or data_set(None, tiny=options.tiny) / "val" / "chest"
    options.out.parent.mkdir(parents=True, exist_ok=True)
    measured = [curve for file, _ in find_inputs([options.data]) if (curve := _curve(file)) is not None]
    size, psnr, predicted = (np.array([curve[key] for curve in measured]) for key in ("bytes", "psnr", "predicted"))
    chosen = np.array([curve["chosen"] for curve in measured])
    _print_table(size, psnr, predicted, chosen)
    _plot(size, psnr, chosen, options.out)
    print(f"plot: {options.out}")


def _curve(file: pathlib.Path) -> dict[str, object] | None:
    image = read_image(file)
    rows, columns = image.pixels.shape[1:]
    if image.pixels.dtype != np.uint8 or min(rows, columns) < SIDE:
        return None
    top, left = (rows - SIDE) // 2, (columns - SIDE) // 2
    frame = image.pixels[0, top : top + SIDE, left : left + SIDE]
    small = np.clip(np.rint(downscale(frame, scale=SCALE)), 0, 255).astype(np.uint8)
    header = PacketHeader(
        rows=SIDE, columns=SIDE, dtype="uint8", value_range=(0, 255), low=0, high=255, levels=255, scale=SCALE,
        kernel="area", quality=60, codec="jpeg",
    )  # fmt: skip
    codec = CODECS["jpeg"]
    share = enlargement_error(small, frame, header=header)
    lost = share * 255**2
    size, psnr, predicted = [], [], []
    for quality in QUALITIES:
        stream = codec.encode(small, int(quality))
        decoded = codec.decode(stream).astype(np.float32)
        large = Pillow.fromarray(decoded).resize((SIDE, SIDE), Pillow.Resampling.BICUBIC)
        error = np.mean(np.square(np.clip(np.asarray(large), 0, 255) - frame))
        size.append(len(stream))
        psnr.append(10 * np.log10(255**2 / error))
        predicted.append(10 * np.log10(255**2 / (lost + np.mean(np.square(decoded - small)))))
    chosen = rule.choose_quality(Fidelity(small), codec=codec, lost=share)
    return {"bytes": size, "psnr": psnr, "predicted": predicted, "chosen": chosen}


def _print_table(size: np.ndarray, psnr: np.ndarray, predicted: np.ndarray, chosen: np.ndarray) -> None:
    each = np.arange(len(size))
    print(
        f"{len(size)} images; predicted PSNR is off by "
        f"{np.mean(predicted - psnr):+.3f} +- {np.std(predicted - psnr):.3f} dB"
    )
    print("choice                             bytes    PSNR   a fixed q of as many bytes   gain")
    for quality in (50, 55, 60, 65, 70, 75):
        at = quality - 50
        print(f"fixed q {quality:<24} {size[:, at].mean():7.0f}  {psnr[:, at].mean():.3f}")
    price = rule.DECIBELS_PER_BIT * 8 / (SIDE // SCALE) ** 2
    picks = {
        "the rule (steps of 5)": chosen - 50,
        "the rule, steps of 1": np.argmax(predicted - price * size, axis=1),
        "best for one price (true PSNR)": np.argmax(psnr - price * size, axis=1),
    }
    for name, pick in picks.items():
        mean = size[each, pick].mean()
        fixed = np.interp(mean, size.mean(axis=0), psnr.mean(axis=0))
        gain = psnr[each, pick].mean() - fixed
        print(f"{name:32} {mean:7.0f}  {psnr[each, pick].mean():.3f}   {fixed:.3f}                  {gain:+10.3f}")
    print("chosen:", ", ".join(f"q {q}: {np.sum(chosen == q)}" for q in rule.CANDIDATES))


def _plot(size: np.ndarray, psnr: np.ndarray, chosen: np.ndarray, out: pathlib.Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 5))
    for sizes, values, quality in zip(size, psnr, chosen, strict=True):
        left.plot(sizes, values, color="0.75", linewidth=0.8)
        left.plot(sizes[quality - 50], values[quality - 50], "o", color="C0", markersize=4)
    left.set(
        xlabel="bytes of the code stream",
        ylabel="PSNR, dB (bicubic)",
        title="q 50..75 of each image, and the rule's choice",
    )
    right.plot(size.mean(axis=0), psnr.mean(axis=0), label="one fixed q for all, 50..75")
    for price in np.linspace(1.2, 6, 25) * 8 / (SIDE // SCALE) ** 2:
        pick = np.argmax(psnr - price * size, axis=1)
        each = np.arange(len(size))
        right.plot(size[each, pick].mean(), psnr[each, pick].mean(), ".", color="C2", markersize=4)
    right.plot([], [], ".", color="C2", label="best for one price a byte, true PSNR")
    pick = chosen - 50
    each = np.arange(len(size))
    right.plot(size[each, pick].mean(), psnr[each, pick].mean(), "o", color="C0", label="the rule")
    right.set(xlabel="mean bytes", ylabel="mean PSNR, dB", title="over all images")
    right.legend()
    figure.tight_layout()
    figure.savefig(out, dpi=120)


if __name__ == "__main__":
    main()
