"""Chinese text: which characters it has, and how its lines are joined."""

from __future__ import annotations

import re

CHARACTER = "\u3400-\u9fff\uf900-\ufaff"
PUNCTUATION = "\u3000-\u303f\uff00-\uffef“”‘’…—"
"""Ranges of characters, for use in a class of a regular expression."""

CHINESE = re.compile(f"[{CHARACTER}]")

END = r" *\n(?! *\n| *[-*+] | *\d+\. ) *"  # not that of a paragraph or list item
HOLE = re.compile(
    rf"(?<=[{CHARACTER}]){END}(?=[{CHARACTER}{PUNCTUATION}])"
    rf"|(?<=[{PUNCTUATION}]){END}"
    rf"|(?<=\S){END}(?=[{PUNCTUATION}])"
)


def join_lines(text: str) -> str:
    """Return a text without the line ends that would become spaces in Chinese.

    A line end in the source becomes a space on the page. English needs it; between
    Chinese characters, or after Chinese punctuation, there must be none.
    """
    return HOLE.sub("", text)
