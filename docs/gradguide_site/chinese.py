"""Chinese text: its characters, and how its lines are joined."""

from __future__ import annotations

import re

CHARACTER = "\u3400-\u9fff\uf900-\ufaff"
PUNCTUATION = "\u3000-\u303f\uff00-\uffef“”‘’…—"
"""Ranges of characters, for a character class of a regular expression."""

CHINESE = re.compile(f"[{CHARACTER}]")

# A line end within a paragraph, which no blank line and no list item follows.
LINE_END = r" *\n(?! *\n| *[-*+] | *\d+\. ) *"
REMOVED_LINE_END = re.compile(
    rf"(?<=[{CHARACTER}]){LINE_END}(?=[{CHARACTER}{PUNCTUATION}])"
    rf"|(?<=[{PUNCTUATION}]){LINE_END}"
    rf"|(?<=\S){LINE_END}(?=[{PUNCTUATION}])"
)


def join_lines(text: str) -> str:
    """Remove the line ends that would become spaces in Chinese text.

    HTML shows a line end as a space. English needs that space; between two Chinese
    characters, or beside Chinese punctuation, it would be wrong.
    """
    return REMOVED_LINE_END.sub("", text)
