"""How good the restored images are: PSNR and SSIM beside bicubic of the same packet, for each folder of a data set.

    python scripts/measure/quality.py --data FOLDER [--model NAME|PATH] [--quality 60] [--codec jpeg] ...

FOLDER (default $MEDSR_DATA, else data) holds val/chest, test/chest, test/ct, test/radiograph and train/mammo; those
that are missing are left out. Each image's central 512x512 (a smaller one whole) goes through the link at scale 4.
Images of 16 bits are measured as stored, with the sender's own mapping and the crop's range as peak; and windowed to
8 bits beforehand (WINDOWS below), as a reader would look at them. PSNR and SSIM are taken per image and averaged;
"worst" is the image that gained least, and "harmed" counts images of which PSNR is below bicubic's by more than
0.05 dB. Rows differ in the refinement after the network. Pre-processing is off, so that the original is the truth; a
line says how many images the sender would have smoothed.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import dataclasses
import math
import pathlib
import sys
from collections.abc import Callable, Iterator

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.evaluation.link import Measured, Receiver, central_crop, measure
from medsr_jax.evaluation.studies.sample_set import data_set
from medsr_jax.files import find_inputs
from medsr_jax.imaging import Image, read_image
from medsr_jax.restoration import Restored, Restorer
from medsr_jax.restoration.compilation import keep_compiled_programs
from medsr_jax.restoration.denoise import denoise
from medsr_jax.tables import csv_bytes
from medsr_jax.transmission import compress
from medsr_jax.transmission.packet import Packet
from medsr_jax.weights import model_file

SIDE, SCALE = 512, 4
HARM = -0.05  # dB
FOLDERS = {
    "val/chest": "",
    "test/chest": "",
    "test/ct": "",
    "test/radiograph": "",
    "train/mammo": "the model was trained on these",
}
# Of 16-bit folders, in stored values. The CT files hold Hounsfield units + 1024.
WINDOWS = {
    "test/ct": {
        "lung, -1350..150 HU": (-1350 + 1024, 150 + 1024),
        "soft tissue, -160..240 HU": (-160 + 1024, 240 + 1024),
    },
    "train/mammo": {"0..65535": (0, 65535)},
}
VARIANTS: dict[str, Callable[[str], Receiver]] = {
    "refined": lambda model: Restorer(model),
    "not refined": lambda model: Restorer(model, refine=False),
    "denoised": lambda model: denoised(Restorer(model)),
}
TARGETS = {
    "val/chest": {"psnr": 0.80, "ssim": 0.016},
    "test/chest": {"psnr": 0.45, "ssim": 0.010},
    "test/ct": {"psnr": 0.0},
    "train/mammo": {"psnr": 0.0},
}


def denoised(restorer: Restorer) -> Receiver:
    """The refined result denoised as the paper does."""

    def restore(packet: Packet) -> Restored:
        restored = restorer(packet)
        return dataclasses.replace(restored, pixels=denoise(restored.pixels, value_range=packet.header.value_range))

    return restore


@dataclasses.dataclass(frozen=True)
class Row:
    """One image with one variant."""

    folder: str
    file: str
    mapping: str
    variant: str
    sent_bytes: int
    psnr_bicubic: float
    psnr: float
    ssim_bicubic: float
    ssim: float
    violation: float | None

    @property
    def gain(self) -> float:
        """In dB; 0 where both are exact."""
        return 0.0 if math.isinf(self.psnr) and math.isinf(self.psnr_bicubic) else self.psnr - self.psnr_bicubic


def main() -> None:
    options = _options()
    keep_compiled_programs()
    try:
        restorers = {name: VARIANTS[name](options.model) for name in options.variants}
    except MedsrError as error:
        sys.exit(str(error))
    size = model_file.load(options.model).parameters
    print(f"{options.model}: {size} parameters; scale {SCALE}, {options.codec} q {options.quality}", end="")
    print(f", {SIDE}x{SIDE} crops\n")
    print(f"{'':53}       PSNR, dB                            SSIM")
    print(f"{'':15} {'':26} {'':11} bicubic restored   gain  worst  bicubic restored    gain   worst  harmed  bytes")
    rows: list[Row] = []
    for folder, remark in FOLDERS.items():
        rows += _measure_folder(options, folder, remark, restorers)
    if not rows:
        sys.exit(f"{options.data}: none of {', '.join(FOLDERS)} is there; name the data set with --data")
    if options.csv is not None:
        _write(options.csv, rows)
    _print_targets(rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="of a data set [$MEDSR_DATA, else data]")
    parser.add_argument("--model", default="xray-x4", help="a packaged model or a weights file [xray-x4]")
    parser.add_argument("--quality", type=int, default=60, help="as of medsr compress [60]")
    parser.add_argument("--codec", default="jpeg", help="as of medsr compress [jpeg]")
    parser.add_argument("--limit", type=int, help="images of each folder, spread evenly [all]")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--tiny", action="store_true", help="one image of each folder, to see that it works")
    parser.add_argument("--csv", type=pathlib.Path, help="a table of all images goes here")
    chosen = parser.parse_args()
    chosen.data = data_set(chosen.data, tiny=chosen.tiny)
    chosen.limit = 1 if chosen.tiny else chosen.limit
    return chosen


def _measure_folder(options: argparse.Namespace, folder: str, remark: str, restorers: dict[str, Receiver]) -> list[Row]:
    if not (options.data / folder).is_dir():
        return []
    files = [file for file, _ in find_inputs([options.data / folder])]
    if options.limit is not None and options.limit < len(files):
        files = [files[i] for i in np.linspace(0, len(files) - 1, options.limit).round().astype(int)]
    images: list[tuple[str, str, Image]] = []
    for file in files:
        try:
            images += [(file.name, *mapped) for mapped in _mappings(folder, central_crop(read_image(file), side=SIDE))]
        except MedsrError as error:
            print(f"left out: {error}", file=sys.stderr)
    rows, touched = [], 0
    for number, (file, mapping, image) in enumerate(images):
        _progress(folder, number, len(images))
        touched += bool(compress(image, scale=SCALE, quality=options.quality, codec=options.codec).header.preprocess)
        for variant, restorer in restorers.items():
            measured = measure(
                image, restorer, scale=SCALE, quality=options.quality, codec=options.codec, preprocess=False
            )
            rows.append(_row(measured, folder=folder, file=file, mapping=mapping, variant=variant))
    _progress(folder, len(images), len(images))
    for mapping in dict.fromkeys(row.mapping for row in rows):
        for variant in restorers:
            _print_row([row for row in rows if (row.mapping, row.variant) == (mapping, variant)])
    note = f"  ({remark})" if remark else ""
    print(f"{folder}: {len(files)} images{note}; the sender's pre-processing would touch {touched} of {len(images)}\n")
    return rows


def _mappings(folder: str, image: Image) -> Iterator[tuple[str, Image]]:
    """The image as stored, and windowed to 8 bits where it has more."""
    if image.pixels.dtype.itemsize == 1:
        yield "8 bit", image
        return
    yield f"as stored, {image.pixels.dtype}", image
    windows = WINDOWS.get(folder, {"the crop's range": (float(image.pixels.min()), float(image.pixels.max()))})
    for name, (low, high) in windows.items():
        codes = (image.pixels.astype(np.float32) - low) * (255.0 / max(high - low, 1))
        pixels = np.clip(np.rint(codes), 0, 255).astype(np.uint8)
        yield name, Image(pixels=pixels, value_range=(0, 255), kind="png", name=image.name)


def _row(measured: Measured, *, folder: str, file: str, mapping: str, variant: str) -> Row:
    return Row(
        folder=folder,
        file=file,
        mapping=mapping,
        variant=variant,
        sent_bytes=measured.sent_bytes,
        psnr_bicubic=measured.psnr_bicubic,
        psnr=measured.psnr,
        ssim_bicubic=measured.ssim_bicubic,
        ssim=measured.ssim,
        violation=measured.restored.violation,
    )


def _print_row(rows: list[Row]) -> None:
    gains = [row.gain for row in rows]
    similar = [row.ssim - row.ssim_bicubic for row in rows]
    harmed = sum(gain < HARM for gain in gains)
    print(
        f"{rows[0].folder:15} {rows[0].mapping:26} {rows[0].variant:11}"
        f" {_mean(rows, 'psnr_bicubic'):7.2f} {_mean(rows, 'psnr'):8.2f} {np.mean(gains):+6.2f} {min(gains):+6.2f}"
        f" {_mean(rows, 'ssim_bicubic'):8.4f} {_mean(rows, 'ssim'):8.4f} {np.mean(similar):+7.4f} {min(similar):+7.4f}"
        f" {harmed:7d} {_mean(rows, 'sent_bytes'):6.0f}"
    )


def _mean(rows: list[Row], field: str) -> float:
    return float(np.mean([getattr(row, field) for row in rows]))


def _progress(folder: str, done: int, count: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{folder} {done}/{count}" if done < count else "\r\033[K", end="", file=sys.stderr, flush=True)


def _write(path: pathlib.Path, rows: list[Row]) -> None:
    heads = [*(field.name for field in dataclasses.fields(Row)), "gain"]
    path.write_bytes(csv_bytes([heads, *([*dataclasses.astuple(row), row.gain] for row in rows)]))


def _print_targets(rows: list[Row]) -> None:
    """A line a target, of the first variant measured: the default's, unless --variants says otherwise."""
    rows = [row for row in rows if row.variant == rows[0].variant]
    for folder, targets in TARGETS.items():
        for mapping in dict.fromkeys(row.mapping for row in rows if row.folder == folder):
            chosen = [row for row in rows if (row.folder, row.mapping) == (folder, mapping)]
            gains = {
                "psnr": np.mean([row.gain for row in chosen]),
                "ssim": np.mean([row.ssim - row.ssim_bicubic for row in chosen]),
            }
            name = folder.replace("/", "_") + ("" if mapping == "8 bit" else f"[{mapping}]")
            for metric, target in targets.items():
                print(f"gain {name}_{metric} {gains[metric]:+.4f} target {target}")
            if mapping == "8 bit":
                print(f"harmed {name} {sum(row.gain < HARM for row in chosen)}/{len(chosen)} target 0")


if __name__ == "__main__":
    main()
