"""Join the lines of Chinese paragraphs without a space."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from gradguide_site.chinese import PUNCTUATION, join_lines


class JoinChineseLines(SphinxTransform):
    """Join the lines of all text except code on a Chinese page."""

    default_priority = 50  # before transforms that read the text

    def apply(self) -> None:
        if not self.config.language.startswith("zh"):
            return
        for text in list(self.document.findall(nodes.Text)):
            if not isinstance(text.parent, nodes.FixedTextElement | nodes.raw):
                text.parent.replace(text, nodes.Text(join_lines(text)))
        for raw in self.document.findall(nodes.raw):
            # sphinx-gallery has joined the lines of a card's tooltip with spaces.
            joined = re.sub(rf"(?<=[{PUNCTUATION}]) (?! )", "", raw.astext())
            raw.children = [nodes.Text(joined.replace("``", ""))]


def setup(app: Sphinx) -> None:
    app.add_transform(JoinChineseLines)
