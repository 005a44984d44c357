"""Turn the best weights of a run into a packaged model: half precision, and a card with what was measured.

    python scripts/release/package_weights.py RUN/best.safetensors [-o NAME.safetensors] [--card KEY=TEXT ...]

Packaged models are in medsr_jax/weights/packaged.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import pathlib

import numpy as np

from medsr_jax.weights import model_file


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="?", default="xray-x4", help="a file, or a packaged model [xray-x4]")
    parser.add_argument("-o", "--out", type=pathlib.Path, default=pathlib.Path("out/packaged.safetensors"))
    parser.add_argument("--card", nargs="*", default=[], metavar="KEY=TEXT", help="more lines of the card")
    parser.add_argument("--tiny", action="store_true", help="as without: this takes a second")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    weights = model_file.load(arguments.weights)
    more = dict(line.split("=", 1) for line in arguments.card)
    model_file.save(
        arguments.out,
        model=weights.model,
        fields=weights.fields,
        params=weights.params,
        card={**weights.card, **more},
        dtype=np.float16,
    )
    print(f"{arguments.out}: {arguments.out.stat().st_size:,} bytes, {weights.parameters:,} parameters")


if __name__ == "__main__":
    main()
