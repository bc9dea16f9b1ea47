"""Join the lines of Chinese paragraphs without a space."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from gradguide_site.chinese import PUNCTUATION, join_lines


class JoinChineseLines(SphinxTransform):
    """Join the lines of all text but code, if the page is Chinese."""

    default_priority = 50  # before others look at the text

    def apply(self) -> None:
        if not self.config.language.startswith("zh"):
            return
        for text in list(self.document.findall(nodes.Text)):
            if not isinstance(text.parent, nodes.FixedTextElement | nodes.raw):
                text.parent.replace(text, nodes.Text(join_lines(text)))
        for raw in self.document.findall(nodes.raw):
            # The tooltip of a card: sphinx-gallery has put its lines together already.
            closed = re.sub(rf"(?<=[{PUNCTUATION}]) (?! )", "", raw.astext())
            raw.children = [nodes.Text(closed.replace("``", ""))]


def setup(app: Sphinx) -> None:
    app.add_transform(JoinChineseLines)
