"""Join the lines of Chinese paragraphs without a space.

A line end in the source becomes a space on the page. English needs it; between Chinese
characters, or after Chinese punctuation, it is a hole.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

CHARACTER = "\u2e80-\u9fff\uf900-\ufaff"
PUNCTUATION = "\u3000-\u303f\uff00-\uffef“”‘’…—"
END = r" *\n(?! *\n| *[-*+] | *\d+\. ) *"  # not that of a paragraph or list item
HOLE = re.compile(
    rf"(?<=[{CHARACTER}]){END}(?=[{CHARACTER}{PUNCTUATION}])"
    rf"|(?<=[{PUNCTUATION}]){END}"
    rf"|(?<=\S){END}(?=[{PUNCTUATION}])"
)


def join(text: str) -> str:
    """Return a text without the line ends that would be holes."""
    return HOLE.sub("", text)


class JoinChineseLines(SphinxTransform):
    """Join the lines of all text but code, if the page is Chinese."""

    default_priority = 50  # before others look at the text

    def apply(self) -> None:
        if not self.config.language.startswith("zh"):
            return
        for text in list(self.document.findall(nodes.Text)):
            if not isinstance(text.parent, nodes.FixedTextElement | nodes.raw):
                text.parent.replace(text, nodes.Text(join(text)))
        for raw in self.document.findall(nodes.raw):
            # The tooltip of a card: sphinx-gallery has put its lines together already.
            closed = re.sub(rf"(?<=[{PUNCTUATION}]) (?! )", "", raw.astext())
            raw.children = [nodes.Text(closed.replace("``", ""))]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_transform(JoinChineseLines)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
