"""The fields of a config as a page of the docs."""

from __future__ import annotations

from medsr_jax.training.config.fields import FIELDS, Field, Unset

_HEAD = """# Fields of a training config

Each is a flag of `python -m medsr_jax.training`, such as `--config.optimizer.b1=0.5`; a file of `configs/` changes some
of them. Printed by `python -m medsr_jax.training.config`. Fields of `degradation` are those of
[its steps](degradation.md).

| field | type | default | must be | |
|-|-|-|-|-|
"""


def page() -> str:
    """The page in Markdown."""
    return _HEAD + "".join(f"| {' | '.join(_cells(field))} |\n" for field in FIELDS)


def _cells(field: Field) -> tuple[str, ...]:
    default = field.default
    kind = default.kind if isinstance(default, Unset) else type(default)
    shown = "" if isinstance(default, Unset) else f"`{default!r}`"
    return f"`{field.name}`", kind.__name__, shown, field.range.text, field.meaning.replace("|", "\\|")
