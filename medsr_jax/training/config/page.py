"""docs/config.md: every field of a training config, made from the schema and the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medsr_jax.fields import Described, described
from medsr_jax.text import visible
from medsr_jax.training.config.rules import RULES
from medsr_jax.training.config.schema import Config

_HEAD = """# Fields of a training config

Every field is a flag of `python -m medsr_jax.training`, such as `--config.optimizer.learning_rate=2e-4`; a file of
`configs/` sets some of them. All faults of a config are reported together, before an image is read. This page is
written by `python -m medsr_jax.training.config > docs/config.md`.
"""


def page() -> str:
    """The page as Markdown."""
    entries = list(described(Config))
    parts = [_HEAD, _table(entries, group="")]
    for entry in entries:
        if entry.is_group:
            parts += [f"## {entry.name}\n\n{entry.comment}\n", _table(entries, group=entry.name)]
    parts += ["## Rules for several fields\n"]
    parts += ["\n".join(f"- {' '.join((rule.check.__doc__ or '').split())}" for rule in RULES) + "\n"]
    return "\n".join(parts)


def _table(entries: list[Described], *, group: str) -> str:
    rows = [entry for entry in entries if not entry.is_group and entry.name.rpartition(".")[0] == group]
    lines = ["| field | type | values | default | |", "|-|-|-|-|-|"]
    for row in rows:
        values = row.accepted.text if row.accepted else ""
        cells = (f"`{row.name}`", row.type, values, _default(row.default), row.comment)
        lines.append(f"| {' | '.join(visible(cell) for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _default(value: Any) -> str:
    if value in (None, ""):
        return ""
    if isinstance(value, Mapping):
        return "of the preset `high_order`" if "steps" in value else f"`{dict(value)}`"
    return f"`{value}`"
