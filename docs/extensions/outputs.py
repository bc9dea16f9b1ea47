"""Let an output wrap if it holds a message, and scroll if it holds a table."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

LONG = 100
"""Characters of a line that was not laid out in columns."""


class MarkLongOutputs(SphinxTransform):
    """Give outputs with a long line the class ``wraps``."""

    default_priority = 400

    def apply(self) -> None:
        for block in self.document.findall(nodes.literal_block):
            lines = block.astext().split("\n")
            if block.get("language") == "none" and max(map(len, lines)) > LONG:
                block["classes"].append("wraps")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_transform(MarkLongOutputs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
