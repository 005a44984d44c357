"""The summary of a run over several files."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

LINKS = (64, 384)
"""kbit/s: a slow mobile link, and the satellite link of a published deployment."""


@dataclasses.dataclass(frozen=True)
class Done:
    """What became of one file.

    Attributes:
        line: names the result and what is peculiar to it.
        notes: what may be true of many files.
        facts: the same for programs.
    """

    line: str
    notes: tuple[str, ...] = ()
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Summary:
    """The sums of a run.

    Attributes:
        done, refused, skipped: numbers of files.
        before, after: bytes of the inputs that were done and of their results.
    """

    done: int = 0
    refused: int = 0
    skipped: int = 0
    before: int = 0
    after: int = 0
    notes: Counter[str] = dataclasses.field(default_factory=Counter)

    def add(self, *, before: int, after: int, notes: tuple[str, ...]) -> tuple[str, ...]:
        """Count a file that was done; those of its notes that no file had before."""
        self.done += 1
        self.before += before
        self.after += after
        new = tuple(note for note in notes if note not in self.notes)
        self.notes.update(notes)
        return new

    def lines(self) -> list[str]:
        """For people: what was done, and how often each note was true that was printed once."""
        count = f"{self.done} file{'' if self.done == 1 else 's'}"
        lines = [f"{count}: {self.before:,} bytes became {self.after:,}{self._change()}"]
        if self.refused or self.skipped:
            others = [f"{self.refused} refused"] if self.refused else []
            others += [f"{self.skipped} done before and verified"] if self.skipped else []
            lines[0] += f"; {', '.join(others)}"
        if self.after < self.before:
            pairs = [(rate, _shown(self.before, rate), _shown(self.after, rate)) for rate in LINKS]
            lines.append(
                "on the link: " + "; ".join(f"{was} became {now} at {rate} kbit/s" for rate, was, now in pairs)
            )
        lines += [f"{times} of them: {note}" for note, times in self.notes.items() if times > 1]
        return lines

    def facts(self) -> dict[str, Any]:
        """For programs."""
        seconds = {
            f"seconds_at_{rate}_kbit": [round(size / rate / 125, 3) for size in (self.before, self.after)]
            for rate in LINKS
        }
        counts = {"done": self.done, "refused": self.refused, "skipped": self.skipped}
        return {**counts, "bytes": [self.before, self.after], **seconds, "notes": dict(self.notes)}

    def _change(self) -> str:
        if not self.before or not self.after:
            return ""
        times = self.before / self.after
        return f" ({times:.1f} times less)" if times >= 1 else f" ({1 / times:.1f} times more)"


def _shown(size: int, rate: int) -> str:
    """Seconds that bytes take at kbit/s, without the overhead of a protocol."""
    seconds = size / rate / 125
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 1.66 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"
