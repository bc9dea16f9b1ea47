"""Mark the warnings and errors in the outputs of scripts.

Each line of an output becomes a Pygments token, and the style sheet marks warnings and
errors, and wraps them. An output with a table scrolls sideways, because wrapping would
break its columns.
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

from gradguide_site.errors.texts import messages

LONG = 100
"""Characters of a line that has to wrap if it has no columns."""
NARROW = 40
"""Characters that fit on a phone: a table of this width survives the wrapping."""
COLUMN = re.compile(r"(?<=\S)  +(?=\S)")
"""The gap before each column of a table except the first."""


class OutputLexer(Lexer):
    """Lex the lines of an output: ``gr`` is an error, ``gt`` a warning, else ``go``."""

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
        index = 0
        for line, kind in zip(lines, kinds, strict=True):
            yield index, kind, line
            index += len(line)


class MarkOutputs(SphinxTransform):
    """Highlight each output with the lexer; add the class ``wraps`` if it wraps."""

    default_priority = 400

    def apply(self) -> None:
        for block in self.document.findall(nodes.literal_block):
            if block.get("language") == "none":
                block["language"] = OutputLexer.aliases[0]
                if wraps(block.astext().split("\n")):
                    block["classes"].append("wraps")


def wraps(lines: list[str]) -> bool:
    """Whether an output has a long line but no wide table."""
    has_long_line = any(len(line) > LONG for line in lines)
    return has_long_line and table_width(lines) <= NARROW


def table_width(lines: list[str]) -> int:
    """Return the width of the widest row of a table, or 0 without a table.

    Two adjacent lines are rows of a table if they have a column at the same place.
    """
    starts = [{gap.end() for gap in COLUMN.finditer(line)} for line in lines]
    neighbours = pairwise(zip(lines, starts, strict=True))
    rows = [max(len(a), len(b)) for (a, at), (b, below) in neighbours if at & below]
    return max(rows, default=0)


def setup(app: Sphinx) -> None:
    app.add_lexer(OutputLexer.aliases[0], OutputLexer)
    app.add_transform(MarkOutputs)
