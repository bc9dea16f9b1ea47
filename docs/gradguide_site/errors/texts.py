"""Find the errors and warnings in what a script printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

START = re.compile(r"(?:\S+\.py:\d+: )?(?=[A-Z]\w*(?:Error|Exception|Warning): \S)")
"""The part before the class of a message: nothing, or a file and a line number."""


@dataclass(frozen=True)
class Message:
    """An error or a warning in an output.

    Attributes:
        text: Its text, without the file and line that a warning begins with.
        lines: The numbers of its first line and of the line after its last.
        is_warning: Whether it is a warning.
    """

    text: str
    lines: tuple[int, int]
    is_warning: bool


def messages(lines: list[str]) -> Iterator[Message]:
    """Yield the messages in the lines of one output.

    A warning begins with a file and a line number and ends with that line of code.
    Any other message is one line.
    """
    for number, line in enumerate(lines):
        start = START.match(line)
        if not start:
            continue
        end = quoted = number + 1
        if start[0]:
            while end < len(lines) and not lines[end].startswith("  "):
                end += 1
            quoted = min(end + 1, len(lines))
        text = "\n".join([line[start.end() :], *lines[number + 1 : end]])
        yield Message(text, (number, quoted), "Warning: " in line)


@cache
def slug(text: str) -> str:
    """Return a text in lower case, its words joined by underscores.

    The name of an error's page is a part of the slugs of its messages.
    """
    return re.sub(r"[^a-z0-9]+", "_", text.lower().replace("'", ""))
