"""Rewrite what in docs/ follows from code and weights: model cards, parameters of the degradation, the API's names.

    python scripts/release/pages.py [--check]

A generated part lies between `<!-- generated: NAME -->` and `<!-- end -->`. With --check nothing is written, and the
exit status is 1 where a page is out of date; a test does the same.
"""

from __future__ import annotations

import medsr_jax.excepthook  # noqa: F401  # first: a missing package is one line

# isort: split

import argparse
import dataclasses
import importlib
import inspect
import pathlib
import re
import sys
from collections.abc import Callable
from typing import Any

import medsr_jax
from medsr_jax.degradation import PRESETS, Sharpen
from medsr_jax.degradation.kernels import KernelMixture
from medsr_jax.degradation.steps import STEPS
from medsr_jax.weights import model_file

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
PACKAGES = ("imaging", "transmission", "degradation", "models", "weights", "restoration")
# Fields that several steps share, where a docstring leaves them out.
SHARED_FIELDS = {
    "probability": "share of the samples",
    "latitude": "natural logarithm of the exposure of black over that of white",
    "methods": "drawn from uniformly",
    "kernels": "below",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--tiny", action="store_true", help="as --check, in nightly runs")
    options = parser.parse_args()
    options.check |= options.tiny
    stale = [page for page, text in pages().items() if page.read_text() != text]
    for page in stale:
        print(f"{page}: {'out of date; run scripts/release/pages.py' if options.check else 'rewritten'}")
        if not options.check:
            page.write_text(pages()[page])
    sys.exit(1 if stale and options.check else 0)


def pages() -> dict[pathlib.Path, str]:
    """Every page with generated parts, as it should be."""
    found = {}
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text()
        if "<!-- generated: " in text:
            found[page] = re.sub(
                r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)",
                lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n{part[3]}",
                text,
                flags=re.S,
            )
    return found


def cards() -> str:
    """A table for each packaged model: architecture, fields and card, from the header of its weights."""
    parts = []
    for name in model_file.names():
        weights = model_file.load(name)
        rows = {
            "architecture": f"`{weights.model}`",
            "parameters": f"{weights.parameters:,}",
            "fields": ", ".join(f"`{field}={value}`" for field, value in weights.fields.items()),
            "file": f"{weights.path.stat().st_size:,} bytes",
            "SHA-256 of architecture, fields and parameters": f"`{weights.sha256}`",
            **{key: value for key, value in weights.card.items() if key != "name"},
        }
        parts.append(f"## {name}\n\n| | |\n|-|-|\n" + "".join(f"| {key} | {text} |\n" for key, text in rows.items()))
    return "\n".join(parts)


def presets() -> str:
    """A row for each preset: its steps in order."""
    rows = []
    for name, make in PRESETS.items():
        degradation = make()
        steps = ", ".join(f"`{step}` ({type(value).__name__})" for step, value in degradation.steps.items())
        rows.append(f"| `{name}` | {steps} | {'sharpened' if degradation.sharpen else 'as it is'} |\n")
    return "| preset | steps in order | target |\n|-|-|-|\n" + "".join(rows)


def parameters() -> str:
    """A table for each step: its fields, their defaults and what they mean."""
    return "\n".join(_parameters(step) for step in (*STEPS.values(), KernelMixture, Sharpen))


def _parameters(step: type[Any]) -> str:
    meanings = SHARED_FIELDS | _attributes(step)
    default = step()
    rows = "".join(
        f"| `{field.name}` | `{_shown(getattr(default, field.name))}` | {meanings.get(field.name, '')} |\n"
        for field in dataclasses.fields(default)
    )
    return f"### {step.__name__}\n\n{_summary(step)}\n\n| field | default | |\n|-|-|-|\n{rows}"


def _summary(step: type[Any]) -> str:
    return (inspect.getdoc(step) or "").split("\n\n")[0].replace("``", "`")


def _attributes(step: type[Any]) -> dict[str, str]:
    """Names and meanings of a docstring's Attributes section."""
    section = (inspect.getdoc(step) or "").partition("Attributes:\n")[2]
    entries = re.findall(r"^    ([\w, ]+):((?:.|\n(?!    \S))*)", section, re.M)
    return {
        name.strip(): " ".join(text.split()).rstrip(".").replace("``", "`")
        for names, text in entries
        for name in names.split(",")
    }


def _shown(value: Any) -> str:
    if dataclasses.is_dataclass(value):
        return type(value).__name__
    if isinstance(value, tuple):
        return ", ".join(_shown(one) for one in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def api() -> str:
    """A heading and a mkdocstrings directive for each public class and function, by the module that defines it."""
    exported = [getattr(medsr_jax, name) for name in medsr_jax.__all__]
    parts = [_entry("medsr_jax", name) for name in medsr_jax.__all__ if _is_documented(getattr(medsr_jax, name))]
    for package in PACKAGES:
        module = importlib.import_module(f"medsr_jax.{package}")
        parts.append(f"## medsr_jax.{package}\n\n{(module.__doc__ or '').strip().splitlines()[0]}\n")
        names = [name for name in sorted(module.__all__) if getattr(module, name) not in exported]
        parts += [_entry(f"medsr_jax.{package}", name) for name in names if _is_documented(getattr(module, name))]
    return "\n".join(parts)


def _is_documented(value: object) -> bool:
    return inspect.isclass(value) or inspect.isfunction(value)


def _entry(package: str, name: str) -> str:
    value = getattr(importlib.import_module(package), name)
    return f"### {package}.{name}\n\n::: {value.__module__}.{value.__qualname__}\n"


PARTS: dict[str, Callable[[], str]] = {"cards": cards, "presets": presets, "parameters": parameters, "api": api}

if __name__ == "__main__":
    main()
