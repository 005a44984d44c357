"""Printed scores of images that were sent, restored and measured."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from medsr_jax.terminal import show
from medsr_jax.text import visible

if TYPE_CHECKING:
    from medsr_jax.evaluation.link import Measured


@dataclasses.dataclass(frozen=True)
class Scores:
    """What `evaluation.link.Measured` says of an image, without its pixels."""

    sent_bytes: int
    ratio: float
    scale: int
    codec: str
    quality: int
    model: str
    psnr: float
    ssim: float
    psnr_bicubic: float
    ssim_bicubic: float

    @classmethod
    def of(cls, measured: Measured) -> Scores:
        """The numbers of a measurement."""
        return cls(**{field.name: getattr(measured, field.name) for field in dataclasses.fields(cls)})

    def facts(self) -> dict[str, Any]:
        """The same as JSON has it, where infinity is null: the PSNR of equal images."""
        found = {"bytes" if name == "sent_bytes" else name: value for name, value in vars(self).items()}
        return {name: None if value == math.inf else value for name, value in found.items()}


def model_names(scored: list[tuple[str, Scores]]) -> str:
    """What restored the images."""
    return " and ".join(dict.fromkeys(score.model for _, score in scored))


def summary_lines(scored: list[tuple[str, Scores]]) -> list[str]:
    """The mean gain with its interval, and where the ratio lies."""
    from medsr_jax.evaluation.statistics import bootstrap
    from medsr_jax.transmission.ceilings import ratio_label

    label = f"ratio {ratio_label(*(score.ratio for _, score in scored))}; not for primary diagnosis"
    if len(scored) == 1:
        return [label]
    gains = [score.psnr - score.psnr_bicubic for _, score in scored]
    gain = bootstrap(gains)
    similarity = bootstrap([score.ssim - score.ssim_bicubic for _, score in scored])
    return [
        f"mean gain over bicubic of the same packet: {gain.value:+.3f} dB [{gain.low:+.3f}, {gain.high:+.3f}]"
        f" (worst {min(gains):+.3f}), SSIM {similarity.value:+.4f} [{similarity.low:+.4f}, {similarity.high:+.4f}];"
        f" {len(gains)} images, 95 % intervals",
        label,
    ]


def summary_facts(scored: list[tuple[str, Scores]]) -> dict[str, Any]:
    """The means for programs; those of PSNR over images that were not restored exactly."""
    gains = [score.psnr - score.psnr_bicubic for _, score in scored]
    finite = [gain for gain in gains if math.isfinite(gain)]
    return {
        "images": len(scored),
        "model": model_names(scored),
        "mean_gain": sum(finite) / len(finite) if finite else None,
        "worst_gain": min(finite) if finite else None,
    }


def table(scored: list[tuple[str, Scores]]) -> None:
    """Bytes, ratio and fidelity, an image a row."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from medsr_jax.transmission.ceilings import ratio_text

    rich_table = Table()
    heads = ("image", "file bytes", "ratio", "sent as", "bicubic dB", "restored dB", "gain", "SSIM bic.", "SSIM rest.")
    for head in heads:
        rich_table.add_column(head, justify="left" if head == "image" else "right")
    for name, score in scored:
        rich_table.add_row(
            Text(visible(name)),
            f"{score.sent_bytes:,}",
            ratio_text(score.ratio),
            f"1/{score.scale} {score.codec} q {score.quality}",
            f"{score.psnr_bicubic:.2f}",
            f"{score.psnr:.2f}",
            f"{score.psnr - score.psnr_bicubic:+.2f}",
            f"{score.ssim_bicubic:.3f}",
            f"{score.ssim:.3f}",
        )
    # A pipe has no width; 120 columns hold the table unbroken.
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    with console.capture() as laid_out:
        console.print(rich_table)
    show(laid_out.get().rstrip("\n"))
