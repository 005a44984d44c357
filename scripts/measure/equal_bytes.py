"""The link against codecs at equal bytes: PSNR at six budgets, and bytes at equal PSNR, whole files counted.

    python scripts/measure/equal_bytes.py --data FOLDER [--folders val/chest ...] [--limit N] [--page] [--tiny]

Each image's central 512x512, 8 bits (deeper images through the window below), is sent with each budget by
`medsr compress --max-bytes` and restored by --model. Peers are whole files of AVIF, JPEG 2000, JPEG XL, WebP and HTJ2K
at full resolution (evaluation/studies/full_size.py has their settings), each at a ladder of levels, between which its
PSNR at the link's own bytes is interpolated over the logarithm of bytes; a peer that can't make so small a file of an
image is left out for that image, and the table counts for how many it was there. Pre-processing is off, so that the
original is the truth. Differences are means over images with 95 % bootstrap intervals.

Points go to --results as they are made, and a run that was stopped resumes from there. --page writes the section of
docs/results.md. The last lines are `ratio equal_bytes_SET_BUDGET A/B=R target T`: bytes of the link over those of AVIF
at the link's PSNR.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import collections
import pathlib
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.evaluation.baselines import enlarge
from medsr_jax.evaluation.fidelity import fidelity
from medsr_jax.evaluation.link import central_crop, eight_bits
from medsr_jax.evaluation.statistics import Mean, bootstrap
from medsr_jax.evaluation.studies.full_size import FULL_SIZE
from medsr_jax.evaluation.studies.rate import at_bytes, bytes_at
from medsr_jax.evaluation.studies.records import Measurements, Record, subsample, write_section
from medsr_jax.evaluation.studies.sample_set import data_set
from medsr_jax.imaging import Image, read_image
from medsr_jax.restoration import Restorer
from medsr_jax.restoration.compilation import keep_compiled_programs
from medsr_jax.transmission import compress
from medsr_jax.transmission.packet_io import packet_bytes, parse_packet

SIDE = 512
BUDGETS = (1_000, 1_740, 2_500, 4_000, 8_000, 16_000)
FOLDERS = ["val/chest", "test/chest", "test/ct", "test/radiograph"]
PEERS = ("AVIF", "JPEG 2000", "JPEG XL", "WebP", "HTJ2K")
# Levels beyond those of `FULL_SIZE`, for images whose largest file is smaller than the largest budget.
FINER = {
    "AVIF": (84, 89, 94, 98),
    "JPEG 2000": (50, 53, 56, 60),
    "JPEG XL": (1.0, 0.7, 0.5, 0.3),
    "WebP": (92, 97, 100),
    "HTJ2K": (0.016, 0.01, 0.006, 0.004),
}
# Of the mean bytes of the link over AVIF's at the link's PSNR.
TARGETS = {1_740: 0.72}


def main() -> None:
    options = _options()
    keep_compiled_programs()
    try:
        restorer = Restorer(options.model)
        images = [
            (folder, file)
            for folder in options.folders
            for file in subsample(options.data / folder, limit=options.limit)
        ]
    except MedsrError as error:
        sys.exit(str(error))
    signature = {"model": restorer.label, "side": SIDE, "budgets": BUDGETS, "tiny": options.tiny}
    kept = Measurements(options.results, signature)
    peers = Measurements(options.peers, {"side": SIDE, "tiny": options.tiny, "peers": PEERS})
    for number, (folder, file) in enumerate(images):
        name = f"{folder}/{file.name}"
        image = central_crop(eight_bits(read_image(file)), side=SIDE)
        if name not in peers.records:
            peers.add({"image": name, "peers": dict(_peers(image, tiny=options.tiny))})
        if name not in kept.records:
            kept.add({"image": name, "link": list(_link(image, restorer))})
        print(f"{number + 1}/{len(images)} {name}", file=sys.stderr, flush=True)
    tables, lines = [], []
    for folder in options.folders:
        names = [f"{where}/{file.name}" for where, file in images if where == folder]
        rows = [peers.records[name] | kept.records[name] for name in names]
        table, ratios = _report(folder, rows)
        tables.append(table)
        lines += ratios
    print("\n\n".join(tables), end="\n\n")
    print("\n".join(lines))
    if options.page:
        sent = [packet for folder, file in images for packet in kept.records[f"{folder}/{file.name}"]["link"]]
        write_section("equal-bytes", "\n\n".join([_heading(options, restorer, sent), *tables]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, help="of a data set [$MEDSR_DATA, else data]")
    parser.add_argument("--folders", nargs="+", default=FOLDERS)
    parser.add_argument("--limit", type=int, help="images of each folder, spread evenly [all]")
    parser.add_argument("--model", default="auto", help="that restores [auto]")
    parser.add_argument("--tiny", action="store_true", help="one image of each folder, every third level of the peers")
    parser.add_argument("--results", type=pathlib.Path, default=pathlib.Path("out/equal-bytes.jsonl"))
    parser.add_argument("--peers", type=pathlib.Path, default=pathlib.Path("out/equal-bytes-peers.jsonl"))
    parser.add_argument("--page", action="store_true", help="write the section of docs/results.md")
    chosen = parser.parse_args()
    chosen.data = data_set(chosen.data, tiny=chosen.tiny)
    if chosen.tiny:
        chosen.limit = 1
        chosen.results = chosen.results.with_suffix(".tiny.jsonl")
        chosen.peers = chosen.peers.with_suffix(".tiny.jsonl")
        for path in (chosen.results, chosen.peers):
            path.unlink(missing_ok=True)
    return chosen


def _peers(image: Image, *, tiny: bool) -> Iterator[tuple[str, list[tuple[int, float]]]]:
    """Of each peer (bytes, PSNR) at every level."""
    truth = image.pixels[0]
    for name in PEERS:
        codec = FULL_SIZE[name]
        points: list[tuple[int, float]] = []
        levels = codec.levels[:: 3 if tiny else 1]
        for level in (*levels, *FINER[name]):
            if len(points) >= len(levels) and points[-1][0] >= BUDGETS[-1]:
                break
            data = codec.encode(truth, level)
            points.append((len(data), fidelity(codec.decode(data), truth, value_range=image.value_range).psnr))
        yield name, points


def _link(image: Image, restorer: Restorer) -> Iterator[Record]:
    """What the sender makes of each budget, and the receiver of that."""
    truth = image.pixels[0]
    for budget in BUDGETS:
        began = time.perf_counter()
        try:
            packet = compress(image, max_bytes=budget, preprocess=False)
        except MedsrError:  # no packet is so small
            continue
        seconds = time.perf_counter() - began
        data = packet_bytes(packet)
        received = parse_packet(data)
        yield {
            "budget": budget,
            "bytes": len(data),
            "seconds": seconds,
            "scale": packet.header.scale,
            "codec": packet.header.codec,
            "psnr": fidelity(restorer(received).pixels[0], truth, value_range=image.value_range).psnr,
            "psnr_bicubic": fidelity(enlarge(received)[0], truth, value_range=image.value_range).psnr,
        }


def _report(folder: str, rows: Sequence[Record]) -> tuple[str, list[str]]:
    """The table of a set, and its ratios."""
    head = [
        "budget",
        "sent bytes",
        "scales",
        "link, dB",
        "by the model",
        *(f"against {peer}" for peer in PEERS),
        "bytes against AVIF",
    ]
    lines = [f"{folder}, {len(rows)} images", "", f"| {' | '.join(head)} |", "|" + "-|" * len(head)]
    ratios = []
    for budget in BUDGETS:
        pairs = [(row, sent) for row in rows for sent in row["link"] if sent["budget"] == budget]
        if not pairs:
            continue
        cells = [f"{budget:,}", f"{np.mean([sent['bytes'] for _, sent in pairs]):,.0f}"]
        cells.append(_counts([sent["scale"] for _, sent in pairs]))
        cells.append(f"{np.mean([sent['psnr'] for _, sent in pairs]):.2f}")
        cells.append(f"{np.mean([sent['psnr'] - sent['psnr_bicubic'] for _, sent in pairs]):+.2f}")
        for peer in PEERS:
            gain = bootstrap([sent["psnr"] - at_bytes(row["peers"][peer], sent["bytes"]) for row, sent in pairs])
            cells.append(_cell(gain, len(pairs)))
        saved = bootstrap([sent["bytes"] / bytes_at(row["peers"]["AVIF"], sent["psnr"]) for row, sent in pairs])
        cells.append("" if not saved.count else f"{100 * (saved.value - 1):+.0f} %")
        lines.append(f"| {' | '.join(cells)} |")
        if saved.count and budget in TARGETS:
            name = f"equal_bytes_{folder.replace('/', '_')}_{budget}"
            ratios.append(f"ratio {name} {saved.value:.3f}/1={saved.value:.3f} target {TARGETS[budget]}")
    return "\n".join(lines), ratios


def _cell(gain: Mean, all_: int) -> str:
    if not gain.count:
        return "none so small"
    some = "" if gain.count == all_ else f" ({gain.count}/{all_})"
    interval = "" if gain.count == 1 else f" [{gain.low:+.2f}, {gain.high:+.2f}]"
    return f"{gain.value:+.2f}{interval}{some}"


def _counts(scales: Sequence[int]) -> str:
    return ", ".join(f"{scales.count(scale)} of {scale}" for scale in sorted(set(scales)))


def _heading(options: argparse.Namespace, restorer: Restorer, sent: Sequence[Record]) -> str:
    limit = "" if options.limit is None else f" --limit {options.limit}"
    folders = "" if options.folders == FOLDERS else f" --folders {' '.join(options.folders)}"
    codecs = collections.Counter(packet["codec"] for packet in sent)
    coded = ", ".join(f"{count} {codec}" for codec, count in codecs.most_common())
    peers = "; ".join(f"{name}: {FULL_SIZE[name].settings}" for name in PEERS)
    return f"""
## At equal bytes

`python scripts/measure/equal_bytes.py --data DATA{folders}{limit} --page`: PSNR in dB of the central 512x512,
sent with a budget and restored by {restorer.label}, and its difference from whole files of other codecs of as many
bytes as were sent ({peers}), with 95 % intervals. "by the model" is what restoring adds to bicubic interpolation of the
same packets; the last column compares bytes at equal PSNR. (n/N): only n images get so small with that codec. Images
of more than 8 bits are mapped to 8 over the range of their values. The sender chose codec and scale: {coded}; at scale
1 no model is applied, so that there the whole difference is that of the codec and of the container.
"""


if __name__ == "__main__":
    main()
