"""What a fault is: an edit, the check that has to see it, and what the check says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tests.faults.checks import Check


class Edit(Protocol):
    """A change to one file: to the first that the pattern ``path`` matches."""

    path: str

    def __call__(self, file: Path) -> None:
        """Make the change."""


@dataclass(frozen=True)
class Replace:
    """Put other text in every place that reads ``old``."""

    path: str
    old: str
    new: str

    def __call__(self, file: Path) -> None:
        text = file.read_text("utf-8")
        if self.old not in text:
            raise PlantError(
                f"{self.path} doesn't say {self.old!r}: plant it elsewhere"
            )
        file.write_text(text.replace(self.old, self.new), "utf-8")


@dataclass(frozen=True)
class Append:
    """Add text to the end of a file."""

    path: str
    text: str

    def __call__(self, file: Path) -> None:
        file.write_text(file.read_text("utf-8") + self.text, "utf-8")


@dataclass(frozen=True)
class Add:
    """Write a new file."""

    path: str
    text: str

    def __call__(self, file: Path) -> None:
        if file.exists():
            raise PlantError(f"{self.path} is there already: plant it elsewhere")
        file.write_text(self.text, "utf-8")


@dataclass(frozen=True)
class Remove:
    """Remove a file."""

    path: str

    def __call__(self, file: Path) -> None:
        file.unlink()


class PlantError(Exception):
    """A fault can't be planted as it is described."""


@dataclass(frozen=True)
class Fault:
    """Something that must not reach a reader.

    Attributes:
        kind: What goes wrong, in general, such as ``a script that hangs``.
        name: What was done to which file.
        check: The smallest check that has to notice it.
        words: What the check has to say, so that it fails for the right reason; ``...``
            stands for anything on the same line.
        edits: How the fault is planted.
    """

    kind: str
    name: str
    check: Check
    words: str
    edits: tuple[Edit, ...]

    @property
    def pattern(self) -> str:
        """The words, as a regular expression."""
        return ".*".join(map(re.escape, self.words.split("...")))


def fault(kind: str, name: str, check: Check, words: str, *edits: Edit) -> Fault:
    """Return a fault; its edits come last, as they are the longest."""
    return Fault(kind, name, check, words, edits)
