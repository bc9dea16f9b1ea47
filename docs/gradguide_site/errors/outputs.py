"""Tell a script's plain output, its warnings and its errors apart on the page.

Each line of an output gets a token of Pygments: the style sheet gives a message an edge
and a mark of its own. An output wraps if it holds a long message, and scrolls if it
holds a table, whose columns would be lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import ClassVar

from docutils import nodes
from pygments.lexer import Lexer
from pygments.token import Generic, _TokenType
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from gradguide_site.errors.messages import messages

LONG = 100
"""Characters of a line that was not laid out in columns."""
NARROW = 40
"""Characters that fit on a phone: a table of these may stand below a long sentence."""
COLUMN = re.compile(r"(?<=\S)  +(?=\S)")
"""What is in front of each column of a table but the first."""


class OutputLexer(Lexer):
    """Lines of an output: ``gr`` is an error, ``gt`` a warning, ``go`` all others."""

    name = "Output of a script"
    aliases: ClassVar = ["output"]

    def get_tokens_unprocessed(
        self, text: str
    ) -> Iterator[tuple[int, _TokenType, str]]:
        lines = text.splitlines(keepends=True)
        kinds = [Generic.Output] * len(lines)
        for message in messages([line.rstrip("\n") for line in lines]):
            kind = Generic.Traceback if message.is_warning else Generic.Error
            start, end = message.lines
            kinds[start:end] = [kind] * (end - start)
        place = 0
        for line, kind in zip(lines, kinds, strict=True):
            yield place, kind, line
            place += len(line)


class MarkOutputs(SphinxTransform):
    """Let the lexer read each output, and give those that wrap the class ``wraps``."""

    default_priority = 400

    def apply(self) -> None:
        for block in self.document.findall(nodes.literal_block):
            if block.get("language") == "none":
                block["language"] = OutputLexer.aliases[0]
                if wraps(block.astext().split("\n")):
                    block["classes"].append("wraps")


def wraps(lines: list[str]) -> bool:
    """Whether a long line asks for it, and no table would lose its columns."""
    long = {number for number, line in enumerate(lines) if len(line) > LONG}
    said = {number for message in messages(lines) for number in range(*message.lines)}
    return bool(long & said) or (bool(long) and table_width(lines) <= NARROW)


def table_width(lines: list[str]) -> int:
    """Return the length of the longest line that has a column in line with the next."""
    starts = [{gap.end() for gap in COLUMN.finditer(line)} for line in lines]
    neighbours = pairwise(zip(lines, starts, strict=True))
    rows = [max(len(a), len(b)) for (a, at), (b, below) in neighbours if at & below]
    return max(rows, default=0)


def setup(app: Sphinx) -> None:
    app.add_lexer(OutputLexer.aliases[0], OutputLexer)
    app.add_transform(MarkOutputs)
